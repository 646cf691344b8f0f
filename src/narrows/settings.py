"""Settings as data: one field says the name, the kind, the default, the help and the unit.

`narrows.yaml`, the environment, the flags of `narrows serve`, the reference page and validation all come
from it. A later source wins: defaults, `settings:` in narrows.yaml, NARROWS_*, flags. A secret setting is
taken from the environment only (NARROWS_X, or NARROWS_X_FILE naming a file), because files are committed
and argv is public.
"""

# ruff: noqa: RUF009 - `_setting` makes the field, as dataclasses.field does

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

from narrows.model.secret import Secret

KIB = 1024
MIB = 1024 * KIB
MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR

ENVIRONMENT_PREFIX = "NARROWS_"


class SettingKind(Enum):
    """How a setting is written; the value is what the reference page says."""

    TEXT = "text"
    CHOICE = "one of a list"
    BOOLEAN = "true or false"
    INTEGER = "whole number"
    SIZE = "size: bytes, or with a unit (64KiB, 16MiB)"
    DURATION = "duration: seconds, or with a unit (500ms, 10s, 5m, 12h, 30d)"
    PATH = "path, relative to the configuration directory"
    ADDRESSES = "host:port, several with commas; empty for none"
    SECRET = "secret, from the environment only"  # noqa: S105 - a word on the reference page


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one setting besides its value."""

    name: str
    kind: SettingKind
    default: object
    help: str
    section: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    is_reloadable: bool = False
    """False where a change takes effect at the next start."""

    @property
    def is_secret(self) -> bool:
        return self.kind is SettingKind.SECRET

    @property
    def unit(self) -> str:
        return {SettingKind.SIZE: "bytes", SettingKind.DURATION: "seconds"}.get(self.kind, "")

    @property
    def environment(self) -> str:
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def flag(self) -> str | None:
        return None if self.is_secret else "--" + self.name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class SettingFault:
    """One setting that does not hold, by source: `narrows.yaml`, an environment variable or a flag."""

    source: str
    name: str
    message: str


def _setting(kind: SettingKind, default: object, help: str, section: str, **more: Any) -> Any:  # noqa: A002
    return field(default=default, metadata={"kind": kind, "help": help, "section": section, **more})


_K = SettingKind
_LISTEN, _TLS, _LIMIT, _SIGNIN = "Listening", "TLS", "Limits", "Signing in"
_JOURNAL, _KEEP, _LOG = "Journal", "State and secrets", "Logs and metrics"


@dataclass(frozen=True, slots=True)
class Settings:
    """The values that hold, typed; relative paths are already joined to the configuration directory."""

    postgres_listen: tuple[Address, ...] = _setting(
        _K.ADDRESSES,
        (Address("127.0.0.1", 6432),),
        "Where PostgreSQL clients connect.",
        _LISTEN,
    )
    control_listen: tuple[Address, ...] = _setting(
        _K.ADDRESSES,
        (Address("127.0.0.1", 6433),),
        "Where the control API answers over HTTPS; empty leaves only the Unix socket.",
        _LISTEN,
    )
    control_socket: Path = _setting(
        _K.PATH,
        Path("state/control.sock"),
        "The control API's Unix socket, mode 0600: its owner and root are the built-in operator.",
        _LISTEN,
    )
    public_host: str = _setting(
        _K.TEXT,
        "localhost",
        "The name that clients use for this gateway; it must be in the server certificate. It is printed, never bound.",
        _LISTEN,
        is_reloadable=True,
    )
    public_port: int = _setting(
        _K.INTEGER,
        0,
        "The PostgreSQL port that clients use, where it differs from the one listened on; 0 means the same.",
        _LISTEN,
        minimum=0,
        maximum=65535,
        is_reloadable=True,
    )
    tls_certificate: Path = _setting(
        _K.PATH,
        Path("tls/server.crt"),
        "The server certificate with its chain, PEM.",
        _TLS,
        is_reloadable=True,
    )
    tls_key: Path = _setting(
        _K.PATH,
        Path("tls/server.key"),
        "The key of the server certificate, PEM, mode 0600.",
        _TLS,
        is_reloadable=True,
    )
    tls_ca: Path = _setting(
        _K.PATH,
        Path("tls/ca.crt"),
        "The CA certificate that clients verify this gateway with; only handed on and printed.",
        _TLS,
        is_reloadable=True,
    )
    tls_minimum: str = _setting(
        _K.CHOICE, "1.2", "The oldest TLS version that is spoken to clients.", _TLS, choices=("1.2", "1.3")
    )
    plaintext_allowed: bool = _setting(
        _K.BOOLEAN,
        False,
        "Take tokens outside TLS. An exception for a loopback or an already encrypted network; counted by a metric.",
        _TLS,
    )
    startup_timeout_s: float = _setting(
        _K.DURATION, 10.0, "From the TCP connection to the end of sign-in.", _LIMIT, minimum=1, maximum=120
    )
    statement_limit_bytes: int = _setting(
        _K.SIZE,
        16 * MIB,
        "The largest statement; a larger one is refused, never forwarded unparsed.",
        _LIMIT,
        minimum=KIB,
        maximum=16 * MIB,
    )
    bind_limit_bytes: int = _setting(
        _K.SIZE, 64 * MIB, "The largest set of bound parameters.", _LIMIT, minimum=KIB, maximum=1024 * MIB
    )
    row_limit_bytes: int = _setting(
        _K.SIZE,
        64 * MIB,
        "The largest row that is masked; rows that need no mask may be larger.",
        _LIMIT,
        minimum=KIB,
        maximum=1024 * MIB,
    )
    sessions_limit: int = _setting(
        _K.INTEGER, 2000, "Sessions open at once in this process.", _LIMIT, minimum=1, maximum=100_000
    )
    sessions_per_principal: int = _setting(
        _K.INTEGER, 500, "Sessions open at once for one user or service.", _LIMIT, minimum=1, maximum=100_000
    )
    unauthenticated_limit: int = _setting(
        _K.INTEGER,
        200,
        "Connections that have not signed in yet, at once.",
        _LIMIT,
        minimum=1,
        maximum=10_000,
    )
    idle_timeout_s: float = _setting(
        _K.DURATION, 0.0, "Ends a session without a statement for so long; 0 never does.", _LIMIT, minimum=0
    )
    idle_in_transaction_timeout_s: float = _setting(
        _K.DURATION,
        0.0,
        "Ends a session that leaves a transaction open and idle; 0 never does.",
        _LIMIT,
        minimum=0,
    )
    upstream_timeout_s: float = _setting(
        _K.DURATION, 10.0, "From dialling a target to the end of its sign-in.", _LIMIT, minimum=1, maximum=120
    )
    keepalive_s: float = _setting(
        _K.DURATION,
        60.0,
        "TCP keepalive on both sides, so that long idle sessions are not cut.",
        _LIMIT,
        minimum=5,
    )
    drain_timeout_s: float = _setting(
        _K.DURATION, 30.0, "What open sessions are given to finish when the gateway stops.", _LIMIT, minimum=0
    )
    parse_workers: int = _setting(
        _K.INTEGER,
        1,
        "Processes that analyse large statements away from the loop.",
        _LIMIT,
        minimum=1,
        maximum=64,
    )
    parse_timeout_s: float = _setting(
        _K.DURATION, 15.0, "What one statement may take to analyse.", _LIMIT, minimum=0.1, maximum=300
    )
    parse_memory_bytes: int = _setting(
        _K.SIZE,
        2048 * MIB,
        "The memory of one analysing process; 4 MiB of INSERT VALUES takes about 500 MiB.",
        _LIMIT,
        minimum=256 * MIB,
    )
    snapshot_poll_s: float = _setting(
        _K.DURATION,
        30.0,
        "How often a target's schema is compared with what is known; the window for changes made around the gateway.",
        _LIMIT,
        minimum=1,
    )
    control_body_limit_bytes: int = _setting(
        _K.SIZE,
        256 * KIB,
        "The largest request body of the control API.",
        _LIMIT,
        minimum=KIB,
        maximum=16 * MIB,
    )
    token_ttl_s: float = _setting(
        _K.DURATION,
        12 * HOUR,
        "How long a new token holds where nothing else is asked for.",
        _SIGNIN,
        minimum=60,
        is_reloadable=True,
    )
    token_ttl_limit_s: float = _setting(
        _K.DURATION,
        90 * DAY,
        "The longest that a token may be made to hold.",
        _SIGNIN,
        minimum=60,
        is_reloadable=True,
    )
    failures_limit: int = _setting(
        _K.INTEGER,
        20,
        "Failed sign-ins from one address within the window; after that it waits.",
        _SIGNIN,
        minimum=1,
        maximum=10_000,
    )
    failures_window_s: float = _setting(
        _K.DURATION,
        MINUTE,
        "The window in which failed sign-ins are counted.",
        _SIGNIN,
        minimum=1,
        maximum=DAY,
    )
    journal_durability: str = _setting(
        _K.CHOICE,
        "write",
        "`write` survives the end of the process, `fsync` that of the machine (group-committed, slower).",
        _JOURNAL,
        choices=("write", "fsync"),
    )
    journal_segment_bytes: int = _setting(
        _K.SIZE,
        64 * MIB,
        "A journal file is closed and a new one begun at this size.",
        _JOURNAL,
        minimum=64 * KIB,
    )
    journal_checkpoint_s: float = _setting(
        _K.DURATION,
        10.0,
        "The longest time between two signed checkpoints while anything is written.",
        _JOURNAL,
        minimum=0.1,
    )
    state_directory: Path = _setting(
        _K.PATH, Path("state"), "Where the gateway keeps what it writes, mode 0700.", _KEEP
    )
    store_url: str = _setting(
        _K.TEXT,
        "sqlite:///state/narrows.db",
        "The store, as a SQLAlchemy URL; a relative SQLite path is under the configuration directory.",
        _KEEP,
    )
    master_key: str = _setting(
        _K.TEXT,
        "file:state/master.key",
        "Where the key stands that encrypts stored credentials: `file:PATH` (mode 0600) or `env:NAME`.",
        _KEEP,
    )
    vault_url: str = _setting(
        _K.TEXT, "", "The Vault or OpenBao server that `vault:` references are read from.", _KEEP
    )
    vault_ca: str = _setting(
        _K.TEXT, "", "The CA file that verifies the Vault server; empty for the system's.", _KEEP
    )
    vault_token: Secret | None = _setting(_K.SECRET, None, "The token that reads `vault:` references.", _KEEP)
    log_format: str = _setting(
        _K.CHOICE,
        "auto",
        "`json` one object a line, `text` for people, `auto` text on a terminal.",
        _LOG,
        choices=("auto", "json", "text"),
    )
    log_level: str = _setting(
        _K.CHOICE,
        "info",
        "The least severe event that is logged.",
        _LOG,
        choices=("debug", "info", "warning", "error"),
        is_reloadable=True,
    )
    metrics_public: bool = _setting(
        _K.BOOLEAN,
        False,
        "Answer /metrics without a token; else it needs the action view_status.",
        _LOG,
        is_reloadable=True,
    )

    @property
    def clients_port(self) -> int:
        """The PostgreSQL port that is printed for clients."""
        return self.public_port or (self.postgres_listen[0].port if self.postgres_listen else 5432)

    def under(self, directory: Path) -> Settings:
        """The same settings with relative paths joined to the configuration directory."""
        paths = {s.name: directory / getattr(self, s.name) for s in SETTINGS if s.kind is SettingKind.PATH}
        return replace(self, **paths, **_joined_references(self, directory))


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(name=f.name, default=f.default, **f.metadata) for f in fields(Settings)
)
"""Every setting, in the order of the reference page."""

BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


def _joined_references(settings: Settings, directory: Path) -> dict[str, Any]:
    """The paths that stand inside texts: a SQLite file, a key file, a CA file."""
    joined: dict[str, Any] = {}
    sqlite = "sqlite:///"
    if settings.store_url.startswith(sqlite):
        joined["store_url"] = f"{sqlite}{directory.absolute() / settings.store_url.removeprefix(sqlite)}"
    if settings.master_key.startswith("file:"):
        joined["master_key"] = f"file:{directory / settings.master_key.removeprefix('file:')}"
    if settings.vault_ca:
        joined["vault_ca"] = str(directory / settings.vault_ca)
    return joined


# How each kind is read ----------------------------------------------------------------------------------

_SIZE = re.compile(r"(\d+)\s*(B|KIB|MIB|GIB|KB|MB|GB)?\Z", re.IGNORECASE)
_SIZE_UNITS = {"b": 1, "kib": KIB, "mib": MIB, "gib": 1024 * MIB, "kb": 1000, "mb": 10**6, "gb": 10**9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\Z")
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": MINUTE, "h": HOUR, "d": DAY}
_ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:\[\],]+)):(\d{1,5})\Z")
_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def parse_duration(raw: object) -> float:
    """Seconds, from a number or a text such as `12h`."""
    match = _DURATION.match(str(raw).strip()) if not isinstance(raw, bool) else None
    if not match:
        raise ValueError("write a duration such as 10s, 5m, 12h or 30d")
    return float(match[1]) * _DURATION_UNITS[match[2] or "s"]


def parse_size(raw: object) -> int:
    """Bytes, from a number or a text such as `16MiB`."""
    match = _SIZE.match(str(raw).strip()) if not isinstance(raw, bool) else None
    if not match:
        raise ValueError("write a size such as 65536, 64KiB or 16MiB")
    return int(match[1]) * _SIZE_UNITS[(match[2] or "B").lower()]


def parse_addresses(raw: object) -> tuple[Address, ...]:
    """Addresses from `host:port, [::1]:port` or a list of them."""
    parts = raw if isinstance(raw, list) else str(raw).split(",")
    return tuple(_parse_address(str(part).strip()) for part in parts if str(part).strip())


def _parse_address(text: str) -> Address:
    match = _ADDRESS.match(text)
    if not match or int(match[3]) > 65535:
        raise ValueError(f"write host:port, such as 127.0.0.1:6432 (an IPv6 host in brackets), not {text!r}")
    return Address(match[1] or match[2], int(match[3]))


def _parse_boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    try:
        return _BOOLEANS[str(raw).strip().lower()]
    except KeyError:
        raise ValueError("write true or false") from None


def _parse_integer(raw: object) -> int:
    text = str(raw).strip()
    if isinstance(raw, bool) or not re.fullmatch(r"-?\d{1,18}", text):
        raise ValueError("write a whole number")
    return int(text)


def _parse_text(raw: object) -> str:
    if not isinstance(raw, str | int | float) or isinstance(raw, bool):
        raise ValueError("write a text")
    text = str(raw)
    if any(ord(character) < 32 for character in text):
        raise ValueError("remove the control characters")
    return text


def _parse_path(raw: object) -> Path:
    text = _parse_text(raw)
    if not text:
        raise ValueError("write a path")
    return Path(text)


_READERS: Mapping[SettingKind, Callable[[object], object]] = {
    _K.TEXT: _parse_text,
    _K.CHOICE: _parse_text,
    _K.BOOLEAN: _parse_boolean,
    _K.INTEGER: _parse_integer,
    _K.SIZE: parse_size,
    _K.DURATION: parse_duration,
    _K.PATH: _parse_path,
    _K.ADDRESSES: parse_addresses,
    _K.SECRET: lambda raw: Secret(_parse_text(raw)),
}


def parse(setting: Setting, raw: object) -> object:
    """The value of one setting; ValueError says what to write instead."""
    value = _READERS[setting.kind](raw)
    if setting.choices and value not in setting.choices:
        raise ValueError(f"write one of: {', '.join(setting.choices)}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_range(setting, value)
    return value


def _check_range(setting: Setting, value: float) -> None:
    if setting.minimum is not None and value < setting.minimum:
        raise ValueError(f"write at least {setting.minimum:g} {setting.unit}".rstrip())
    if setting.maximum is not None and value > setting.maximum:
        raise ValueError(f"write at most {setting.maximum:g} {setting.unit}".rstrip())


# Where values come from ---------------------------------------------------------------------------------

Read = tuple[str, str, object]
"""(source, setting name, raw value)."""


def resolve(
    file: Mapping[str, object],
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    read_secret: Callable[[Path], str] = lambda path: path.read_text("utf-8").strip(),
) -> tuple[Settings, tuple[SettingFault, ...]]:
    """The settings that hold, and every fault; a faulty one keeps its default so that all faults are seen."""
    values: dict[str, object] = {}
    faults: list[SettingFault] = []
    faults.extend(_faults_of_file(file))
    for source, name, raw in _in_order(file, environ, flags, read_secret, faults):
        try:
            values[name] = parse(BY_NAME[name], raw)
        except ValueError as fault:
            faults.append(SettingFault(source, name, str(fault)))
    settings = Settings(**values)  # type: ignore[arg-type]  # each value came from its own reader
    faults.extend(_faults_between(settings))
    return settings, tuple(faults)


def _faults_of_file(file: Mapping[str, object]) -> Iterator[SettingFault]:
    for name in file:
        if name not in BY_NAME:
            yield SettingFault("narrows.yaml", str(name), "no such setting; docs/configuration.md lists them")
        elif BY_NAME[name].is_secret:
            yield SettingFault(
                "narrows.yaml",
                name,
                f"a secret does not stand in a file; set {BY_NAME[name].environment} instead",
            )


def _in_order(
    file: Mapping[str, object],
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    read_secret: Callable[[Path], str],
    faults: list[SettingFault],
) -> Iterator[Read]:
    for setting in SETTINGS:
        if setting.name in file and not setting.is_secret:
            yield "narrows.yaml", setting.name, file[setting.name]
        if setting.environment in environ:
            yield setting.environment, setting.name, environ[setting.environment]
        elif setting.is_secret and (path := environ.get(setting.environment + "_FILE")):
            try:
                yield setting.environment + "_FILE", setting.name, read_secret(Path(path))
            except (OSError, UnicodeDecodeError) as fault:
                why = fault.strerror if isinstance(fault, OSError) else "it is not text"
                faults.append(
                    SettingFault(setting.environment + "_FILE", setting.name, f"cannot read the file: {why}")
                )
        if setting.flag and setting.name in flags:
            yield setting.flag, setting.name, flags[setting.name]


def _faults_between(settings: Settings) -> Iterator[SettingFault]:
    """What holds only between settings."""
    if settings.token_ttl_s > settings.token_ttl_limit_s:
        yield SettingFault("settings", "token_ttl_s", "write at most token_ttl_limit_s")
    if not settings.master_key.startswith(("file:", "env:")):
        yield SettingFault(
            "settings", "master_key", "write file:PATH or env:NAME; the key itself stands in no file"
        )
    if "://" not in settings.store_url:
        yield SettingFault("settings", "store_url", "write a URL such as sqlite:///state/narrows.db")


def unknown_environment(environ: Mapping[str, str]) -> tuple[str, ...]:
    """NARROWS_* variables that look like a setting and are none: worth a warning, for a typo must be seen."""
    known = {s.environment for s in SETTINGS} | {s.environment + "_FILE" for s in SETTINGS if s.is_secret}
    return tuple(
        sorted(
            name
            for name in environ
            if name.startswith(ENVIRONMENT_PREFIX)
            and name not in known | CLI_ENVIRONMENT
            and "_PORT_" not in name
        )
    )


CLI_ENVIRONMENT = frozenset(
    {
        "NARROWS_CONFIG",
        "NARROWS_URL",
        "NARROWS_CA",
        "NARROWS_TOKEN",
        "NARROWS_DEBUG",
        "NARROWS_SOCKET",
    }
)
"""What the command line reads for itself."""
