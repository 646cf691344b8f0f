"""Every kind of record in the journal, frozen; the names and the fields are the file format.

Laws: a field is only ever added, with a default; a reader skips fields and kinds that it does not know;
a field at its default is left out of the line. Secrets and values are never in a record in the clear:
`text` was redacted by the caller, `values` are sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec


class Record(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="kind"):
    """What all records share."""

    version: int = 1


# what people and programs do


class SignIn(Record, frozen=True, tag="sign_in"):
    """Somebody presented a token: accepted, or refused with a reason."""

    address: str
    is_accepted: bool
    principal: str = ""
    method: str = ""
    token_id: str = ""
    connection: str = ""
    database: str = ""
    reason: str = ""
    message: str = ""
    is_tls: bool = False
    application: str = ""


class Refused(Record, frozen=True, tag="refused"):
    """Something was refused before a session existed, or outside any statement."""

    address: str
    reason: str
    message: str
    principal: str = ""
    session: str = ""
    connection: str = ""
    database: str = ""
    user: str = ""
    """The name the caller gave, believed by nobody."""


class SessionOpened(Record, frozen=True, tag="session_opened"):
    session: str
    principal: str
    connection: str
    database: str
    address: str
    protocol: str = "postgres"
    groups: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    method: str = ""
    token_id: str = ""
    expires_at: float = 0.0
    is_tls: bool = False
    application: str = ""
    mode: str = "enforce"
    target_pid: int = 0
    """The process at the target that serves the session, as its own log names it."""


class SessionClosed(Record, frozen=True, tag="session_closed"):
    session: str
    reason: str
    statements: int = 0
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0


class OperationEntry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One (action, resource) pair: `select` on `Table::"shop/public.orders"`."""

    action: str
    resource: str
    labels: tuple[str, ...] = ()
    facts: Mapping[str, Any] = {}


class StatementRecord(Record, frozen=True, tag="statement"):
    """A statement and its verdict, written before it is forwarded; denied ones as fully as allowed ones."""

    session: str
    principal: str
    connection: str
    database: str
    text: str
    effect: str
    """allow, review or deny."""
    statement: str = ""
    """The statement's kind, such as `select`."""
    protocol: str = "postgres"
    groups: tuple[str, ...] = ()
    task: tuple[str, ...] = ()
    operations: tuple[OperationEntry, ...] = ()
    is_observed: bool = False
    """The effect was recorded and not enforced."""
    reason: str = ""
    """The name of a `model.reason.Reason`; empty where allowed."""
    message: str = ""
    policies: tuple[str, ...] = ()
    rungs: Mapping[str, str] = {}
    """Labelled column -> the rung of the ladder at which it is shown."""
    alerts: tuple[tuple[str, str], ...] = ()
    versions: Mapping[str, str] = {}
    hold: int = 0
    facts: str = ""
    """Hash of the `facts` record in the same segment: the whole request that policy saw."""
    values: str = ""
    """The bind values, sealed; `values.open_values` opens them."""
    is_escaped: bool = False
    """The text was not valid Unicode: bytes that were not UTF-8 stand as `\\udcXX`."""


class OutcomeRecord(Record, frozen=True, tag="outcome"):
    """How a statement ended at the target."""

    record: str
    """Id of the statement's record."""
    session: str
    status: str
    rows: int = 0
    bytes: int = 0
    masked: int = 0
    sqlstate: str = ""
    command: str = ""
    """The target's command tag."""
    seconds: float = 0.0


class OwnRecord(Record, frozen=True, tag="own"):
    """A statement of the gateway's own at the target."""

    connection: str
    database: str
    text: str
    purpose: str
    session: str = ""


class ConfigLoaded(Record, frozen=True, tag="config_loaded"):
    """The configuration was read: taken over, or refused with its faults."""

    is_accepted: bool
    versions: Mapping[str, str] = {}
    faults: tuple[str, ...] = ()
    principal: str = ""
    """Who asked for a reload; empty at start."""


class Operated(Record, frozen=True, tag="operated"):
    """Somebody used the gateway's own controls: minted a token, read values, exported the journal."""

    principal: str
    action: str
    target: str = ""
    detail: str = ""
    is_allowed: bool = True
    address: str = ""


class Alert(Record, frozen=True, tag="alert"):
    """A policy with `@alert` was satisfied, or the gateway itself has something to say."""

    severity: str
    message: str
    policy: str = ""
    record: str = ""
    """Id of the statement's record that it is about."""
    session: str = ""
    rule: str = ""
    """What noticed: the policy, or a limit by its name in the configuration."""
    principal: str = ""
    connection: str = ""
    database: str = ""
    count: int = 0
    """How much was counted, where the rule counts."""


# what the journal says about itself


class Base(msgspec.Struct, frozen=True, array_like=True):
    """Where a writer's chain begins: its first kept segment and what stood before it."""

    segment: int
    seq: int
    hash: str


class SegmentOpened(Record, frozen=True, tag="segment"):
    """The first line of every segment."""

    writer: str
    segment: int
    previous: str
    """The hash of the line before it, at the end of the segment before."""
    checkpoint_records: int
    """A signed line stands after at most so many others."""
    writers: Mapping[str, Base] = {}
    """In the control writer: every writer that is registered, and where its chain begins."""


class Opened(Record, frozen=True, tag="opened"):
    """A process began to write this chain."""

    writer: str
    durability: str
    program: str = ""
    pid: int = 0


