"""The comparison of two runs is right, the page says what was found, and a real run works."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers import __main__ as command
from tests.drivers import compare, fetch, outcome, report
from tests.drivers.compare import Pattern, Reason
from tests.drivers.outcome import Kind, Outcome
from tests.drivers.report import Result
from tests.drivers.run import Ran
from tests.drivers.suites import ASYNCPG, PSYCOPG, SUITES
from tests.servers.fetch import PROJECT, FetchError

PAGE = PROJECT / "docs" / "compatibility.md"
PASSED = Outcome(Kind.PASSED)
REFUSED = Outcome(Kind.FAILED, "asyncpg.Error: no\nDETAIL:  code: NW015")
OTHER = Outcome(Kind.FAILED, "Timeout")
PATTERN = Pattern("asyncpg", "t/a.py::C::*", "NW015", frozenset(), is_certain=True)
REASON = Reason("several", "Several", "Because.", True, (PATTERN,))


def _ran(**through: Outcome) -> Ran:
    return Ran(
        {f"t/a.py::C::{name}": PASSED for name in through}, {f"t/a.py::C::{n}": o for n, o in through.items()}
    )


def test_a_listed_difference_is_explained() -> None:
    judged = compare.judge(_ran(one=REFUSED, two=PASSED), [REASON], "asyncpg", 15)
    assert [each.test for each in judged.explained["several"]] == ["t/a.py::C::one"]
    assert judged.is_as_expected


def test_a_listed_test_that_fails_for_another_reason_is_not_explained() -> None:
    judged = compare.judge(_ran(one=REFUSED, two=OTHER), [REASON], "asyncpg", 15)
    assert [each.test for each in judged.unexplained] == ["t/a.py::C::two"]
    assert not judged.is_as_expected


@pytest.mark.parametrize("through", [Outcome(Kind.SKIPPED), None], ids=["skipped", "not run"])
def test_a_test_that_is_not_run_through_narrows_differs(through: Outcome | None) -> None:
    ran = Ran({"t/a.py::one": PASSED}, {} if through is None else {"t/a.py::one": through})
    assert [each.through.kind for each in compare.judge(ran, [], "asyncpg", 15).unexplained] == [
        Kind.ABSENT if through is None else Kind.SKIPPED
    ]


def test_what_no_longer_occurs_is_gone() -> None:
    assert compare.judge(_ran(one=PASSED), [REASON], "asyncpg", 15).gone == [PATTERN]
    for other in (replace(PATTERN, is_certain=False), replace(PATTERN, servers=frozenset({18}))):
        assert not compare.judge(_ran(one=PASSED), [replace(REASON, patterns=(other,))], "asyncpg", 15).gone
    assert not compare.judge(_ran(one=PASSED), [REASON], "asyncpg", 15, is_whole=False).gone
    assert not compare.judge(_ran(one=PASSED), [REASON], "psycopg", 15).gone


def test_only_what_is_not_listed_is_run_again() -> None:
    assert compare.suspect(_ran(one=REFUSED), [REASON], "asyncpg", 15) == []
    assert compare.suspect(_ran(one=REFUSED, two=OTHER), [REASON], "asyncpg", 15) == ["t/a.py::C::two"]


def test_outcomes_are_read_as_pytest_names_them(tmp_path: Path) -> None:
    """The worst of several outcomes counts; the server's version is no part of a name."""
    path = tmp_path / "found.xml"
    path.write_text(
        '<testsuites><testsuite><testcase classname="t.a.C_postgresql+psycopg_15_18" name="one[x]" file="t/a.py"/>'
        '<testcase classname="t.a" name="two" file="t/a.py"><skipped message="no"/></testcase>'
        '<testcase classname="t.a" name="two" file="t/a.py"><error message="end">trace</error></testcase>'
        "</testsuite></testsuites>"
    )
    found = outcome.read(path)
    assert {name: each.kind for name, each in found.items()} == {
        "t/a.py::C_postgresql+psycopg::one[x]": Kind.PASSED,
        "t/a.py::two": Kind.FAILED,
    }
    assert "trace" in found["t/a.py::two"].message


def test_the_page_takes_new_figures_and_keeps_the_others(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text())
    for version, through in ((18, REFUSED), (15, OTHER), (15, REFUSED)):
        judged = compare.judge(_ran(one=through, two=PASSED), [REASON], "asyncpg", version)
        report.write_page([Result("asyncpg", version, judged, 61)], [REASON], page)
    lines = [
        line for line in report.marked(page.read_text(), "figures").splitlines() if ASYNCPG.title in line
    ]
    assert f"| {ASYNCPG.title} | 15 | 2 | 2 | 1 | 0 | 1 | 0 | 1 min |" in lines
    assert f"| {ASYNCPG.title} | 18 | 2 | 2 | 1 | 0 | 1 | 0 | 1 min |" in lines


def test_the_page_says_every_reason() -> None:
    """As `expected.yaml` has them: `make drivers ARGS="--markdown docs/compatibility.md"` writes them."""
    reasons = compare.load()
    assert report.marked(PAGE.read_text(), "reasons") == report.reasons_text(reasons)
    assert {pattern.suite for reason in reasons for pattern in reason.patterns} <= set(SUITES)


def test_an_archive_with_another_hash_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path)
    (tmp_path / PSYCOPG.archive.file).write_bytes(b"something else")
    with pytest.raises(FetchError, match="has the hash"):
        fetch.tree(PSYCOPG, lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == [PSYCOPG.archive.file]


def test_a_tree_of_something_else_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "cache", lambda: tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    (tmp_path / "tree").mkdir()
    with pytest.raises(FetchError, match="holds no tests"):
        fetch.tree(PSYCOPG, lambda _: None, tmp_path / "tree")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.server
def test_some_tests_of_asyncpg_pass_both_ways(tmp_path: Path) -> None:
    if not fetch.is_here(ASYNCPG):
        pytest.skip("asyncpg's suite was not brought yet: make drivers brings it")
    figures = tmp_path / "figures.json"
    chosen = "TestTransaction or test_prepare_05_unknownoid or test_composites_in_arrays"
    assert command.main(["--suite", "asyncpg", "--only", chosen, "--json", str(figures)]) == 0
    found = json.loads(figures.read_text())["asyncpg@15"]
    assert found["direct"].keys() == {"passed"}
    assert found["explained"] == {
        "several-statements": ["tests/test_codecs.py::TestCodecs::test_composites_in_arrays"]
    }
