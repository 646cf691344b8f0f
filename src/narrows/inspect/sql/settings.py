"""Settings that a session may change: which are free, which are tracked, which are refused.

Laws: a setting that is not in the table is refused; one that changes what statements mean is tracked and takes
only constants; one that would make the gateway's parser and the target disagree, or make the target talk about
other statements, takes only the values that keep them in agreement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from narrows.inspect.sql import data
from narrows.inspect.sql.data import listed
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal


class Rule(Enum):
    FREE = "free"
    """Changes how the target works or formats, not what a statement means."""
    TRACKED = "tracked"
    """Changes what statements mean: kept in the session's facts."""
    ROLE = "role"
    """Tracked, and needs `assume_role` of that role."""
    PRIVILEGED = "privileged"
    """Only a superuser may; needs `configure_server`."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Setting:
    rule: Rule
    accepts: Callable[[str], bool] | None = None
    """Values that are allowed, where not all are."""
    values: str = ""
    """Those values in words, for the refusal."""


def encoding_name(value: str) -> str:
    return "".join(letter for letter in value.lower() if letter.isalnum())


def _is_on(value: str) -> bool:
    return value.strip().lower() in ("on", "true", "yes", "1", "t", "y", "tr", "tru", "ye")


def _is_quiet(value: str) -> bool:
    return value.strip().lower() in ("notice", "info", "warning", "error", "fatal", "panic")


def _is_same_bytes(value: str) -> bool:
    return encoding_name(value) in ("utf8", "unicode", "sqlascii")


FREE = Setting(Rule.FREE)
PRIVILEGED = Setting(Rule.PRIVILEGED)
REFUSED = Setting(Rule.REFUSED)

BY_HAND: dict[str, Setting] = {
    "search_path": Setting(Rule.TRACKED),
    "role": Setting(Rule.ROLE),
    "session_authorization": Setting(Rule.ROLE),
    "narrows.reveal": Setting(Rule.TRACKED),
    # The parser assumes `on`, and SQL in another mode means something else.
    "standard_conforming_strings": Setting(Rule.TRACKED, _is_on, "on"),
    # Names and strings must be the same bytes here and at the target. SQL_ASCII converts nothing.
    "client_encoding": Setting(Rule.TRACKED, _is_same_bytes, "UTF8 and SQL_ASCII"),
    # Debugging output and log lines would carry other statements and their values.
    "client_min_messages": Setting(Rule.FREE, _is_quiet, "notice and above"),
    "is_superuser": REFUSED,
    "session_replication_role": PRIVILEGED,
    "local_preload_libraries": REFUSED,
    "session_preload_libraries": REFUSED,
    "dynamic_library_path": REFUSED,
    "extension_control_path": REFUSED,
    "extension_destdir": REFUSED,
    "output_plugin_libraries": REFUSED,
    "backtrace_functions": REFUSED,
    "jit_debugging_support": REFUSED,
    "jit_profiling_support": REFUSED,
    "jit_dump_bitcode": REFUSED,
    "exit_on_error": REFUSED,
    "post_auth_delay": REFUSED,
    "trace_notify": REFUSED,
    "trace_sort": REFUSED,
    "log_parameter_max_length_on_error": REFUSED,
    # Spellings and pseudo-settings that pg_settings does not list.
    "seed": FREE,
    "transaction_isolation": FREE,
    "transaction_read_only": FREE,
    "transaction_deferrable": FREE,
    "xmloption": FREE,
    "default_with_oids": FREE,
    "force_parallel_mode": FREE,
    "debug_parallel_query": FREE,
    "ssl_renegotiation_limit": FREE,
    "vacuum_defer_cleanup_age": FREE,
}
"""What the list below cannot say. pg_dump, pgjdbc, psycopg, asyncpg, SQLAlchemy and Alembic set: DateStyle,
IntervalStyle, TimeZone, extra_float_digits, application_name, client_encoding, standard_conforming_strings,
check_function_bodies, xmloption, client_min_messages, row_security, search_path, default_tablespace,
default_table_access_method, synchronize_seqscans, quote_all_identifiers, restrict_nonsystem_relation_kind, jit,
the timeouts, the transaction's characteristics, role."""


def _listed() -> dict[str, Setting]:
    found = {}
    for name, context in data.rows("settings.txt"):
        lower = name.lower()
        is_debug = lower.startswith("debug_")
        found[lower] = REFUSED if is_debug else FREE if context in ("user", "backend") else PRIVILEGED
    return found


SETTINGS: dict[str, Setting] = {**_listed(), **BY_HAND}
"""Every setting that is known, by its name in lower case."""

SHOWS_SECRETS = listed(
    """
    primary_conninfo archive_command restore_command archive_cleanup_command recovery_end_command
    ssl_passphrase_command krb_server_keyfile
    """
)
"""Settings of the server whose values may hold secrets."""

SILENT_PREFIXES = ("narrows.",)
"""Custom settings that are the gateway's own: only those in the table are accepted."""


def setting(name: str) -> Setting:
    """The rule for a setting; custom ones (`app.tenant`) are free, unknown ones refused."""
    lower = name.lower()
    known = SETTINGS.get(lower)
    if known is not None:
        return known
    if "." in lower and not lower.startswith(SILENT_PREFIXES):
        return FREE
    return REFUSED


def accept_setting(name: str, value: str | None) -> Refusal | None:
    """Whether a session may have this setting at this constant value; None is its default.

    For SET, and for the start-up packet's parameters.
    """
    rule = setting(name)
    if rule.rule is Rule.REFUSED:
        return Refusal(Reason.SETTING_REFUSED, f"{name} cannot be changed through the gateway")
    if value is not None and rule.accepts is not None and not rule.accepts(value):
        return Refusal(Reason.SETTING_REFUSED, f"{name} can only be {rule.values} through the gateway")
    return None


def parse_identifiers(value: str) -> tuple[str, ...]:
    """A list of identifiers as search_path's value holds it: unquoted ones in lower case."""
    names: list[str] = []
    rest = value.strip()
    while rest:
        if rest.startswith('"'):
            end = 1
            while end < len(rest) and (rest[end] != '"' or rest[end : end + 2] == '""'):
                end += 2 if rest[end] == '"' else 1
            names.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :]
        else:
            word, _, _ = rest.partition(",")
            names.append(word.strip().lower())
            rest = rest[len(word) :]
        rest = rest.strip().removeprefix(",").strip()
    return tuple(names)