class Checkpoint(Record, frozen=True, tag="checkpoint"):
    """Signed: vouches for every line before it. `reason`: interval, seal (of a segment), close, request."""

    reason: str
    key: str = ""
    signature: str = ""


class Recovery(Record, frozen=True, tag="recovery"):
    """Signed: the last run did not close; what was left of it, and what was cut."""

    cause: str
    last_seq: int
    """The last whole line that was kept."""
    cut_bytes: int = 0
    cut_sha256: str = ""
    cut_lines: int = 0
    """Whole lines within the cut bytes; more than 0 only where an operator asked for a repair."""
    kept_in: str = ""
    """The file that keeps what a repair cut."""
    rewritten_bytes: int = 0
    """Bytes written a second time after the disk failed to take them."""
    key: str = ""
    signature: str = ""


class WriterRegistered(Record, frozen=True, tag="writer"):
    """Signed, in the control chain: this writer belongs to the journal and had come this far."""

    writer: str
    segment: int
    seq: int
    hash: str
    key: str = ""
    signature: str = ""


class SegmentsRetired(Record, frozen=True, tag="retired"):
    """Signed, in the control chain: segments were deleted on purpose, up to and including `through`."""

    writer: str
    through: int
    last_seq: int
    last_hash: str
    bytes: int
    reason: str
    writers: Mapping[str, Base]
    """Where every writer's chain begins from now on."""
    key: str = ""
    signature: str = ""


class Facts(Record, frozen=True, tag="facts"):
    """A request as policy saw it, written once per segment and referred to by its hash."""

    of: str
    request: msgspec.Raw


class Outage(Record, frozen=True, tag="outage"):
    """The journal could not be written for a while, and how much was refused meanwhile."""

    since: float
    refused: int
    message: str
    unconfirmed: tuple[str, ...] = ()
    """Records that stand in the chain though their callers were refused (a failed fsync)."""


class ClockStepped(Record, frozen=True, tag="clock"):
    """The clock went backwards between this line and the one before; order is by `seq`."""

    back_s: float


KINDS: tuple[type[Record], ...] = (
    SignIn,
    Refused,
    SessionOpened,
    SessionClosed,
    StatementRecord,
    OutcomeRecord,
    OwnRecord,
    ConfigLoaded,
    Operated,
    Alert,
    SegmentOpened,
    Opened,
    Checkpoint,
    Recovery,
    WriterRegistered,
    SegmentsRetired,
    Facts,
    Outage,
    ClockStepped,
)
KIND_OF: dict[type[Record], str] = {kind: str(kind.__struct_config__.tag) for kind in KINDS}
SIGNED = frozenset({"checkpoint", "recovery", "writer", "retired"})
"""Kinds that always bear a signature."""
INNER = frozenset({"segment", "facts", "outage", "clock", "checkpoint"})
"""Kinds that may stand before another record in one write; every other kind ends a write."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A record of a kind that this version does not know."""

    kind: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal with its place."""

    writer: str
    segment: int
    offset: int
    seq: int
    at: float
    """Seconds since the epoch, as the clock was read."""
    hash: str
    record: Record | Unknown

    @property
    def id(self) -> str:
        return record_id(self.writer, self.seq)

    @property
    def kind(self) -> str:
        return self.record.kind if isinstance(self.record, Unknown) else KIND_OF[type(self.record)]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(type=dict[str, Any])
_typed: dict[str, msgspec.json.Decoder[Record]] = {
    name: msgspec.json.Decoder(type=kind) for kind, name in KIND_OF.items()
}


def record_id(writer: str, seq: int) -> str:
    """The id by which others refer to a record: `control.12`."""
    return f"{writer}.{seq}"


def parse_id(text: str) -> tuple[str, int] | None:
    """(writer, seq) of an id; None where it is none."""
    writer, dot, seq = text.rpartition(".")
    return (writer, int(seq)) if dot and seq.isascii() and seq.isdigit() and len(seq) < 20 else None


def encode(record: Record) -> bytes:
    """The record's JSON object, its kind first; text that is not Unicode is escaped."""
    try:
        return _encoder.encode(record)
    except UnicodeEncodeError:
        return _encoder.encode(_escaped(record))


def complete(statement: bytes, facts: bytes, values: bytes) -> bytes:
    """An encoded statement with its facts' hash and its sealed values, which are known last."""
    members = [statement[:-1]]
    if facts:
        members += b',"facts":"', facts, b'"'
    if values:
        members += b',"values":"', values, b'"'
    return b"".join((*members, b"}"))


def _escaped(record: Record) -> Record:
    """The same with text that is not Unicode written as `\\udcXX`."""
    fields: dict[str, Any] = {name: _escape(value) for name, value in msgspec.structs.asdict(record).items()}
    if isinstance(record, StatementRecord):
        fields["is_escaped"] = True
    return type(record)(**fields)


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_escape(name): _escape(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_escape(item) for item in value)
    if isinstance(value, OperationEntry):
        return OperationEntry(**{name: _escape(item) for name, item in msgspec.structs.asdict(value).items()})
    return value


def decode(kind: str, line: bytes) -> Record | Unknown:
    """The record of a line; what is unknown, malformed or of a newer shape comes as `Unknown`."""
    typed = _typed.get(kind)
    if typed is not None:
        with suppress(*_MALFORMED):
            return typed.decode(line)
    with suppress(*_MALFORMED):
        members = _decoder.decode(line)
        return Unknown(kind, {name: value for name, value in members.items() if name not in _ENVELOPE})
    return Unknown(kind, {})


_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ENVELOPE = frozenset({"hash", "seq", "at", "kind"})
