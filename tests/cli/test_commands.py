"""Each command against a gateway: what it prints, its JSON, its exit code, and what it never shows."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from narrows.api.ports import JournalEntry
from narrows.cli import login_store
from narrows.cli.errors import ExitCode
from tests.api.fake import NOW, FakeGateway, Running, unavailable
from tests.cli.conftest import Shell


def test_the_socket_of_a_directory_makes_one_the_operator(shell: Shell, served: Running) -> None:
    text = shell.ok("whoami", "--config", "gw")
    assert "User/operator" in text and "reload" in text
    assert shell.json("whoami", "--config", "gw")["principal"] == "User/operator"
    assert "User/operator" in shell.ok("whoami", NARROWS_CONFIG="gw")


def test_a_directory_that_one_stands_in_is_enough(
    shell: Shell, served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("gw")
    assert shell.json("whoami")["principal"] == "User/operator"


def test_login_checks_keeps_and_prints_a_psql_line(shell: Shell, served: Running) -> None:
    result = shell("login", "--url", served.url, "--ca", str(served.ca), input="alice-token\n")
    assert result.exit_code == 0, result.output
    assert "Signed in as User/alice" in result.stdout and "alice-token" not in result.output
    (line,) = [line for line in result.stdout.splitlines() if "psql" in line]
    assert "sslmode=verify-full" in line and "user=alice" in line and "dbname=shop" in line
    folder = shell.home / "narrows"
    for name in ("login.json", "pgpass", "ca.crt"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "pgpass").read_text() == "localhost:6432:*:*:alice-token\n"
    assert shell.json("whoami")["principal"] == "User/alice"


def test_the_psql_line_is_one_that_libpq_reads(shell: Shell, served: Running) -> None:
    import psycopg

    shell.ok("login", "--url", served.url, "--ca", str(served.ca), input="alice-token")
    line = shell.ok("connections", "--psql", "shop").strip()
    program, conninfo = shlex.split(line)
    assert program == "psql"
    found = psycopg.conninfo.conninfo_to_dict(conninfo)
    assert found["sslmode"] == "verify-full" and found["dbname"] == "shop" and found["user"] == "alice"
    assert Path(str(found["passfile"])).read_text().startswith(f"{found['host']}:{found['port']}:")
    assert Path(str(found["sslrootcert"])).read_bytes() == served.ca.read_bytes()


def test_login_by_directory_takes_address_and_ca_from_it(shell: Shell, served: Running) -> None:
    port = served.url.rpartition(":")[2]
    config = Path("gw/narrows.yaml")
    config.write_text(
        config.read_text().replace("settings: {", f"settings: {{control_listen: '127.0.0.1:{port}', ")
    )
    Path("token").write_text("olga-token\n")
    shell.ok("login", "--config", "gw", "--token-file", "token")
    assert shell.json("whoami")["principal"] == "User/olga"


def test_a_wrong_token_is_refused_and_nothing_is_kept(shell: Shell, served: Running) -> None:
    result = shell("login", "--url", served.url, "--ca", str(served.ca), input="wrong-token")
    assert result.exit_code == ExitCode.NOT_SIGNED_IN
    assert "wrong-token" not in result.output and not (shell.home / "narrows").exists()
    assert shell("login", "--url", served.url, input="").exit_code == ExitCode.FAILED


def test_login_trusts_no_certificate_that_does_not_verify(shell: Shell, served: Running) -> None:
    result = shell("login", "--url", served.url, input="alice-token")
    assert result.exit_code == ExitCode.UNREACHABLE and "--ca" in result.stderr
    assert served.gateway.order == []
    for url in ("http://localhost:1", "localhost:6433", "https://user:pw@localhost"):
        assert shell("login", "--url", url, input="alice-token").exit_code == ExitCode.USAGE


def test_logout_leaves_nothing(shell: Shell, served: Running) -> None:
    shell.ok("login", "--url", served.url, "--ca", str(served.ca), input="alice-token")
    assert "Signed out" in shell.ok("logout")
    assert list((shell.home / "narrows").iterdir()) == []
    assert shell("whoami").exit_code == ExitCode.NOT_SIGNED_IN


def test_a_kept_token_that_others_can_read_is_not_used(shell: Shell, served: Running) -> None:
    shell.ok("login", "--url", served.url, "--ca", str(served.ca), input="alice-token")
    (shell.home / "narrows/login.json").chmod(0o644)
    result = shell("whoami")
    assert result.exit_code == ExitCode.NOT_SIGNED_IN and "chmod 600" in result.stderr


def test_a_token_from_the_environment_needs_no_login(shell: Shell, served: Running) -> None:
    environ = {"NARROWS_URL": served.url, "NARROWS_CA": str(served.ca), "NARROWS_TOKEN": "alice-token"}
    assert shell.json("whoami", **environ)["principal"] == "User/alice"
    assert shell.json("whoami", "--config", "gw", NARROWS_TOKEN="alice-token")["principal"] == "User/alice"


def test_connections_print_lines_to_paste(shell: Shell, served: Running) -> None:
    environ = {"NARROWS_URL": served.url, "NARROWS_CA": str(served.ca), "NARROWS_TOKEN": "alice-token"}
    header, row = shell.ok("connections", **environ).splitlines()
    assert header.split("\t")[0] == "NAME" and row.split("\t")[0] == "shop"
    (found,) = shell.json("connections", **environ)
    assert found["psql"].startswith("psql ")
    assert shell("connections", "--psql", "nope", **environ).exit_code == ExitCode.FAILED


def test_tokens_are_made_listed_and_revoked(shell: Shell, served: Running) -> None:
    result = shell("tokens", "create", "alice", "--ttl", "8h", "--note", "laptop", "--config", "gw")
    assert result.exit_code == 0 and result.stdout == "nrw_t1_secret\n"
    assert "not shown again" in result.stderr
    assert shell.json("tokens", "list", "--config", "gw")[0]["expires_at"] == NOW + 8 * 3600
    assert "secret" not in shell.ok("tokens", "list", "--config", "gw")
    assert "Revoked t1" in shell.ok("tokens", "revoke", "t1", "--config", "gw")
    assert shell("tokens", "revoke", "t9", "--config", "gw").exit_code == ExitCode.FAILED
    assert shell("tokens", "create", "nobody", "--config", "gw").exit_code == ExitCode.FAILED
    assert shell("tokens", "create", "alice", "--ttl", "soon", "--config", "gw").exit_code == ExitCode.USAGE


def test_a_token_can_go_straight_to_a_new_private_file(shell: Shell, served: Running) -> None:
    result = shell("tokens", "create", "alice", "--out", "t", "--config", "gw")
    assert "nrw_" not in result.output
    assert Path("t").read_text() == "nrw_t1_secret\n" and stat.S_IMODE(Path("t").stat().st_mode) == 0o600
    again = shell("tokens", "create", "alice", "--out", "t", "--config", "gw")
    assert again.exit_code == ExitCode.FAILED and Path("t").read_text() == "nrw_t1_secret\n"


def test_credentials_go_in_and_only_names_come_out(shell: Shell, served: Running) -> None:
    result = shell("credentials", "set", "shop", "--connection", "shop", "--config", "gw", input="pä:ss\n")
    assert result.exit_code == 0 and "store:shop" in result.stdout and "pä:ss" not in result.output
    assert served.gateway.credentials_["shop"][1].reveal() == "pä:ss"
    assert "pä:ss" not in shell.ok("credentials", "list", "--config", "gw")
    assert shell.json("credentials", "list", "--config", "gw")[0]["host"] == "db.internal"
    shell.ok("credentials", "delete", "shop", "--config", "gw")
    empty = shell("credentials", "set", "shop", "--connection", "shop", "--config", "gw", input="\n")
    assert empty.exit_code == ExitCode.FAILED


def test_sessions_are_listed_with_what_the_client_said_escaped_and_ended(
    shell: Shell, served: Running
) -> None:
    text = shell.ok("sessions", "list", "--config", "gw")
    assert "\x1b" not in text and "psql\\x1b[2J" in text
    shell.ok("sessions", "end", "s1", "--config", "gw")
    assert shell.json("sessions", "list", "--config", "gw") == []


def test_the_journal_is_searched_over_all_pages(shell: Shell, served: Running, gateway: FakeGateway) -> None:
    gateway.entries = [
        JournalEntry(
            f"main:{n}",
            NOW - n,
            "statement",
            principal="User/alice",
            connection="shop",
            verdict="deny",
            reason="FORBIDDEN",
            text="SELECT '\x1b]0;gotcha\x07\u202egnp.exe'\n  FROM payroll",
        )
        for n in range(250)
    ]
    found = shell.json("journal", "list", "--limit", "240", "--since", "7d", "--config", "gw")
    assert [entry["id"] for entry in found] == [entry.id for entry in gateway.entries[:240]]
    text = shell.ok("journal", "list", "--person", "User/alice", "--verdict", "deny", "--config", "gw")
    assert "\x1b" not in text and "\u202e" not in text and "\\u202e" in text
    assert len(text.splitlines()) == 51
    assert "deny forbidden" in text
    assert shell("journal", "list", "--since", "whenever", "--config", "gw").exit_code == ExitCode.USAGE


def test_a_record_is_shown_whole_and_escaped(shell: Shell, served: Running) -> None:
    text = shell.ok("journal", "show", "main:1", "--config", "gw")
    assert "\x1b" not in text and "\\u202e" in text and "    FROM t" in text and "4711" not in text
    assert "4711" in shell.ok("journal", "show", "main:1", "--values", "--config", "gw")
    assert shell("journal", "show", "main:9", "--config", "gw").exit_code == ExitCode.FAILED


def test_a_head_is_a_file_to_keep(shell: Shell, served: Running) -> None:
    assert json.loads(shell.ok("journal", "head", "--config", "gw"))["format"] == "narrows journal head 1"
    shell.ok("journal", "head", "--out", "head.json", "--config", "gw")
    assert json.loads(Path("head.json").read_text())["writers"] == {}


def test_reload_says_what_waits_for_a_restart_or_every_fault(shell: Shell, served: Running) -> None:
    assert "postgres_listen" in shell.ok("reload", "--config", "gw")
    Path("gw/policies/main.cedar").write_text("permit (")
    result = shell("reload", "--config", "gw")
    assert result.exit_code == ExitCode.CONFIG_INVALID
    assert "policies/main.cedar" in result.stderr and "nothing changed" in result.stderr
    failed = json.loads(shell("reload", "--config", "gw", "--json").stderr)["error"]
    assert failed["exit_code"] == 6 and failed["faults"]


def test_explain_asks_the_gateway(shell: Shell, served: Running) -> None:
    args = ("policy", "explain", "--as", "alice", "--connection", "shop", "--config", "gw")
    denied = shell(*args, "--sql", "SELECT * FROM payroll")
    assert denied.exit_code == ExitCode.FAILED and "payroll" in denied.stdout
    allowed = shell(*args, "--action", "select", "--on", "public.customers")
    assert allowed.exit_code == ExitCode.OK and "shown at partial" in allowed.stdout
    assert shell(*args).exit_code == ExitCode.USAGE


def test_doctor_looks_at_files_and_asks_the_gateway(shell: Shell, served: Running) -> None:
    result = shell("doctor", "--config", "gw")
    assert result.exit_code == ExitCode.FAILED
    assert "the role owns tables" in result.stdout and "use another role" in result.stdout
    assert "holds for 82" in result.stdout  # days


def test_a_denied_call_is_one_sentence_with_rule_and_remedy(shell: Shell, served: Running) -> None:
    environ = {"NARROWS_URL": served.url, "NARROWS_CA": str(served.ca), "NARROWS_TOKEN": "alice-token"}
    result = shell("sessions", "list", **environ)
    assert result.exit_code == ExitCode.FAILED and result.stdout == ""
    assert result.stderr.startswith("Error: no policy permits view_status") and "NW001" in result.stderr


def test_a_part_that_fails_is_named(shell: Shell, served: Running) -> None:
    served.gateway.failing = unavailable()
    result = shell("tokens", "list", "--config", "gw")
    assert result.exit_code == ExitCode.FAILED and "the store is locked" in result.stderr


# Without a gateway ---------------------------------------------------------------------------------------


def test_nobody_signed_in_and_nobody_there_differ(shell: Shell, gateway: FakeGateway) -> None:
    assert shell("whoami").exit_code == ExitCode.NOT_SIGNED_IN
    result = shell("whoami", "--config", "gw")
    assert result.exit_code == ExitCode.UNREACHABLE and "narrows serve" in result.stderr
    assert shell("whoami", "--config", "nowhere").exit_code == ExitCode.FAILED
    result = shell("doctor", "--config", "gw")
    assert result.exit_code == ExitCode.FAILED and "cannot be reached" in result.stdout


def test_what_answers_may_be_no_gateway(shell: Shell, gateway: FakeGateway) -> None:
    import socket
    import threading

    path = gateway.config.settings.control_socket
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            peer, _ = listener.accept()
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            peer.close()

        thread = threading.Thread(target=answer)
        thread.start()
        result = shell("whoami", "--config", "gw")
        thread.join()
    assert result.exit_code == ExitCode.FAILED and "not a narrows gateway" in result.stderr


def test_a_defect_is_one_sentence_and_a_traceback_only_where_asked_for(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(login_store, "forget", fail)
    result = shell("logout")
    assert result.exit_code == ExitCode.FAILED
    assert "Traceback" not in result.output and "NARROWS_DEBUG=1" in result.stderr
    assert isinstance(shell("logout", NARROWS_DEBUG="1").exception, RuntimeError)


@pytest.mark.parametrize("args", [("fly",), ("whoami", "--fast"), ("tokens", "create"), ("policy", "tset")])
def test_a_usage_fault_is_2(shell: Shell, args: tuple[str, ...]) -> None:
    assert shell(*args).exit_code == ExitCode.USAGE


def test_a_misspelt_command_is_guessed(shell: Shell) -> None:
    assert "Did you mean 'whoami'?" in shell("whomai").stderr


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(shell: Shell, name: str) -> None:
    assert "_NARROWS_COMPLETE" in shell.ok("completion", name)


def test_help_is_fast_because_it_imports_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from narrows.cli.root import root\n"
        "try: root(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'fastapi', 'httpx', 'pydantic', 'sqlalchemy', 'rich', 'cryptography', 'cedarpy', 'yaml', 'uvicorn'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_output_into_a_closed_pipe_is_no_failure(shell: Shell, gateway: FakeGateway) -> None:
    environ = {**os.environ, "XDG_CONFIG_HOME": str(shell.home)}
    line = (
        f"{shlex.quote(sys.executable)} -c 'from narrows.cli import main; main()' policy schema | head -n 1"
    )
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, env=environ, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
