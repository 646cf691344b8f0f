"""dbt builds a project twice, with seeds, snapshots, tests and every materialization that PostgreSQL has."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from tests.everyday.world import Done, Door, World

PROJECT = Path(__file__).with_name("projects") / "dbt"
CHANGES = """\
update orders set status = 'paid', amount = amount + 1 where id in (5, 8, 110, 119);
insert into orders values (121, 3, 500, 'new', '2024-06-01');
"""
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("build",),
    ("build", "--vars", "{wider: true}"),
    ("run", "--full-refresh"),
    ("run-operation", "tally"),
    ("show", "--select", "ranked", "--limit", "3"),
    ("docs", "generate"),
)


def test_a_project_is_built_twice(world15: World, tools: Path, tmp_path: Path) -> None:
    places = {door.name: tmp_path / door.name for door in world15.doors}
    for place in places.values():
        shutil.copytree(PROJECT, place)
    for command in COMMANDS:
        done = world15.same(
            lambda door, command=command: _dbt(tools, door, places[door.name], *command),  # type: ignore[misc]
            lambda text: _settled(text, tmp_path),
        )
        assert done.returncode == 0, done.stdout
        if command == ("build",):
            world15.same(lambda door: door.psql(CHANGES))
    through, direct = (_catalog(places[door.name]) for door in world15.doors)
    assert through == direct
    world15.assert_same_is_left("--exclude-table-data=analytics.orders_history")
    history = (
        "select id, status, amount, dbt_valid_to is null from analytics.orders_history"
        " order by id, dbt_valid_from"
    )
    through_rows, direct_rows = (door.database.query(history) for door in world15.doors)
    assert through_rows == direct_rows
    assert len(direct_rows) == 22


def _dbt(tools: Path, door: Door, place: Path, *arguments: str) -> Done:
    command = [str(tools / "dbt"), "--no-use-colors", *arguments, "--profiles-dir", "."]
    return door.run(command, extra={"DO_NOT_TRACK": "1"}, cwd=place)


_UNSETTLED = r"^\d\d:\d\d:\d\d +|in \d+\.\d+ ?s.*$|\d+ of \d+|\d+ hours.*$|\[.*$"


def _settled(text: str, place: Path) -> str:
    """Without times, counters and places, in one order: two threads finish as they like."""
    for name in ("through", "direct"):
        text = text.replace(str(place / name), "")
    return "\n".join(sorted(re.sub(_UNSETTLED, "", text, flags=re.MULTILINE).splitlines()))


def _catalog(place: Path) -> Any:
    written = json.loads((place / "target" / "catalog.json").read_text())
    return written["nodes"] | written["sources"]
