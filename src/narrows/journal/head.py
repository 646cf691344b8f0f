"""The heads of all chains at one moment, signed, to be kept where the gateway's machine cannot reach.

Against a head a cut tail and a writer that is gone can be named; without one nobody can tell a shorter
journal from an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from narrows.journal import files, line
from narrows.journal.keys import Keys, key_id
from narrows.journal.records import INNER, Base

FORMAT = "narrows journal head 1"
HEAD_BYTES = 16 << 20
_DOMAIN = b"narrows journal head 1\n"


class HeadForged(Exception):
    """A head is not what this journal's key signed; the message says why."""


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """(segment, seq, hash) of every writer's last line."""

    format: str
    at: float
    key: str
    writers: dict[str, Base]
    signature: str = ""


_canonical = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(type=Head)


def export(directory: Path, keys: Keys, at: float, own: Mapping[str, Base]) -> bytes:
    """The signed head; `own` are chains whose end the caller knows, the others are read from their files."""
    writers = {name: own.get(name) or read_end(directory, name) for name in files.list_writers(directory)}
    known = {name: end for name, end in writers.items() if end is not None}
    unsigned = Head(format=FORMAT, at=at, key=keys.id, writers=known)
    signature = keys.signing.sign(_signed_bytes(unsigned)).hex()
    signed = msgspec.structs.replace(unsigned, signature=signature)
    return msgspec.json.format(_canonical.encode(signed), indent=2) + b"\n"


def parse(text: bytes, public: Ed25519PublicKey) -> Head:
    """A head whose signature holds; raises HeadForged."""
    try:
        head = _decoder.decode(text)
        signature = bytes.fromhex(head.signature)
    except (msgspec.DecodeError, ValueError) as fault:
        raise HeadForged(f"The head is not a journal head: {fault}.") from fault
    if head.format != FORMAT:
        raise HeadForged(f"The head has the format {head.format!r}, which this version does not know.")
    if head.key != key_id(public):
        raise HeadForged(f"The head is signed with key {head.key}, not with this journal's {key_id(public)}.")
    try:
        public.verify(signature, _signed_bytes(head))
    except InvalidSignature:
        raise HeadForged("The head's signature is false: it was changed or forged.") from None
    return head


def read_end(directory: Path, writer: str) -> Base | None:
    """Where another process's chain ends, as its file says; None where there is no whole line.

    A line that only goes before another in one write may yet be cut back with it, so the end is the last
    line that cannot.
    """
    for segment in reversed(files.list_segments(directory, writer)):
        lines = files.last_lines(files.segment_path(directory, writer, segment), line.LINE_BYTES)
        parsed = [found for raw in reversed(lines) if (found := line.parse(raw))]
        final = next((found for found in parsed if found.kind not in INNER), parsed[0] if parsed else None)
        if final is not None:
            return Base(segment, final.seq, final.hash.decode())
    return None


def _signed_bytes(head: Head) -> bytes:
    return _DOMAIN + _canonical.encode(msgspec.structs.replace(head, signature=""))
