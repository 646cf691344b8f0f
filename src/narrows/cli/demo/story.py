"""The scenes, each a real command with its real output, and the lines to paste afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from narrows.cli import output
from narrows.cli.demo import target as targets
from narrows.cli.errors import CliError

PEOPLE = {
    "alice": "a support engineer",
    "reports": "a service",
    "frank": "of the fraud team",
    "fiona": "of finance",
}
CUSTOMERS = "SELECT name, email, ssn, card FROM customers ORDER BY id LIMIT 3"


@dataclass
class Stage:
    """A running gateway over the demo's shop."""

    directory: Path
    port: int
    psql: str
    tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def config(self) -> Path:
        return self.directory / "gateway"

    def narrows(self, *words: str, given: str = "") -> str:
        """A command of ours as the operator; CliError where it fails."""
        done = subprocess.run([*_narrows(), *words], input=given, capture_output=True, text=True)
        if done.returncode != 0:
            raise CliError(f"narrows {' '.join(words)} failed.", "", details=(done.stderr or done.stdout,))
        return done.stdout

    def line(self, who: str) -> str:
        """What to paste to be that person."""
        ca = self.config / "tls" / "ca.crt"
        return (
            f"PGPASSFILE={self.directory / 'passfile'} {self.psql} "
            f'"host=localhost port={self.port} dbname=shop user={who} sslmode=verify-full sslrootcert={ca}"'
        )

    def as_(self, who: str, text: str) -> str:
        """Real psql as that person; its output, errors included."""
        environment = {
            **os.environ,
            "PGHOST": "localhost",
            "PGPORT": str(self.port),
            "PGDATABASE": "shop",
            "PGUSER": who,
            "PGPASSWORD": self.tokens[who],
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self.config / "tls" / "ca.crt"),
        }
        done = subprocess.run(
            [self.psql, "-X", "-P", "pager=off"],
            env=environment,
            input=text + "\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout.rstrip()


def tell(*, once: bool, port: int) -> int:
    """Everything from an empty directory to the lines to paste; 0 when all went as told."""
    psql = _find_psql()
    with _directory() as directory, _interruptible():
        output.say("Starting PostgreSQL with a small shop, and a gateway in front of it ...", style="dim")
        with targets.started(directory) as target, _gateway(directory, target, port, psql) as stage:
            _prepare(stage, target)
            surprises = list(_scenes(stage))
            if surprises:
                raise CliError("The story went otherwise than told.", "", details=tuple(surprises))
            if not once:
                _stay(stage)
    return 0


# -- the scenes


def _scenes(stage: Stage) -> Iterator[str]:
    """Plays every scene; yields what went otherwise than it should."""
    _title("The same SELECT, three rungs: who sees what is policy, and the statement does not change")
    for who, shown in (("alice", "*******1120"), ("reports", "Ada"), ("frank", "078-05-1120")):
        said = _play(stage, who, CUSTOMERS)
        if (shown in said) is (who == "reports"):
            yield f"{who} saw: {said}"

    _title("Payroll is finance's, whatever another policy permits")
    payroll = "SELECT employee_id, salary, iban FROM payroll LIMIT 2"
    if "payroll-is-finance-only" not in (said := _play(stage, "alice", payroll)):
        yield f"alice got payroll: {said}"
    if "(2 rows)" not in (said := _play(stage, "fiona", payroll)):
        yield f"fiona did not get payroll: {said}"

    _title("What nobody does through this gateway; a script goes on in an aborted transaction, as ever")
    if "no-drop-database" not in (said := _play(stage, "frank", "DROP DATABASE shop")):
        yield f"DROP DATABASE was not refused: {said}"
    script = (
        "BEGIN;\nUPDATE tickets SET state = 'closed' WHERE id = 1;\nUPDATE tickets SET body = '';\nCOMMIT;"
    )
    if "ROLLBACK" not in (said := _play(stage, "alice", script)):
        yield f"the script committed: {said}"

    _title("An alias, an expression or a view does not lift a mask; an export is an action of its own")
    said = _play(stage, "alice", "SELECT id, upper(ssn) AS harmless FROM customers ORDER BY id LIMIT 2")
    if "078-05" in said or "(2 rows)" not in said:
        yield f"a value got out: {said}"
    if "NW001" not in (said := _play(stage, "alice", "COPY customers TO STDOUT WITH CSV")):
        yield f"alice exported customers: {said}"

    _title("Everything is in the journal, allowed or not, written before it was forwarded; and it verifies")
    time.sleep(1.0)  # search follows the files within a second
    _run(stage, "journal", "list", "--limit", "8", "--config", str(stage.config))
    _run(stage, "journal", "verify", str(stage.config))


def _play(stage: Stage, who: str, text: str) -> str:
    shown = text.replace("\n", "\n      ")
    output.say(f"{who} ({PEOPLE[who]})> {shown}", style="strong")
    said = stage.as_(who, text)
    output.say(said + "\n")
    return said


def _run(stage: Stage, *words: str) -> None:
    output.say(f"$ narrows {' '.join(words)}", style="strong")
    if output.is_terminal():
        sys.stdout.flush()
        subprocess.run([*_narrows(), *words], check=False)
        output.say()
    else:
        output.say(stage.narrows(*words))


def _title(text: str) -> None:
    output.say(f"-- {text}", style="good")


def _stay(stage: Stage) -> None:
    """Print the lines to paste, and wait to be told to stop."""
    output.say("It stays up. Paste any of these in another terminal:", style="good")
    for who, what in PEOPLE.items():
        output.say(f"  # {who}, {what}")
        output.say(f"  {stage.line(who)}")
    for words in ("journal list", "sessions list", "doctor", "policy explain --help"):
        config = "" if words.startswith("policy") else f" --config {stage.config}"
        output.say(f"  {' '.join(_narrows())} {words}{config}")
    output.say(f"The policies are in {stage.config / 'policies'}. Change one, then:")
    output.say(f"  {' '.join(_narrows())} reload --config {stage.config}")
    output.say("Ctrl-C ends it and removes everything.", style="dim")
    sys.stdout.flush()
    threading.Event().wait()


# -- setting the stage


@contextlib.contextmanager
def _gateway(directory: Path, target: targets.Target, port: int, psql: str) -> Iterator[Stage]:
    stage = Stage(directory, port, psql)
    subprocess.run([*_narrows(), "init", str(stage.config)], check=True, capture_output=True)
    _configure(stage.config / "narrows.yaml", target, port)
    log = directory / "gateway.log"
    with log.open("wb") as sink:
        serving = subprocess.Popen(
            [*_narrows(), "serve", "--config", str(stage.config)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(serving, stage.config / "state" / "control.sock", log)
        yield stage
    finally:
        serving.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            serving.wait(10)
        if serving.poll() is None:
            serving.kill()
            serving.wait()


def _configure(path: Path, target: targets.Target, port: int) -> None:
    """The starting directory's `shop` is this server; it is on this machine and has no TLS."""
    root = yaml.safe_load(path.read_text())
    root["settings"]["postgres_listen"] = f"127.0.0.1:{port}"
    root["settings"]["control_listen"] = f"127.0.0.1:{targets.free_port()}"
    root["settings"].update(drain_timeout_s="2s", journal_checkpoint_s="1s")
    root["connections"]["shop"].update(host="127.0.0.1", port=target.port, tls={"mode": "disable"})
    path.write_text(yaml.safe_dump(root, sort_keys=False))


def _wait(serving: subprocess.Popen[bytes], control: Path, log: Path) -> None:
    deadline = time.monotonic() + targets.START_LIMIT_S
    while not control.exists():
        if serving.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-2000:]
            raise CliError(
                "The demo's gateway did not start.", "Is the port taken? Try --port.", details=(said,)
            )
        time.sleep(0.02)


def _prepare(stage: Stage, target: targets.Target) -> None:
    """The target's credential goes in, a token for each person comes out."""
    at = ("--config", str(stage.config))
    stage.narrows("credentials", "set", "shop", "--connection", "shop", *at, given=target.password + "\n")
    for who in PEOPLE:
        stage.tokens[who] = json.loads(stage.narrows("tokens", "create", who, "--json", *at))["secret"]
    passfile = stage.directory / "passfile"
    passfile.touch(mode=0o600)
    passfile.write_text(
        "".join(f"localhost:{stage.port}:*:{who}:{token}\n" for who, token in stage.tokens.items())
    )


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    """A directory that the server's user can enter, removed at the end."""
    directory = Path(tempfile.mkdtemp(prefix="narrows-demo-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the demo in order."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        output.say("\nstopping ...", style="dim")
    finally:
        signal.signal(signal.SIGTERM, before)


def _narrows() -> list[str]:
    """The command that runs as this one does."""
    beside = Path(sys.executable).with_name("narrows")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "narrows.cli"]


def _find_psql() -> str:
    found = os.environ.get("PSQL") or shutil.which("psql")
    if not found:
        raise CliError(
            "The demo drives real psql, and none was found.",
            "Install it (Debian: apt-get install postgresql-client), or set PSQL to one.",
        )
    return found
