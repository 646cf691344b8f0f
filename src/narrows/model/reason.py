"""Why something was refused: a closed list, each with a code in SQLSTATE class NW and what to do about it.

The code is the same in every protocol. `docs/reasons.md` has a heading for each; a test keeps it so.
"""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """(code, whether trying the same again later can succeed, the remedy in one sentence)."""

    # policy
    NOT_PERMITTED = ("NW001", False, "No policy permits this; ask the owner of the connection for a permit.")
    FORBIDDEN = ("NW002", False, "A policy forbids this; its id is in the detail.")
    REVIEW_REQUIRED = ("NW003", False, "A policy asks for a review, which this gateway cannot hold yet.")
    POLICY_ERROR = ("NW004", False, "A policy failed to evaluate; its owner must mend it.")
    OBLIGATION_UNKNOWN = ("NW005", False, "The verdict asks for something this protocol cannot do.")
    FILTER_LIMIT = (
        "NW006",
        True,
        "Too many labelled values were asked for within a minute; wait, or compare with fewer.",
    )
    # what was sent
    UNPARSABLE = ("NW010", False, "The statement is not valid SQL for the gateway's parser; correct it.")
    TOO_LARGE = ("NW011", False, "Send less at once: the statement is over the size limit.")
    TOO_COMPLEX = ("NW012", False, "Simplify the statement: it is nested too deeply or too slow to analyse.")
    UNSUPPORTED = ("NW013", False, "The gateway does not pass this kind of statement or message.")
    SETTING_REFUSED = (
        "NW014",
        False,
        "This setting changes what statements mean; use a constant and allowed value.",
    )
    MIXED_BATCH = ("NW015", False, "Send these statements one by one: a later one depends on an earlier one.")
    EFFECT_UNDECIDED = ("NW016", False, "What this statement does cannot be decided; name objects plainly.")
    MASK_IMPOSSIBLE = ("NW017", False, "The result cannot be masked; select fewer columns or another format.")
    DISAGREEMENT = ("NW018", True, "The target's schema differs from what was analysed; try again.")
    NUL_BYTE = ("NW019", False, "Remove the NUL byte from the statement.")
    # the gateway's own parts
    JOURNAL_UNAVAILABLE = (
        "NW020",
        True,
        "The journal cannot be written, so nothing runs; tell the operator.",
    )
    STORE_UNAVAILABLE = ("NW021", True, "The gateway's store cannot be read; tell the operator.")
    FACTS_UNAVAILABLE = (
        "NW022",
        True,
        "The target's schema could not be read; check the target and try again.",
    )
    UPSTREAM_UNAVAILABLE = (
        "NW023",
        True,
        "The target cannot be reached or refused the gateway; tell the operator.",
    )
    TIMED_OUT = ("NW024", True, "The time limit passed; try again.")
    BUSY = ("NW025", True, "A limit on concurrent work was reached; try again shortly.")
    INTERNAL = ("NW026", True, "The gateway failed and refused to be safe; tell the operator.")
    # sign-in
    SIGN_IN_FAILED = (
        "NW030",
        False,
        "The token is not valid; ask an operator for a new one (`narrows tokens create`).",
    )
    TOKEN_EXPIRED = (
        "NW031",
        False,
        "The token has expired; ask an operator for a new one (`narrows tokens create`).",
    )
    PRINCIPAL_DISABLED = ("NW032", False, "This principal is disabled; ask an administrator.")
    TLS_REQUIRED = ("NW033", False, "Connect with sslmode=verify-full: a token is only taken inside TLS.")
    UNKNOWN_CONNECTION = ("NW034", False, "No such connection; `narrows connections` lists yours.")
    UNKNOWN_DATABASE = ("NW035", False, "The connection does not list this database.")
    WRONG_USER = ("NW036", False, "The token belongs to somebody else; connect as its owner.")
    CREDENTIAL_UNAVAILABLE = ("NW037", True, "The target's credential cannot be read; tell the operator.")
    # the session
    SESSION_ENDED = (
        "NW040",
        False,
        "The session was ended: its token expired or was revoked. Sign in again.",
    )
    DRAINING = ("NW041", True, "The gateway is shutting down; connect again.")
    # the control API
    BAD_REQUEST = ("NW050", False, "The request is not understood; the message says what to correct.")
    NOT_FOUND = ("NW051", False, "Nothing has this name or id; list what there is first.")
    CONFIG_INVALID = ("NW052", False, "The configuration does not validate, so nothing changed; mend it.")

    def __init__(self, code: str, retryable: bool, remedy: str) -> None:
        self.code = code
        self.retryable = retryable
        self.remedy = remedy

    def __repr__(self) -> str:
        return f"Reason.{self.name}"
