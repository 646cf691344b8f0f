"""The harness itself: it finds what is hidden, in whatever form, and is not fooled by a dead or refusing gateway."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import pytest

from tests.leaks import needles, report, twins
from tests.leaks.cases import Case, Effect, Place, load, select
from tests.leaks.client import Message, encode
from tests.leaks.judge import Fault, Judged, Policy, Ran, Runs, judge
from tests.leaks.run import Reply

SSN = "529-47-8163"


def row(*cells: bytes | None) -> Message:
    body = b"".join(
        struct.pack(">i", -1) if cell is None else struct.pack(">i", len(cell)) + cell for cell in cells
    )
    return "D", struct.pack(">h", len(cells)) + body


def columns(*attnums: int) -> Message:
    each = b"".join(b"c\0" + struct.pack(">IhIhih", 7, n, 25, -1, -1, 0) for n in attnums)
    return "T", struct.pack(">h", len(attnums)) + each


def done(rows: int = 1) -> list[Message]:
    return [("C", f"SELECT {rows}\0".encode()), ("Z", b"I")]


def error(text: str = "no") -> list[Message]:
    return [("E", f"SERROR\0CNW001\0M{text}\0\0".encode()), ("Z", b"I")]


def answer(*values: bytes | None) -> list[Message]:
    return [columns(1), *(row(value) for value in values), *done(len(values))]


def case(gateway: str = "mask", **more: object) -> Case:
    given: dict[str, object] = {"steps": ({"query": "select ssn"},), "literals": (SSN,), **more}
    return Case("c-1", "alias", gateway, **given)  # type: ignore[arg-type]


def runs(
    through: Callable[[str, Policy], Sequence[Message]],
    direct: Callable[[str], Sequence[Message]] = lambda twin: answer(SSN.encode()),
    has_effect: bool = False,
) -> Runs:
    def ran(messages: Sequence[Message]) -> Ran:
        return Ran(Reply({"a": list(messages)}), "leak_000001", has_effect)

    return Runs(lambda twin, policy: ran(through(twin, policy)), lambda twin: ran(direct(twin)))


def faults(given: Case, of: Runs) -> set[Fault]:
    return set(judge(given, of).faults)


def test_a_masked_answer_is_no_fault() -> None:
    assert faults(case(), runs(lambda twin, policy: answer(b"***"))) == set()


@pytest.mark.parametrize(
    ("literal", "messages"),
    [
        (SSN, [("E", b"SERROR\0Minvalid input: 529-47-8163\0\0")]),
        (SSN, [("N", b"Mx\0D529-47-8163\0\0")]),
        (SSN, [("S", b"my.x\0" + b"529-47-8163\0")]),
        (SSN, [("A", b"\0\0\0\1ch\x00529-47-8163\0")]),
        (SSN, [("d", b"529-47-"), ("d", b"8163\n")]),
        (f"joined:{SSN}", [row(letter.encode()) for letter in SSN]),
        ("hex:1f8f3213", [row(bytes.fromhex("1f8f3213"))]),
        ("pgnum:187250.00", [row(struct.pack(">hhhhhh", 2, 1, 0, 2, 18, 7250))]),
        (r"re:\d{3}-\d\d-\d{4}", [("E", b"M529-47-8163\0\0")]),
    ],
    ids=["error", "notice", "parameter", "notification", "copy", "joined", "hex", "pgnum", "re"],
)
def test_a_value_is_found_wherever_it_comes(literal: str, messages: list[Message]) -> None:
    assert needles.found([literal], needles.haystack(messages)) == [literal]
    assert faults(case(literals=(literal,)), runs(lambda twin, policy: [*messages, *done()])) >= {Fault.LEAK}
    assert needles.found([literal], needles.haystack(answer(b"***"))) == []


def test_a_value_in_a_disguise_is_found_by_the_twin() -> None:
    disguised = {"a": b"md5-of-one", "b": b"md5-of-other"}
    assert faults(case(), runs(lambda twin, policy: answer(disguised[twin]))) == {Fault.LEAK}


def test_the_number_of_rows_is_a_difference_under_strict() -> None:
    given = case("policy", literals=(), strict="block", default="allow")
    counts = {"a": [b"1"], "b": [b"1", b"2"]}
    assert faults(given, runs(lambda twin, policy: answer(*counts[twin]))) == {Fault.LEAK}
    refusing = runs(lambda twin, policy: error() if policy is Policy.STRICT else answer(*counts[twin]))
    assert faults(given, refusing) == set()


def test_which_rows_come_is_explained_only_where_strict_refuses_them() -> None:
    counts = {"a": [b"***"], "b": [b"***", b"***"]}
    refusing = runs(lambda twin, policy: error() if policy is Policy.STRICT else answer(*counts[twin]))
    passing = runs(lambda twin, policy: answer(*counts[twin]))
    direct = judge(case(), refusing)
    assert direct.is_ok
    assert direct.explained
    assert faults(case(), passing) == {Fault.LEAK}


def test_noise_and_system_columns_are_no_difference() -> None:
    times = iter(range(1000))
    noisy = runs(lambda twin, policy: [columns(1), row(str(next(times)).encode()), *done()])
    assert faults(case("block"), noisy) == set()
    system = {"a": b"700", "b": b"900"}
    stored = runs(lambda twin, policy: [columns(-3), row(system[twin]), *done()])
    assert faults(case("mask-or-block"), stored) == set()


def test_a_value_that_no_two_runs_repeat_is_not_masked() -> None:
    times = iter(range(1000))
    given = case(literals=())
    assert faults(given, runs(lambda twin, policy: answer(str(next(times)).encode()))) == {Fault.LEAK}


def test_an_effect_is_seen_and_an_unobservable_one_needs_a_refusal() -> None:
    dropped = case("block", literals=(), effect=Effect("select to_regclass('victim')", "gone"))
    assert faults(dropped, runs(lambda twin, policy: error(), has_effect=True)) == {Fault.EFFECT}
    assert faults(dropped, runs(lambda twin, policy: error())) == set()
    locked = case("block", literals=(), effect=Effect("SELECT 1", "1"))
    assert faults(locked, runs(lambda twin, policy: done())) == {Fault.EFFECT}
    assert faults(locked, runs(lambda twin, policy: error())) == set()


@pytest.mark.parametrize(("gateway", "fault"), [("allow", Fault.FALSE_REFUSAL), ("mask", Fault.OVER_REFUSED)])
def test_a_gateway_that_refuses_everything_does_not_pass(gateway: str, fault: Fault) -> None:
    judged = judge(case(gateway), runs(lambda twin, policy: error()))
    assert set(judged.faults) == {fault}
    assert not report.is_passed({"15": [judged]})


@pytest.mark.parametrize("gateway", ["allow", "mask", "block", "mask-or-block", "policy"])
def test_a_dead_gateway_does_not_pass(gateway: str) -> None:
    judged = judge(case(gateway), runs(lambda twin, policy: []))
    assert Fault.UNANSWERED in judged.faults
    assert not report.is_passed({"15": [judged]})


def test_rows_that_are_kept_back_are_over_refused() -> None:
    assert faults(case(), runs(lambda twin, policy: answer())) == {Fault.OVER_REFUSED}


def test_an_answer_that_is_to_be_the_servers_own_must_be_it() -> None:
    harmless = case("allow", literals=())

    def straight(twin: str) -> list[Message]:
        return answer(b"Alice")

    assert faults(harmless, runs(lambda twin, policy: answer(b"Alice"), straight)) == set()
    assert faults(harmless, runs(lambda twin, policy: answer(b"***"), straight)) == {Fault.FALSE_REFUSAL}


def test_names_that_the_harness_chose_are_no_difference() -> None:
    one = twins.flatten([row(b"leak_000001")], "leak_000001")
    other = twins.flatten([row(b"leak_000002")], "leak_000002")
    assert twins.compare(one, other) is None


def test_nothing_at_all_does_not_pass() -> None:
    assert not report.is_passed({})


def test_the_table_counts_each_fault_once() -> None:
    leaking, fine = Judged(case()), Judged(case())
    leaking.blame(Fault.LEAK, "x")
    row_ = report.rows({"15": [leaking, fine]})["alias"]
    assert row_.json() == {
        "cases": 2,
        "leaks": 1,
        "effects": 0,
        "false_refusals": 0,
        "over_refused": 0,
        "failed": ["c-1"],
    }


def test_a_case_is_told_where_it_runs(tmp_path: object) -> None:
    from pathlib import Path

    place = Place("leak_000001", 24001, Path("/tmp/here"))
    text = "port=55432 host=/var/tmp/leak dbname=leak_case"
    assert place.text(text) == "port=24001 host=/tmp/here dbname=leak_000001"
    assert place.step({"parse": ["s", text, []]})["parse"][1].startswith("port=24001")


def test_the_corpus_is_read_whole_and_every_step_can_be_sent() -> None:
    corpus = load()
    assert sum(each.id.startswith("pg-") for each in corpus.cases) == 338
    assert any(each.id.startswith("nw-") for each in corpus.cases)
    assert select(corpus.cases, "pg-alias-01")[0].category == "alias"
    assert {each.category for each in select(corpus.cases, "copy")} == {"copy"}
    conversations = {
        "startup",
        "ssl_request",
        "gssenc_request",
        "pipeline",
        "funcall",
        "copy_in",
        "copy_fail",
        "cancel",
        "admin",
    }
    for each in corpus.cases:
        for step in each.steps:
            assert conversations & set(step) or encode(step)
