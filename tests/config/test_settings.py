"""Settings come from one table: files, environment, flags and the reference page agree with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrows.model.secret import Secret
from narrows.settings import (
    BY_NAME,
    SETTINGS,
    Address,
    Setting,
    Settings,
    parse,
    parse_addresses,
    parse_duration,
    parse_size,
    resolve,
    unknown_environment,
)
from tests.config.reference import section

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_every_setting_stands_on_the_reference_page_as_it_is(setting: Setting) -> None:
    assert section(setting) in PAGE.read_text("utf-8")


def test_the_page_has_no_heading_for_a_setting_that_is_gone() -> None:
    text = PAGE.read_text("utf-8")
    part = text[text.index("## Settings: listening") :]
    headings = {line.removeprefix("### ") for line in part.splitlines() if line.startswith("### ")}
    assert headings == set(BY_NAME)


def test_nothing_said_means_the_defaults() -> None:
    settings, faults = resolve({}, {}, {})
    assert (settings, faults) == (Settings(), ())


def test_a_later_source_wins() -> None:
    file = {"statement_limit_bytes": "1MiB"}
    environ = {"NARROWS_STATEMENT_LIMIT_BYTES": "2MiB"}
    flags = {"statement_limit_bytes": "3MiB"}
    assert resolve(file, {}, {})[0].statement_limit_bytes == 1024**2
    assert resolve(file, environ, {})[0].statement_limit_bytes == 2 * 1024**2
    assert resolve(file, environ, flags)[0].statement_limit_bytes == 3 * 1024**2


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("statement_limit_bytes", "32MiB", "at most"),
        ("statement_limit_bytes", "many", "write a size"),
        ("statement_limit_bytes", -5, "write a size"),
        ("startup_timeout_s", "0.1", "at least 1"),
        ("startup_timeout_s", "10 parsecs", "write a duration"),
        ("startup_timeout_s", True, "write a duration"),
        ("sessions_limit", "1.5", "whole number"),
        ("sessions_limit", True, "whole number"),
        ("journal_durability", "maybe", "one of: write, fsync"),
        ("plaintext_allowed", "perhaps", "true or false"),
        ("postgres_listen", "localhost", "host:port"),
        ("postgres_listen", "127.0.0.1:70000", "host:port"),
        ("public_host", "a\x1bb", "control characters"),
        ("public_host", ["x"], "write a text"),
        ("tls_key", "", "write a path"),
        ("token_ttl_s", "3650d", "at most token_ttl_limit_s"),
        ("master_key", "hunter2", "file:PATH or env:NAME"),
        ("store_url", "narrows.db", "URL"),
        ("no_such", 1, "no such setting"),
        ("vault_token", "s.abc", "NARROWS_VAULT_TOKEN"),
    ],
)
def test_a_fault_names_the_setting_and_what_to_write(name: str, raw: object, says: str) -> None:
    settings, faults = resolve({name: raw}, {}, {})
    assert [(fault.name, says in fault.message) for fault in faults] == [(name, True)]
    assert "s.abc" not in repr(faults) and "hunter2" not in repr(faults)
    assert settings.vault_token is None


def test_all_faults_are_found_at_once() -> None:
    _, faults = resolve({"a": 1}, {"NARROWS_SESSIONS_LIMIT": "x"}, {"log_level": "loud"})
    assert {(fault.source, fault.name) for fault in faults} == {
        ("narrows.yaml", "a"),
        ("NARROWS_SESSIONS_LIMIT", "sessions_limit"),
        ("--log-level", "log_level"),
    }


def test_a_secret_comes_from_the_environment_or_a_file_it_names_and_shows_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("s.from-file\n")
    direct, _ = resolve({}, {"NARROWS_VAULT_TOKEN": "s.direct"}, {"vault_token": "s.flag"})
    by_file, _ = resolve({}, {"NARROWS_VAULT_TOKEN_FILE": str(path)}, {})
    assert direct.vault_token == Secret("s.direct")
    assert by_file.vault_token == Secret("s.from-file")
    assert "s.direct" not in repr(direct)
    _, faults = resolve({}, {"NARROWS_VAULT_TOKEN_FILE": str(tmp_path / "none")}, {})
    assert "cannot read the file" in faults[0].message


def test_no_secret_has_a_flag() -> None:
    secrets = [setting for setting in SETTINGS if setting.is_secret]
    assert secrets and all(setting.flag is None for setting in secrets)


def test_paths_are_under_the_directory_and_absolute_ones_stay() -> None:
    settings, _ = resolve({"tls_key": "/etc/key.pem"}, {}, {})
    settings = settings.under(Path("/gw"))
    assert settings.tls_key == Path("/etc/key.pem")
    assert settings.control_socket == Path("/gw/state/control.sock")
    assert settings.store_url == "sqlite:////gw/state/narrows.db"
    assert settings.master_key == "file:/gw/state/master.key"


def test_the_port_for_clients_is_the_one_listened_on_unless_said() -> None:
    assert Settings().clients_port == 6432
    assert resolve({"public_port": 5432}, {}, {})[0].clients_port == 5432


def test_a_misspelt_variable_is_seen() -> None:
    environ = {"NARROWS_LOG_LEVL": "debug", "NARROWS_LOG_LEVEL": "info", "NARROWS_TOKEN": "x", "HOME": "/"}
    assert unknown_environment(environ) == ("NARROWS_LOG_LEVL",)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10", 10.0), ("10s", 10.0), ("5m", 300.0), ("1.5h", 5400.0), ("2d", 172800.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@given(
    st.integers(0, 2**40), st.sampled_from([("", 1), ("B", 1), ("KiB", 1024), ("MiB", 1024**2), ("kB", 1000)])
)
def test_sizes(number: int, unit: tuple[str, int]) -> None:
    assert parse_size(f"{number}{unit[0]}") == number * unit[1]


@given(
    st.lists(
        st.builds(
            Address, st.sampled_from(["127.0.0.1", "::1", "gw.example", "0.0.0.0"]), st.integers(0, 65535)
        ),
        max_size=4,
    )
)
def test_addresses_are_read_as_they_are_written(addresses: list[Address]) -> None:
    assert parse_addresses(", ".join(map(str, addresses))) == tuple(addresses)


@given(
    st.sampled_from(SETTINGS),
    st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.lists(st.text())),
)
def test_any_value_is_taken_or_refused_with_words(setting: Setting, raw: object) -> None:
    try:
        parse(setting, raw)
    except ValueError as fault:
        assert str(fault)
