"""What is counted as a statement, and what of an answer is looked at."""

from __future__ import annotations

import struct

from tests.leaks.attacker.asking import Answer, Say
from tests.leaks.attacker.conditions import Written
from tests.leaks.attacker.phrasing import fill, marks, views
from tests.leaks.client import Message


def row(*cells: str | None) -> Message:
    packed = b"".join(
        struct.pack(">i", -1) if cell is None else struct.pack(">i", len(cell)) + cell.encode()
        for cell in cells
    )
    return "D", struct.pack(">h", len(cells)) + packed


def answer(*replies: list[Message]) -> Answer:
    return Answer(tuple(map(tuple, replies)), (0.0,) * len(replies))


def test_each_statement_of_a_text_counts() -> None:
    assert Say("SELECT 1").statements == 1
    assert Say("BEGIN; SELECT 1; COMMIT;").statements == 3


def test_the_shape_holds_nulls_tags_and_codes() -> None:
    one = answer([row("a", None), ("C", b"SELECT 1\0")])
    assert one.shape == answer([row("b", None), ("C", b"SELECT 1\0")]).shape
    assert one.shape != answer([row("a", "b"), ("C", b"SELECT 1\0")]).shape
    assert one.shape != answer([row("a", None), ("C", b"SELECT 2\0")]).shape
    assert answer([("E", b"C22012\0Mx\0\0")]).shape != answer([("E", b"C22P02\0Mx\0\0")]).shape


def test_of_an_error_all_is_seen_but_the_line_of_the_server() -> None:
    assert answer([("E", b"C22012\0Mx\0L1\0\0")]).whole == answer([("E", b"C22012\0Mx\0L2\0\0")]).whole
    assert answer([("E", b"C22012\0Mx\0\0")]).whole != answer([("E", b"C22012\0My\0\0")]).whole


def test_plans_are_read_for_rows_that_came() -> None:
    plan = answer([row("Seq Scan (actual rows=3 loops=1)"), row("  Filter: (id = 7)"), row("never executed")])
    assert plan.numbers == ("actual rows=3 loops=1", "never executed")


def test_every_reply_is_also_looked_at_by_itself() -> None:
    one, other = answer([row("x")], [row("same")]), answer([row("y")], [row("same")])
    assert [view(one) == view(other) for view in views(2)] == [False, True, True, False, True, True, True]


def test_rows_come_from_the_last_statement_that_gave_any() -> None:
    assert answer([row("a")], [row("b")], [("C", b"ROLLBACK\0")]).rows == [("b",)]


def test_what_stands_beside_an_id_is_its_mark() -> None:
    found = marks(answer([row("7", "t"), row("8", "f"), row("8", "f"), row("none", "x")]))
    assert found == {7: (1, ("t",)), 8: (2, ("f",))}


def test_a_question_is_filled_in_with_a_number_of_its_own() -> None:
    one, other = (fill(("<row> <cond> <digit> <n>",), 7, Written("x < 1"), "d")[0].text for _ in range(2))
    assert one.startswith("7 x < 1 d ")
    assert one != other


def test_parameters_go_only_where_they_are_named() -> None:
    says = fill(("BEGIN", Say("SELECT $1")), 7, Written("", ("a",)))
    assert [say.parameters for say in says] == [(), ("a",)]
