"""Bind values: sealed where they lie, opened only with the key, bound to their record, bounded."""

from __future__ import annotations

import base64
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.journal import keys, read, values
from narrows.journal.errors import ValuesUnreadable
from narrows.journal.records import Entry, StatementRecord
from narrows.model.secret import Secret
from narrows.model.statement import Parameter
from tests.journal.support import KEYS, Place, statement


def _entry(sealed: bytes, seq: int = 7) -> Entry:
    return Entry("control", 1, 0, seq, 0.0, "", statement(values=sealed.decode()))


@given(
    st.lists(
        st.builds(Parameter, st.none() | st.binary(max_size=200), st.booleans(), st.integers(0, 2**32 - 1)),
        max_size=20,
    )
)
def test_what_is_sealed_can_be_opened(parameters: list[Parameter]) -> None:
    sealed = values.Sealer(KEYS.values).seal(parameters, "control.7")
    opened = values.open_values(_entry(sealed), KEYS.values)
    assert [value.parameter for value in opened] == parameters
    assert not any(value.is_cut for value in opened)


def test_values_do_not_lie_in_the_file(place: Place) -> None:
    journal = place.open()
    id_ = journal.append(statement("SELECT $1"), parameters=(Parameter(b"4111-1111", False, 25),))
    journal.close()
    content = place.segment().read_bytes()
    assert b"4111" not in content and base64.b64encode(b"4111-1111")[:8] not in content
    shown = read.show(place.directory, id_)
    assert shown is not None
    (value,) = values.open_values(shown.entry, KEYS.values)
    assert value.value == b"4111-1111"


def test_the_wrong_key_another_record_or_changed_bytes_do_not_open() -> None:
    sealed = values.Sealer(KEYS.values).seal([Parameter(b"x", False, 25)], "control.7")
    with pytest.raises(ValuesUnreadable, match=r"control\.7"):
        values.open_values(_entry(sealed), keys.generate().values)
    with pytest.raises(ValuesUnreadable):
        values.open_values(_entry(sealed, seq=8), KEYS.values)
    raw = bytearray(base64.b64decode(sealed))
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1
        with pytest.raises(ValuesUnreadable):
            values.open_values(_entry(base64.b64encode(changed)), KEYS.values)
    for junk in (b"", b"AAAA", b"not base64!"):
        if junk:
            with pytest.raises(ValuesUnreadable):
                values.open_values(_entry(junk), KEYS.values)


def test_no_nonce_repeats_within_a_run_nor_between_runs() -> None:
    sealers = [values.Sealer(KEYS.values) for _ in range(3)]
    used = {base64.b64decode(s.seal([], "control.1"))[1:29] for s in sealers for _ in range(100)}
    assert len(used) == 300
    same = sealers[0].seal([Parameter(b"x", False, 25)], "control.1")
    assert same != sealers[0].seal([Parameter(b"x", False, 25)], "control.1")


def test_large_values_keep_their_beginning_length_and_digest() -> None:
    big = bytes(range(256)) * 8192
    sealed = values.Sealer(KEYS.values).seal(
        [Parameter(big, True, 17), Parameter(b"s", False, 25)], "control.7"
    )
    assert len(sealed) < 10_000
    cut, small = values.open_values(_entry(sealed), KEYS.values)
    assert cut.is_cut and cut.length == len(big) and cut.sha256 == sha256(big).digest()
    assert big.startswith(cut.value) and len(cut.value) == values.HEAD_BYTES
    assert small.value == b"s" and not small.is_cut


def test_many_large_values_stay_bounded() -> None:
    parameters = [Parameter(b"x" * 1000, False, 25)] * 65535
    sealed = values.Sealer(KEYS.values).seal(parameters, "control.7")
    opened = values.open_values(_entry(sealed), KEYS.values)
    assert len(opened) == 65535
    assert sum(len(value.value) for value in opened) <= values.VALUES_BYTES


def test_a_statement_without_values_has_none() -> None:
    entry = Entry("control", 1, 0, 1, 0.0, "", statement())
    assert values.open_values(entry, KEYS.values) == ()


def test_a_newer_form_is_said_to_be_newer() -> None:
    raw = b"\x02" + base64.b64decode(values.Sealer(KEYS.values).seal([], "control.7"))[1:]
    with pytest.raises(ValuesUnreadable, match="newer"):
        values.open_values(_entry(base64.b64encode(raw)), KEYS.values)


def test_keys_do_not_show() -> None:
    assert KEYS.values.reveal() not in repr(KEYS)
    assert "PrivateKey" not in repr(KEYS)
    assert isinstance(KEYS.values, Secret)
    assert isinstance(msgspec.json.encode(statement()), bytes)
    assert isinstance(statement(), StatementRecord)
