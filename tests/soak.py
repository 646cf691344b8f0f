"""`make soak`: pgbench through the gateway in three modes, with the gateway's memory watched.

Fails where a client saw an error, or where the memory at the end is more than a tenth above that after a fifth of
the time (minute 2 of 10).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.servers import gateway, postgres
from tests.servers.gateway import Gateway
from tests.servers.postgres import Database, Postgres

MODES = ("simple", "extended", "prepared")
GROWTH = 0.10
POLICY = '@id("soak")\npermit (principal, action, resource in Connection::"shop");\n'


@dataclass(frozen=True, slots=True)
class Soaked:
    """One mode's figures; sizes in KiB."""

    mode: str
    seconds: int
    transactions: int
    failed: int
    rss_early_kib: int
    rss_end_kib: int
    rss_peak_kib: int
    journal_verified: bool

    @property
    def growth(self) -> float:
        return self.rss_end_kib / self.rss_early_kib - 1

    @property
    def is_ok(self) -> bool:
        return not self.failed and self.growth <= GROWTH and self.journal_verified


def main() -> int:
    """Run; 0 where every mode held."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--script", default="tpcb-like", help="one of pgbench's built-in scripts")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results = []
    with postgres.started(15, {"log_statement": "none"}) as server:
        database = _prepare(server)
        for mode in given.modes.split(","):
            soaked = _soak(database, mode, given.clients, int(given.minutes * 60), given.script)
            results.append(soaked)
            print(
                f"{mode}: {soaked.transactions} transactions, {soaked.failed} failed, RSS"
                f" {soaked.rss_early_kib} -> {soaked.rss_end_kib} KiB ({soaked.growth:+.1%}),"
                f" journal {'verifies' if soaked.journal_verified else 'BROKEN'}:"
                f" {'ok' if soaked.is_ok else 'FAILED'}",
                flush=True,
            )
    if given.json:
        given.json.write_text(json.dumps([asdict(soaked) for soaked in results], indent=2))
    return 0 if all(soaked.is_ok for soaked in results) else 1


def _prepare(server: Postgres) -> Database:
    database = server.create_database("soak")
    database.run("grant all on schema public to public")
    app = server.login("shop_app")
    subprocess.run(
        [server.programs.path("pgbench"), "-i", "-s", "10", "-q"],
        env=server.environment("soak", app),
        check=True,
        capture_output=True,
    )
    return database


def _soak(database: Database, mode: str, clients: int, seconds: int, script: str) -> Soaked:
    with gateway.started(database, files={"policies/soak.cedar": POLICY}) as gw:
        program = database.server.programs.path("pgbench")
        load = subprocess.Popen(
            [program, "-n", "-b", script, "-M", mode, "-c", str(clients), "-j", "2", "-T", str(seconds)],
            env=gw.environ("alice"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        sizes = _watch(gw, load, seconds)
        out, errors = load.communicate()
        verified = "intact" in gw.narrows("journal", "verify", str(gw.directory), is_ok=False)
    failed = _number(out, "number of failed transactions") + (load.returncode != 0)
    if errors.strip():
        sys.stderr.write(errors[-2000:])
    transactions = _number(out, "number of transactions actually processed")
    early, end = sizes[len(sizes) // 5], sizes[-1]
    return Soaked(mode, seconds, transactions, failed, early, end, max(sizes), verified)


def _watch(gw: Gateway, load: subprocess.Popen[str], seconds: int) -> list[int]:
    """RSS every twentieth of the time, while the load runs."""
    sizes: list[int] = []
    step_s, started = seconds / 20, time.monotonic()
    while load.poll() is None and len(sizes) < 20:
        due = started + step_s * (len(sizes) + 1) - 0.5
        time.sleep(max(0.0, min(due - time.monotonic(), step_s)))
        sizes.append(_rss_kib(gw.pid))
    return sizes


def _rss_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def _number(out: str, name: str) -> int:
    line = next((line for line in out.splitlines() if line.startswith(name)), "")
    digits = line.partition(":")[2].split("/")[0].split("(")[0].strip()
    return int(digits) if digits.isdigit() else 0


if __name__ == "__main__":
    sys.exit(main())
