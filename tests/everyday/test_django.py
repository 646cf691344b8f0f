"""Django: what it asks at the start, a dozen migrations both ways, and an application's day with its models."""

from __future__ import annotations

from pathlib import Path

from tests.everyday.world import Done, Door, World

PROJECT = Path(__file__).with_name("projects") / "django"

COMMANDS = (
    ("check", "--database", "default"),
    ("inspectdb",),
    ("inspectdb", "--include-views", "--include-partitions", "orders", "customers", "events", "v_orders"),
    ("showmigrations",),
    ("sqlmigrate", "library", "0001"),
    ("migrate", "--check"),
    ("migrate", "--no-color"),
    ("makemigrations", "--check", "--dry-run"),
    ("showmigrations", "--plan"),
    ("inspectdb", "library_book", "library_writer", "library_tag"),
)
AND_BACK = (("migrate", "library", "0004"), ("migrate",), ("migrate", "library", "zero"), ("migrate",))
_TIMES = "--exclude-table-data=django_migrations"


def test_migrations_and_models(world18: World, tools: Path) -> None:
    for command in COMMANDS:
        world18.same(lambda door, command=command: _python(tools, door, "manage.py", *command))  # type: ignore[misc]
    assert world18.same(lambda door: _python(tools, door, "work.py")).returncode == 0
    world18.assert_same_is_left(_TIMES, "--exclude-table-data=auth_user")
    for command in AND_BACK:
        done = world18.same(lambda door, command=command: _python(tools, door, "manage.py", *command))  # type: ignore[misc]
        assert done.returncode == 0, done.stderr
    world18.assert_same_is_left(_TIMES, "--exclude-table-data=auth_user")
    applied = "select app, name from django_migrations order by id"
    through, direct = (door.database.query(applied) for door in world18.doors)
    assert through == direct
    assert len(direct) > 25


def _python(tools: Path, door: Door, *arguments: str) -> Done:
    command = [str(tools / "python"), *arguments]
    return door.run(command, extra={"PYTHONDONTWRITEBYTECODE": "1"}, cwd=PROJECT)
