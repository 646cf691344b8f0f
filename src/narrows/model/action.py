"""What may be done, in a hierarchy that policy can name at any level.

One table: an action and the group it belongs to. The Cedar schema is generated from it, so a new action
cannot be known to a protocol and unknown to policy.
"""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    # read
    SELECT = "select"
    EXPORT = "export"
    EXPLAIN = "explain"
    # write
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    LOCK = "lock"
    # define
    CREATE = "create"
    ALTER = "alter"
    COMMENT = "comment"
    REFRESH = "refresh"
    # destroy
    DROP = "drop"
    TRUNCATE = "truncate"
    # execute: code that we cannot see through
    CALL = "call"
    EXECUTE_CODE = "execute_code"
    # administer
    GRANT = "grant"
    REVOKE = "revoke"
    ASSUME_ROLE = "assume_role"
    MAINTAIN = "maintain"
    CONFIGURE_SERVER = "configure_server"
    SERVER_FILE = "server_file"
    SERVER_PROGRAM = "server_program"
    REPLICATE = "replicate"
    TERMINATE = "terminate"
    # session: what every client does around its statements
    CONNECT = "connect"
    TRANSACT = "transact"
    CONFIGURE = "configure"
    SHOW = "show"
    LISTEN = "listen"
    NOTIFY = "notify"
    # the ladder for labelled data, and its use in conditions
    REVEAL = "reveal"
    REVEAL_PARTIAL = "reveal_partial"
    REVEAL_TOKEN = "reveal_token"  # noqa: S105 - an action, not a password
    FILTER = "filter"
    # operate: the gateway itself
    VIEW_STATUS = "view_status"
    VIEW_JOURNAL = "view_journal"
    VIEW_VALUES = "view_values"
    EXPLAIN_POLICY = "explain_policy"
    RELOAD = "reload"
    END_SESSION = "end_session"
    MANAGE_TOKENS = "manage_tokens"
    MANAGE_CREDENTIALS = "manage_credentials"


GROUPS: dict[str, tuple[Action, ...]] = {
    "read": (Action.SELECT, Action.EXPORT, Action.EXPLAIN),
    "write": (Action.INSERT, Action.UPDATE, Action.DELETE, Action.LOCK),
    "define": (Action.CREATE, Action.ALTER, Action.COMMENT, Action.REFRESH),
    "destroy": (Action.DROP, Action.TRUNCATE),
    "execute": (Action.CALL, Action.EXECUTE_CODE),
    "administer": (
        Action.GRANT,
        Action.REVOKE,
        Action.ASSUME_ROLE,
        Action.MAINTAIN,
        Action.CONFIGURE_SERVER,
        Action.SERVER_FILE,
        Action.SERVER_PROGRAM,
        Action.REPLICATE,
        Action.TERMINATE,
    ),
    "session": (
        Action.CONNECT,
        Action.TRANSACT,
        Action.CONFIGURE,
        Action.SHOW,
        Action.LISTEN,
        Action.NOTIFY,
    ),
    "disclose": (Action.REVEAL, Action.REVEAL_PARTIAL, Action.REVEAL_TOKEN),
    "condition": (Action.FILTER,),
    "operate": (
        Action.VIEW_STATUS,
        Action.VIEW_JOURNAL,
        Action.VIEW_VALUES,
        Action.EXPLAIN_POLICY,
        Action.RELOAD,
        Action.END_SESSION,
        Action.MANAGE_TOKENS,
        Action.MANAGE_CREDENTIALS,
    ),
}
"""Group of actions -> its members; every action is in exactly one group."""

EFFECTS = frozenset(
    action
    for group in ("write", "define", "destroy", "execute", "administer")
    for action in GROUPS[group]
    if action is not Action.LOCK
) | {Action.NOTIFY}
"""What has happened once such a statement has run, whatever becomes of its result; a lock goes with its transaction."""
