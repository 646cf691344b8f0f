"""Alembic migrates a schema of a dozen revisions forwards and backwards, and finds nothing left to do."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.everyday.world import Done, Door, World

PROJECT = Path(__file__).with_name("projects") / "alembic"

COMMANDS = (
    ("upgrade", "head"),
    ("current",),
    ("check",),
    ("downgrade", "05"),
    ("upgrade", "+2"),
    ("upgrade", "head"),
    ("history",),
    ("downgrade", "base"),
    ("upgrade", "head"),
)


def test_migrations(world: World) -> None:
    for command in COMMANDS:
        done = world.same(lambda door, command=command: _alembic(door, *command))  # type: ignore[misc]
        assert done.returncode == 0, done.stderr
    world.assert_same_is_left()


def test_autogenerate_writes_the_same_revision(world: World, tmp_path: Path) -> None:
    """Nothing is there yet: what it finds is everything that tables.py says."""
    world.same(lambda door: _alembic(door, "downgrade", "base"))
    empty = "drop table public.alembic_version;"
    world.same(lambda door: door.psql(empty, version=world.version))
    texts = []
    for door in world.doors:
        script = tmp_path / door.name
        (script / "versions").mkdir(parents=True)
        for file in ("env.py", "script.py.mako", "tables.py"):
            (script / file).write_text((PROJECT / file).read_text())
        (script / "alembic.ini").write_text((PROJECT / "alembic.ini").read_text())
        done = _alembic(door, "revision", "--autogenerate", "--rev-id", "one", "-m", "all", project=script)
        assert done.returncode == 0, done.stderr
        texts.append((script / "versions" / "one_all.py").read_text())
    assert texts[0] == texts[1]
    assert texts[0].count("op.create_table(") == 3


def _alembic(door: Door, *arguments: str, project: Path = PROJECT) -> Done:
    command = [sys.executable, "-m", "alembic", "-c", str(project / "alembic.ini"), *arguments]
    return door.run(command, extra={"PYTHONDONTWRITEBYTECODE": "1"}, cwd=project)
