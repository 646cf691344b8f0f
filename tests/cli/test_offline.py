"""What works without a gateway: init, policies, and the journal's files."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import Result

from narrows.cli.errors import ExitCode
from tests.cli.conftest import Shell


@pytest.fixture
def started(shell: Shell) -> Path:
    shell.ok("init", "gw")
    return Path("gw")


def test_init_writes_a_directory_that_checks_and_passes_its_cases(shell: Shell, started: Path) -> None:
    assert "no fault" in shell.ok("policy", "check", "gw")
    report = shell.json("policy", "test", "gw")
    assert report["failed"] == [] and report["passed"] >= 15


def test_init_keeps_secrets_private_and_never_overwrites(shell: Shell, started: Path) -> None:
    private = [
        path for path in started.rglob("*") if path.suffix in (".key", ".pem") or path.parent.name == "state"
    ]
    assert private
    for path in private:
        assert path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) == 0, path
    before = {path: path.read_bytes() for path in started.rglob("*") if path.is_file()}
    result = shell("init", "gw")
    assert result.exit_code == ExitCode.FAILED and "not empty" in result.stderr
    assert {path: path.read_bytes() for path in started.rglob("*") if path.is_file()} == before


def test_inits_certificate_is_for_the_names_given_and_verifies(shell: Shell) -> None:
    shell.ok("init", "gw", "--host", "db.example.com")
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", "gw/tls/ca.crt", "-verify_hostname", "db.example.com", "gw/tls/server.crt"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "public_host: db.example.com" in Path("gw/narrows.yaml").read_text()
    found = {
        each["name"]: each["state"] for each in json.loads(shell("doctor", "--config", "gw", "--json").stdout)
    }
    assert found == {"configuration": "ok", "files": "ok", "certificate": "ok", "gateway": "fail"}


def test_doctor_objects_to_open_files_and_a_wrong_name(shell: Shell, started: Path) -> None:
    (started / "tls/server.key").chmod(0o644)
    config = started / "narrows.yaml"
    config.write_text(config.read_text().replace("public_host: localhost", "public_host: elsewhere"))
    found = json.loads(shell("doctor", "--config", "gw", "--json").stdout)
    failing = {(each["name"], each["remedy"]) for each in found if each["state"] == "fail"}
    assert ("files", f"run: chmod go-rwx {started.absolute()}/tls/server.key") in failing
    assert ("certificate", "use a certificate with that name") in failing


def test_check_lists_every_fault_with_its_place(shell: Shell, started: Path) -> None:
    (started / "policies/own.cedar").write_text(
        '@id("x")\npermit (principal in Group::"suport", action, resource);'
    )
    (started / "narrows.yaml").write_text((started / "narrows.yaml").read_text() + "\ncolour: red\n")
    result = shell("policy", "check", "gw")
    assert result.exit_code == ExitCode.CONFIG_INVALID
    assert "policies/own.cedar:2" in result.stderr and "'colour' is not known here" in result.stderr
    body = json.loads(shell("policy", "check", "gw", "--json").stderr)["error"]
    assert {fault["file"] for fault in body["faults"]} == {"policies/own.cedar", "narrows.yaml"}


def test_a_failing_case_is_named_with_expected_and_got(shell: Shell, started: Path) -> None:
    policy = started / "policies/payroll.cedar"
    policy.write_text(policy.read_text().replace("unless {", "when { false } unless {"))
    result = shell("policy", "test", "gw")
    assert result.exit_code == ExitCode.VERIFICATION_FAILED
    assert "support cannot read payroll" in result.stdout and "expected deny, got allow" in result.stdout


def test_a_table_of_cases_that_cannot_be_read_has_lines(shell: Shell, started: Path) -> None:
    (started / "policies/own.test.yaml").write_text("cases:\n  - name: x\n    as: User/nobody\n")
    result = shell("policy", "test", "gw")
    assert result.exit_code == ExitCode.CONFIG_INVALID and "policies/own.test.yaml:2" in result.stderr
    (started / "policies/own.test.yaml").write_text("cases: [\n")
    assert "not valid YAML" in shell("policy", "test", "gw").stderr


EXPLAINED = [
    (("--as", "alice", "--action", "select", "--on", "public.payroll"), 1, "payroll-is-finance-only"),
    (("--as", "fiona", "--action", "select", "--on", "public.payroll"), 0, "shown at raw"),
    (
        ("--as", "reports", "--action", "select", "--on", 'Table::"shop/public.customers"'),
        0,
        "shown at token",
    ),
    (("--as", "alice", "--action", "drop", "--on", "database"), 1, "no-drop-database"),
    (
        ("--as", "alice", "--action", "update", "--on", "public.tickets", "--fact", "is_bounded=false"),
        1,
        "WHERE",
    ),
    (
        ("--as", "alice", "--action", "update", "--on", "public.tickets", "--fact", "is_bounded=true"),
        0,
        "allow",
    ),
    (("--as", "nobody", "--action", "select"), 2, "no user or service"),
    (("--as", "alice", "--action", "fly"), 2, "no action"),
    (("--as", "alice", "--action", "select", "--on", "a.b.c.d"), 2, "no schema"),
    (("--as", "alice", "--action", "select", "--on", 'Table::"payroll"'), 2, "no resource"),
    (("--as", "alice", "--database", "other", "--action", "select"), 2, "does not list"),
    (("--action", "select"), 2, "--as"),
    (("--as", "alice", "--sql", "SELECT 1"), 2, "gateway"),
]


@pytest.mark.parametrize(("args", "code", "says"), EXPLAINED)
def test_explain_answers_from_the_directory(
    shell: Shell, started: Path, args: tuple[str, ...], code: int, says: str
) -> None:
    result = shell("policy", "explain", "--dir", "gw", "--connection", "shop", *args)
    assert result.exit_code == code, result.output
    assert says in result.output


def test_the_gateway_itself_can_be_asked_about(shell: Shell, started: Path) -> None:
    args = ("policy", "explain", "--dir", "gw", "--action", "manage_tokens", "--as")
    assert shell(*args, "olga").exit_code == 0
    assert shell(*args, "alice").exit_code == 1
    assert shell(*args, "operator").exit_code == 0


def test_the_schema_is_printed(shell: Shell) -> None:
    assert 'action "select" in [Action::"read"]' in shell.ok("policy", "schema")


# The journal's files -------------------------------------------------------------------------------------


@pytest.fixture
def written(started: Path) -> Path:
    """A journal with a few records in the directory's place for it."""
    from narrows.journal import Journal, keys
    from narrows.journal.records import SignIn

    loaded = keys.load_or_create(started / "state/keys")
    journal = Journal.open(started / "state/journal", loaded)
    for number in range(5):
        journal.append(SignIn(address="127.0.0.1", is_accepted=number % 2 == 0, principal="User/alice"))
    journal.close()
    return started


