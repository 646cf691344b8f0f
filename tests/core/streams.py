"""How the tests drive a codec: whole, in pieces, one byte at a time; and how rows are looked at again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from hypothesis import strategies as st

from narrows.core import ColumnMask, CopyPlan, CopyRun, MaskOp, Message, PgBackend, PgFrontend, Plan, Rows
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import backend, copying

Item = Message | CopyRun | Rows

KEEP4 = ColumnMask(MaskOp.KEEP_LAST, keep=4)
CONSTANT = ColumnMask(MaskOp.CONSTANT, text=b"***")
HASH = ColumnMask(MaskOp.HASH, key=b"k" * 32, length=16)
NULL = ColumnMask(MaskOp.NULL)


def pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """The data cut at these places."""
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return (data[a:b] for a, b in pairwise(edges))


def every_byte(data: bytes) -> Iterator[bytes]:
    return pieces(data, range(len(data)))


def drain(
    codec: PgFrontend | PgBackend, chunks: Iterable[bytes], react: Callable[[Item], object] = lambda _: None
) -> list[object]:
    """All that comes out, runs joined; a ProtocolError is the last item, as its text."""
    items: list[object] = []
    try:
        for chunk in chunks:
            codec.receive(chunk)
            while (item := codec.next()) is not None:
                react(item)
                join(items, item)
    except ProtocolError as error:
        items.append(str(error))
    return items


def join(items: list[object], item: Item) -> None:
    """Add an item; a run that follows a run becomes one with it."""
    last = items[-1] if items else None
    if isinstance(item, CopyRun) and isinstance(last, CopyRun):
        items[-1] = CopyRun(last.data + item.data)
    elif isinstance(item, Rows) and isinstance(last, Rows):
        items[-1] = Rows(last.data + item.data, last.rows + item.rows, last.masked + item.masked)
    else:
        items.append(item)


def row(*values: bytes | None) -> bytes:
    return backend.build(backend.DataRow(values))


def copy_data(*payloads: bytes) -> bytes:
    return b"".join(backend.build(copying.CopyData(payload)) for payload in payloads)


def under(plan: Plan) -> PgBackend:
    codec = PgBackend()
    codec.set_plan(plan)
    return codec


def shown(data: bytes) -> list[tuple[bytes | None, ...]]:
    """The values of a run of DataRow, read by the codec's reader of one row."""
    return [backend.parse_data_row(payload).values for payload in payloads_of(data, b"D")]


def copied(plan: CopyPlan, payloads: Iterable[bytes]) -> tuple[bytes, int, int]:
    """What a whole COPY comes out as: its stream, rows and masked values."""
    codec = PgBackend()
    codec.set_copy_plan(plan)
    codec.receive(copy_data(*payloads) + backend.build(copying.CopyDone()))
    stream, rows, masked = b"", 0, 0
    while (item := codec.next()) is not None:
        if isinstance(item, Rows):
            rows += item.rows
            masked += item.masked
            stream += b"".join(payloads_of(item.data))
    return stream, rows, masked


def payloads_of(data: bytes, kind: bytes = b"d") -> list[bytes]:
    """The payloads of a run of messages of one kind."""
    found = []
    while data:
        assert data[:1] == kind
        end = 1 + int.from_bytes(data[1:5], "big")
        found.append(data[5:end])
        data = data[end:]
    return found


masks = st.sampled_from(
    [ColumnMask(), KEEP4, CONSTANT, HASH, NULL, ColumnMask(MaskOp.KEEP_LAST, keep=1, fill="•".encode())]
)
cuts = st.lists(st.integers(1, 400), max_size=20)
