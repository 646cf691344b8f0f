"""Behind a `*` that is not known column by column, no position means anything."""

from __future__ import annotations

import pytest

from tests.inspect.sql.sample import analyse

SHIFTED = (
    "select c.id, g.*, c.ssn, c.phone from customers c, generate_series(1, 1) g",
    "select c.id, t.*, c.ssn, c.phone from customers c, no_such_table t",
)


@pytest.mark.parametrize("inner", SHIFTED)
@pytest.mark.parametrize(
    "outer",
    [
        "select upper(c) from ({}) x(a, b, c, d)",
        "with x(a, b, c, d) as ({}) select a, upper(c) from x",
        "select upper(y) from (select * from ({}) x(a, b, c, d)) z(w, x, y)",
        "select upper(phone) from ({}) x(a)",
    ],
)
def test_a_renamed_column_may_be_any(outer: str, inner: str) -> None:
    analysis = analyse(outer.format(inner))
    assert analysis.reach.is_derived


def test_what_is_known_column_by_column_stays_direct() -> None:
    analysis = analyse("select b from customers as c(a, b) where a = 1")
    assert analysis.refusal is None
    assert not analysis.reach.is_derived


def test_a_write_by_position_behind_an_open_star_is_refused() -> None:
    text = "insert into orders (id, status, created) select c.id, g.*, c.ssn from customers c, generate_series(1, 1) g"
    assert analyse(text).refusal is not None
