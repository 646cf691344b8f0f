"""COPY TO is masked like rows, or refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from narrows.core import COPY_PASS_ALL, CopyPlan
from narrows.masking import MaskImpossible, build_copy_plan
from narrows.model.copy import Copy, CopyColumn, CopyDirection, CopyFormat
from narrows.model.label import Labels, Rung
from narrows.model.reach import Reach
from narrows.model.resource import Resource
from narrows.model.verdict import MaskObligation
from tests.masking.world import CUSTOMERS, KEY, LABELS, NO_LABELS, SNAPSHOT, TEXT, column, reach

SSN = column("customers", "ssn")
COLUMNS = (
    CopyColumn("id", CUSTOMERS, 1, 23),
    CopyColumn("ssn", CUSTOMERS, 2, TEXT),
    CopyColumn("sum", 0, 0, TEXT),
)
OUT = Copy(CopyDirection.OUT, columns=COLUMNS)


def plan(
    copy: Copy, at: Reach, rungs: dict[Resource, Rung] | None = None, labels: Labels = LABELS
) -> CopyPlan:
    return build_copy_plan(copy, at, MaskObligation(rungs or {}), SNAPSHOT, labels, KEY)


def ops(*args: object) -> list[str]:
    return [mask.op.value for mask in plan(*args).columns or ()]  # type: ignore[arg-type]


def test_each_column_has_its_mask() -> None:
    assert ops(OUT, reach(SSN), {SSN: Rung.PARTIAL}) == ["pass", "keep_last", "pass"]
    assert ops(OUT, reach(SSN, is_derived=True), {SSN: Rung.TOKEN}) == ["pass", "hash", "cover"]


def test_the_options_are_those_of_the_copy() -> None:
    csv = replace(
        OUT, format=CopyFormat.CSV, delimiter=b";", null=b"", quote=b"'", escape=b"\\", has_header=True
    )
    made = plan(csv, reach(SSN))
    assert (made.format, made.delimiter, made.null, made.quote, made.escape, made.header) == (
        CopyFormat.CSV, b";", b"", b"'", b"\\", True,
    )  # fmt: skip


def test_binary_masks_are_binary() -> None:
    extra = column("customers", "extra")
    binary = Copy(CopyDirection.OUT, CopyFormat.BINARY, (CopyColumn("extra", CUSTOMERS, 6, 3802),))
    (mask,) = plan(binary, reach(extra)).columns or ()
    assert mask.text == b'\x01"<&>"'


def test_what_needs_no_mask_is_not_read() -> None:
    assert ops(OUT, reach(SSN), {}, NO_LABELS) == ["pass", "cover", "pass"]
    assert plan(OUT, Reach(), labels=NO_LABELS) is COPY_PASS_ALL
    assert plan(OUT, reach(SSN), {SSN: Rung.RAW}) is COPY_PASS_ALL
    assert plan(replace(OUT, direction=CopyDirection.IN), reach(SSN)) is COPY_PASS_ALL


def test_columns_that_are_not_known_pass_only_where_everything_may() -> None:
    unknown = replace(OUT, columns=None)
    assert plan(unknown, Reach()) is COPY_PASS_ALL
    assert plan(unknown, reach(SSN, is_unknown=True), {SSN: Rung.RAW}) is COPY_PASS_ALL
    for at in (reach(SSN), Reach(is_unknown=True)):
        with pytest.raises(MaskImpossible, match="not known"):
            plan(unknown, at)


def test_another_encoding_cannot_be_masked_as_text() -> None:
    other = replace(OUT, encoding_is_utf8=False)
    with pytest.raises(MaskImpossible, match="UTF-8"):
        plan(other, reach(SSN))
    assert plan(replace(other, format=CopyFormat.BINARY), reach(SSN)).columns
    assert plan(other, reach(SSN), {SSN: Rung.RAW}) is COPY_PASS_ALL


@pytest.mark.parametrize("options", [{"delimiter": b"a"}, {"null": b"\t"}, {"delimiter": b"\xff"}])
def test_options_that_cannot_be_read_back_are_refused(options: dict[str, bytes]) -> None:
    with pytest.raises(MaskImpossible, match="these options"):
        plan(replace(OUT, **options), reach(SSN))  # type: ignore[arg-type]
