"""pgjdbc: all that DBeaver, Metabase and the like ask of a driver about a database, and a program's usual work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.everyday.world import Done, Door, World

PROGRAM = Path(__file__).with_name("projects") / "jdbc" / "Metadata.java"
MODES: dict[str, tuple[str, ...]] = {
    "extended": (),
    "simple": ("preferQueryMode=simple",),
    "named and binary": ("prepareThreshold=1", "binaryTransfer=true", "defaultRowFetchSize=5"),
}


@pytest.mark.parametrize("mode", MODES)
def test_metadata_and_work(world: World, pgjdbc: Path, mode: str) -> None:
    def run(door: Door) -> Done:
        return door.run(["java", "-Xshare:auto", "-cp", str(pgjdbc), str(PROGRAM), *MODES[mode]])

    through, direct = (run(door) for door in world.doors)
    assert (direct.stderr, direct.returncode) == ("", 0)
    ours, theirs = (_calls(done.stdout) for done in (through, direct))
    assert len(theirs) > 90
    assert {call: (ours.get(call), said) for call, said in theirs.items() if ours.get(call) != said} == {}
    assert through.stderr == ""
    world.assert_same_is_left()


def _calls(text: str) -> dict[str, str]:
    """Call -> what it answered."""
    parts = re.split(r"^== (.*)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))