def test_verify_says_up_to_where_it_vouches(shell: Shell, written: Path) -> None:
    text = shell.ok("journal", "verify", "gw")
    assert "is intact" in text and "No head was given" in text
    assert shell.json("journal", "verify", "gw")["is_intact"] is True
    assert "is intact" in shell.ok("journal", "verify", "gw/state/journal")


def test_a_changed_byte_is_named_and_the_exit_code_is_5(shell: Shell, written: Path) -> None:
    segment = next((written / "state/journal").rglob("*.jsonl"))
    segment.write_bytes(segment.read_bytes().replace(b"User/alice", b"User/alicf", 1))
    result = shell("journal", "verify", "gw")
    assert result.exit_code == ExitCode.VERIFICATION_FAILED
    assert segment.name in result.stdout and "line" in result.stdout
    body = json.loads(shell("journal", "verify", "gw", "--json").stdout)
    assert body["faults"][0]["kind"] == "changed"


def test_a_forged_head_and_a_missing_key_are_said(shell: Shell, written: Path) -> None:
    Path("head.json").write_text("{}")
    assert shell("journal", "verify", "gw", "--head", "head.json").exit_code == ExitCode.VERIFICATION_FAILED
    assert shell("journal", "verify", "gw", "--head", "none.json").exit_code == ExitCode.FAILED
    result = shell("journal", "verify", "gw", "--key", "none.pem")
    assert result.exit_code == ExitCode.FAILED and "none.pem" in result.stderr
    assert shell("journal", "verify", "nowhere").exit_code == ExitCode.FAILED


def test_export_writes_what_matches(shell: Shell, written: Path) -> None:
    def lines(*args: str) -> list[dict[str, object]]:
        result: Result = shell("journal", "export", "gw", *args)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    assert len(lines("--kind", "sign_in")) == 5
    assert len(lines("--kind", "sign_in", "--verdict", "deny")) == 2
    assert lines("--person", "bob") == []
    assert lines("--until", "1d") == []
    assert "Wrote 5 records" in shell.ok(
        "journal", "export", "gw", "--kind", "sign_in", "--out", "week.jsonl"
    )
    assert stat.S_IMODE(Path("week.jsonl").stat().st_mode) == 0o600
    assert shell("journal", "export", "gw", "--out", "week.jsonl").exit_code == ExitCode.FAILED
    assert shell.ok("journal", "export", "gw", "--format", "csv").startswith("id,at,principal")
