r"""psql's \d family and pg_dump, 15's and 18's, say the same of a protected database as without the gateway."""

from __future__ import annotations

import re

import pytest

from tests.e2e.test_psql import META
from tests.everyday.world import Done, Door, World, without_keys

SHOP_WORDS = {"open_tickets": "v_codes", "touch_order": "audit_row", "full_label": "get_ssn_atomic"}
"""What META names of the shop -> what the corpus has in its place."""
MORE = r"""
\d *
\d v_orders
\d payroll
\d+ v_nested
\d+ mv_people
\dn
\dt *.*
\dE
\df *
\dT
\dD
\dL
\dX
\l+
\dg+
\dA+
\dAc
\dAf
\dAo
\dAp
\dRs
\dew
\det
\deu
\dFd
\dFp
\dFt
\dl
\do
\dt+ customers
\di+ customers_*
\df+
\dTS int*
\dfS+ upper
\sv v_nested
\sf get_ssn
\encoding
""".strip().splitlines()


def _meta() -> list[str]:
    lines = [*META, *MORE]
    for old, new in SHOP_WORDS.items():
        lines = [line.replace(old, new) for line in lines]
    return list(dict.fromkeys(lines))


@pytest.mark.parametrize("version", [15, 18], ids=["psql15", "psql18"])
def test_meta_commands(world: World, version: int) -> None:
    """Every command of the list for itself, so that a difference says where it is."""
    lines = _meta()
    text = "".join(f"\\echo == {n}\n\\warn == {n}\n{line}\n" for n, line in enumerate(lines))
    through, direct = (door.psql(text, version=version) for door in world.doors)
    assert _differences(lines, through.stdout, direct.stdout) == {}
    assert _differences(lines, through.stderr, direct.stderr) == {}


def _differences(lines: list[str], mine: str, theirs: str) -> dict[str, tuple[str, str]]:
    """Command -> what it printed through the gateway and without it, where these differ."""
    ours, expected = (re.split(r"^== \d+\n", text, flags=re.MULTILINE)[1:] for text in (mine, theirs))
    assert len(expected) == len(lines)
    pairs = zip(lines, ours, expected, strict=True)
    return {line: (found, wanted) for line, found, wanted in pairs if found != wanted}


DUMPS = {
    "the schema": ["--schema-only"],
    "a clean table": ["-t", "orders"],
    "clean tables as INSERTs": ["-t", "scratch", "-t", "audit_log", "-t", "victim", "--column-inserts"],
    "one schema": ["-n", "evil", "--schema-only"],
    "before the data": ["--section=pre-data", "--no-owner", "--no-acl"],
}


@pytest.mark.parametrize("program", [15, 18], ids=["pg_dump15", "pg_dump18"])
@pytest.mark.parametrize("name", DUMPS)
def test_dumps(world: World, name: str, program: int) -> None:
    if program < world.version:
        pytest.skip("pg_dump dumps no server newer than itself")

    def dump(door: Door) -> Done:
        return door.program("pg_dump", *DUMPS[name], version=program)

    done = world.same(dump, without_keys)
    assert done.returncode == 0, done.stderr
    assert "***" not in done.stdout


def test_a_dump_of_a_labelled_table_is_masked(world: World) -> None:
    """Its definition is whole, its clean columns are, and nothing labelled is in it."""
    through, direct = (
        door.program("pg_dump", "-t", "customers", version=world.version) for door in world.doors
    )
    assert through.returncode == 0, through.stderr
    lines = dict(zip(direct.stdout.splitlines(), through.stdout.splitlines(), strict=True))
    changed = {theirs: ours for theirs, ours in lines.items() if theirs != ours and "restrict" not in theirs}
    assert len(changed) == 40
    for theirs, ours in changed.items():
        (id_, name, *values, vip), (our_id, our_name, *masks, our_vip) = theirs.split("\t"), ours.split("\t")
        assert (our_id, our_name, our_vip) == (id_, name, vip)
        assert {mask for value, mask in zip(values, masks, strict=True) if value != r"\N"} <= {"***", r"\N"}


def test_a_dump_is_loaded_again(world: World) -> None:
    """What pg_dump wrote of clean tables goes back in through the gateway, into a schema of its own."""
    dumped = world.same(
        lambda door: door.program(
            "pg_dump", "-t", "orders", "--no-owner", "--no-acl", "--section=pre-data", "--section=data",
            version=world.version,
        ),
        without_keys,
    )  # fmt: skip
    text = re.sub(r"^\\(un)?restrict .*$", "", dumped.stdout, flags=re.MULTILINE)
    text = "create schema again;\n" + text.replace("public.orders", "again.orders")
    loaded = world.same(lambda door: door.psql(text, "-v", "ON_ERROR_STOP=1", version=world.version))
    assert loaded.returncode == 0, loaded.stderr
    world.assert_same_is_left()
