"""What is started for a bench does what the bench takes for granted."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bench import measure, pgbouncer, targets
from bench.__main__ import main
from bench.measure import alternate
from bench.sink import Sink
from bench.targets import Target
from tests.servers.fetch import FetchError

WAYS = [Target(name, 0, "", "") for name in "abc"]


def test_the_order_turns_from_round_to_round() -> None:
    order: list[str] = []
    found = alternate(measure.WHOLE, WAYS, lambda target: order.append(target.name), lambda _: None)
    assert "".join(order) == "abcbcacababcbca"
    assert {name: len(each) for name, each in found.items()} == {"a": 5, "b": 5, "c": 5}


@pytest.mark.parametrize(("case_s", "rounds"), [(35, 3), (30, 3), (29, 2), (20, 2), (19, 1), (0, 1)])
def test_no_round_is_begun_for_which_there_is_no_time(case_s: float, rounds: int) -> None:
    """On a busy machine a quick run is less exact, not longer; one round is made in any case."""
    measured: list[Target] = []  # a third of ten seconds each
    found = alternate(
        replace(measure.QUICK, case_s=case_s),
        WAYS,
        measured.append,
        lambda _: None,
        lambda: len(measured) * 10 / 3,
    )
    assert {name: len(each) for name, each in found.items()} == dict.fromkeys("abc", rounds)


def test_where_pgbouncer_is_missing_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgbouncer, "_find", lambda: None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(FetchError, match="apt-get install --no-install-recommends pgbouncer"):
        pgbouncer.program()


def test_a_run_that_cannot_be_made_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail() -> str:
        raise FetchError("install it")

    monkeypatch.setattr(pgbouncer, "program", fail)
    assert main(["--quick", "--json", str(tmp_path / "out.json")]) == 1
    assert "bench: install it" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


@pytest.mark.server
@pytest.mark.slow
def test_every_way_reaches_the_same_rows_and_only_the_gateway_masks() -> None:
    try:
        pgbouncer.program()
    except FetchError as error:
        pytest.skip(str(error))
    with targets.started() as world:
        measure.check_masks(world)
        sizes = set()
        for target in (*world.plain, *world.tls):
            with Sink(target) as sink:
                drained = sink.query(f"{targets.BULK_SQL} where id <= 1000")
                assert drained.tag == "SELECT 1000", target
                sizes.add(drained.size_bytes)
        assert len(sizes) == 1  # these masks keep the length
        listening = subprocess.run(
            ["ps", "-o", "args=", "-p", str(world.plain[1].pid)], capture_output=True, text=True
        )
        assert "pgbouncer" in listening.stdout
