"""`narrows demo --once` tells the whole story with a real PostgreSQL and real psql, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.servers import processes
from tests.servers.gateway import NARROWS


@pytest.mark.server
@pytest.mark.slow
def test_the_demo_ends_by_itself_with_0() -> None:
    before = set(Path(tempfile.gettempdir()).glob("narrows-demo-*"))
    done = subprocess.run(
        [NARROWS, "demo", "--once", "--port", str(processes.free_port())],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("*******1120", "078-05-1120", "payroll-is-finance-only", "no-drop-database", "ROLLBACK"):
        assert said in done.stdout
    assert "The journal is intact" in done.stdout
    assert set(Path(tempfile.gettempdir()).glob("narrows-demo-*")) == before


@pytest.mark.server
@pytest.mark.slow
def test_it_stays_up_until_it_is_told_to_stop() -> None:
    port = processes.free_port()
    demo = subprocess.Popen(
        [NARROWS, "demo", "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert demo.stdout is not None
    try:
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C"):
                break
        pasted = next(line for line in lines if "user=alice" in line)
        done = subprocess.run(
            [*("bash", "-c", pasted.strip() + ' -X -A -t -c "select name from customers where id = 1"')],
            capture_output=True,
            text=True,
        )
        assert done.stdout.strip() == "Ada Example", done.stderr
    finally:
        demo.terminate()
        assert demo.wait(30) == 0
