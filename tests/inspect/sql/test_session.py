"""The session's facts follow PostgreSQL's own transactions; settings that change meanings take only constants."""

from __future__ import annotations

import pytest

from narrows.inspect import sql
from tests.inspect.sql.sample import analyse, operations, reason


def play(script: str) -> sql.FactTracker:
    """Statements separated by `;`, each succeeding, with ReadyForQuery after each; `!` fails instead."""
    tracker = sql.FactTracker()
    for text in (each.strip() for each in script.split(";")):
        if text == "!":
            tracker.on_error()
            tracker.on_ready(b"E" if tracker.in_block else b"I")
            continue
        analysis = analyse(text)
        assert analysis.refusal is None, analysis.refusal
        for part in analysis.parts:
            tracker.apply(part.effects)
        tracker.on_ready(b"T" if tracker.in_block else b"I")
    return tracker


PATHS = [
    ("SET search_path = a, \"B c\", 'd e'", ("a", "B c", "d e")),
    ("SET search_path TO 'a, b'", ("a, b",)),
    ("SET search_path = ''", ("",)),
    ("SELECT set_config('search_path', 'A, \"B\"', false)", ("a", "B")),
    ("SELECT pg_catalog.set_config('search_path', '', false)", ()),
    ("SET search_path = a; SET search_path = DEFAULT", None),
    ("SET search_path = a; RESET search_path", None),
    ("SET search_path = a; RESET ALL", None),
    ("SET search_path = a; DISCARD ALL", None),
    ("SET search_path = a; DISCARD TEMP", ("a",)),
    ("BEGIN; SET search_path = a; COMMIT", ("a",)),
    ("BEGIN; SET search_path = a; ROLLBACK", None),
    ("BEGIN; SET search_path = a; !; COMMIT", None),
    ("SET search_path = b; BEGIN; SET search_path = a; !; ROLLBACK", ("b",)),
    ("BEGIN; SET LOCAL search_path = a", ("a",)),
    ("BEGIN; SET LOCAL search_path = a; COMMIT", None),
    ("BEGIN; SET search_path = b; SET LOCAL search_path = a; COMMIT", ("b",)),
    ("BEGIN; SET LOCAL search_path = a; SET search_path = b; COMMIT", ("b",)),
    ("SET LOCAL search_path = a", None),
    ("BEGIN; SELECT set_config('search_path', 'a', true); COMMIT", None),
    ("BEGIN; SET search_path = a; SAVEPOINT s; SET search_path = b; ROLLBACK TO s", ("a",)),
    ("BEGIN; SET search_path = a; SAVEPOINT s; SET search_path = b; RELEASE s; COMMIT", ("b",)),
    (
        "BEGIN; SAVEPOINT s; SET search_path = a; SAVEPOINT s; SET search_path = b; ROLLBACK TO s; COMMIT",
        ("a",),
    ),
    (
        "BEGIN; SAVEPOINT s; SET search_path = a; SAVEPOINT t; SET search_path = b; ROLLBACK TO s; COMMIT",
        None,
    ),
    ("BEGIN; SAVEPOINT s; SET search_path = a; !; ROLLBACK TO s; SET search_path = b; COMMIT", ("b",)),
    ("BEGIN; SET search_path = a; COMMIT AND CHAIN; SET search_path = b; ROLLBACK", ("a",)),
    ("BEGIN; SET search_path = a; PREPARE TRANSACTION 'x'", ("a",)),
    ("BEGIN; BEGIN; SET search_path = a; ROLLBACK", None),
]


@pytest.mark.parametrize(("script", "path"), PATHS)
def test_the_search_path_follows_transactions(script: str, path: tuple[str, ...] | None) -> None:
    assert play(script).facts.search_path == path


def test_an_implicit_transaction_is_undone_by_an_error_in_the_same_text() -> None:
    tracker = sql.FactTracker()
    tracker.apply(analyse("SET search_path = a").parts[0].effects)
    assert tracker.facts.search_path == ("a",)
    tracker.on_error()
    tracker.on_ready(b"I")
    assert tracker.facts.search_path is None


def test_roles_are_tracked() -> None:
    assert play("SET ROLE bob").facts.role == "bob"
    assert play("SET ROLE bob; SET ROLE NONE").facts.role is None
    assert play("SET ROLE bob; RESET ROLE").facts.role is None
    assert play("SET ROLE bob; RESET ALL").facts.role == "bob"
    assert play("SET ROLE bob; SET SESSION AUTHORIZATION eve").facts.role is None
    assert play("SET SESSION AUTHORIZATION eve").facts.session_authorization == "eve"
    assert play("SET ROLE bob; DISCARD ALL").facts.role is None


def test_a_role_changes_what_user_stands_for_in_the_path() -> None:
    state = sql.SessionState(play("SET ROLE evil").facts)
    assert operations(analyse("SELECT * FROM scratch", state)) == {"select evil.scratch"}


def test_the_start_of_the_session_is_what_reset_returns_to() -> None:
    tracker = sql.FactTracker(sql.SessionFacts(search_path=("evil",), settings=(("narrows.reveal", "ssn"),)))
    tracker.apply(analyse("SET search_path = public").parts[0].effects)
    tracker.apply(analyse("RESET search_path").parts[0].effects)
    assert tracker.facts.search_path == ("evil",)
    assert tracker.facts.setting("narrows.reveal") == "ssn"


def test_temporary_relations_come_and_go_with_transactions() -> None:
    def temporary(text: str) -> frozenset[str]:
        return play(text).facts.overlay.names("pg_temp")

    assert temporary("CREATE TEMP TABLE t (a int)") == {"t"}
    assert temporary("BEGIN; CREATE TEMP TABLE t (a int); ROLLBACK") == frozenset()
    assert temporary("CREATE TEMP TABLE t (a int); DISCARD TEMP") == frozenset()
    drops = "CREATE TEMP TABLE t (a int) ON COMMIT DROP"
    assert temporary(f"BEGIN; {drops}") == {"t"}
    assert temporary(f"BEGIN; {drops}; COMMIT") == frozenset()
    assert temporary(f"BEGIN; SAVEPOINT a; {drops}; ROLLBACK TO a") == frozenset()


def test_what_a_transaction_made_is_the_sessions_until_the_snapshot_is_read() -> None:
    def made(text: str) -> frozenset[str]:
        return play(text).facts.overlay.names("public")

    assert made("BEGIN; CREATE TABLE t (a int)") == {"t"}
    assert made("BEGIN; CREATE TABLE t (a int); COMMIT") == {"t"}
    assert made("BEGIN; CREATE TABLE t (a int); ROLLBACK") == frozenset()
    tracker = play("BEGIN; CREATE TABLE t (a int); CREATE TEMP TABLE u (a int)")
    tracker.on_schema_read()
    assert tracker.facts.overlay.names("public") == {"t"}
    tracker.apply([sql.Commit()])
    tracker.on_schema_read()
    assert tracker.facts.overlay.names("public") == frozenset()
    assert tracker.facts.overlay.names("pg_temp") == {"u"}


def test_dropping_a_temporary_relation_uncovers_what_it_hid() -> None:
    tracker = sql.FactTracker()
    tracker.apply(analyse("CREATE TEMP TABLE payroll (a int)").parts[0].effects)
    state = sql.SessionState(tracker.facts)
    assert operations(analyse("SELECT * FROM payroll", state)) == {"select pg_temp.payroll"}
    drop = analyse("DROP TABLE payroll", state)
    assert operations(drop) == {"drop pg_temp.payroll"}
    tracker.apply(drop.parts[0].effects)
    state = sql.SessionState(tracker.facts)
    assert operations(analyse("SELECT name FROM payroll", state)) == {"select public.payroll"}


def test_code_that_nobody_sees_leaves_temporary_relations_in_doubt() -> None:
    tracker = sql.FactTracker()
    tracker.apply(analyse("CREATE TEMP TABLE payroll (name text)").parts[0].effects)
    tracker.apply(analyse("SELECT run_sql('x')").parts[0].effects)
    state = sql.SessionState(tracker.facts)
    found = analyse("SELECT name FROM payroll", state)
    assert operations(found) == {"select pg_temp.payroll", "select public.payroll"}
    assert found.reach.is_unknown


def test_equal_facts_have_equal_keys() -> None:
    assert play("SET search_path = a").facts.key == play("SET search_path = b; SET search_path = a").facts.key
    assert play("SET search_path = a").facts.key != sql.SessionFacts().key


def test_what_the_target_reports_must_agree() -> None:
    tracker = play("SET search_path = a, b")
    assert tracker.disagreement("search_path", "a, b") is None
    assert tracker.disagreement("search_path", "evil") is not None
    assert tracker.disagreement("standard_conforming_strings", "on") is None
    assert tracker.disagreement("standard_conforming_strings", "off") is not None
    assert tracker.disagreement("client_encoding", "UNICODE") is None
    assert tracker.disagreement("client_encoding", "LATIN1") is not None
    assert tracker.disagreement("TimeZone", "anything") is None
    assert play("SET SESSION AUTHORIZATION a").disagreement("session_authorization", "b") is not None


REFUSED = """
SET standard_conforming_strings = off
SET client_encoding = 'LATIN1'
SET NAMES 'SJIS'
SET client_min_messages = debug1
SET client_min_messages = log
SET debug_print_parse = on
SET local_preload_libraries = 'x'
SET no_such_setting = 1
SET narrows.something = 'x'
SELECT set_config('search_path', $1, false)
SELECT set_config('search_path', 'a', false) FROM orders
SELECT set_config('search_path', 'a', $1)
SELECT 1 WHERE set_config('role', 'a', false) IS NULL
SELECT CASE WHEN true THEN set_config('role', 'a', false) END
INSERT INTO scratch VALUES (set_config('role', 'a', false))
SELECT set_config($1, 'a', false)
SELECT set_config(name, 'a', false) FROM pg_settings
SELECT set_config('standard_conforming_strings', 'off', false)
SELECT set_config('client_encoding', $1, false)
COPY (SELECT set_config('search_path', 'evil', false)) TO STDOUT
DECLARE c CURSOR FOR SELECT set_config('search_path', 'evil', false)
CREATE VIEW v AS SELECT set_config('search_path', 'evil', false)
CALL close_ticket(set_config('search_path', 'evil', false)::int)
PREPARE p(text) AS SELECT 1; EXECUTE p(set_config('search_path', 'evil', false))
VALUES (set_config('search_path', 'evil', false))
ALTER ROLE bob SET search_path = evil
ALTER ROLE bob SET client_min_messages = notice
ALTER DATABASE leak SET role = 'bob'
ALTER DATABASE leak SET standard_conforming_strings = off
""".strip().splitlines()


@pytest.mark.parametrize("text", REFUSED)
def test_a_setting_that_could_change_meanings_unseen_is_refused(text: str) -> None:
    assert reason(analyse(text)) == "SETTING_REFUSED"


ACCEPTED = """
SET standard_conforming_strings = on
SET client_encoding = 'UTF8'
SET NAMES 'unicode'
SET client_encoding TO SQL_ASCII
SET client_min_messages TO WARNING
SET DateStyle = 'ISO, MDY'
SET extra_float_digits = 3
SET application_name = 'PostgreSQL JDBC Driver'
SET statement_timeout = '5s'
SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE
SET check_function_bodies = false
SET xmloption = content
SET row_security = off
SET default_table_access_method = heap
SET default_tablespace = ''
SET synchronize_seqscans TO off
SET quote_all_identifiers = on
SET jit = off
SET app.tenant = '7'
SET plpgsql.variable_conflict = error
SET narrows.reveal = 'ssn'
SELECT set_config('app.tenant', $1, true)
SELECT set_config('work_mem', '1MB', false), set_config('jit', 'off', false)
SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'
SHOW transaction_isolation
SHOW standard_conforming_strings
""".strip().splitlines()


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_clients_set_every_day_is_accepted(text: str) -> None:
    assert reason(analyse(text)) is None


def test_accept_setting_answers_for_start_up_parameters_too() -> None:
    assert sql.accept_setting("search_path", "a, b") is None
    assert sql.accept_setting("TimeZone", "UTC") is None
    refusal = sql.accept_setting("client_encoding", "LATIN1")
    assert refusal is not None
    assert refusal.code == "NW014"
    assert sql.accept_setting("session_preload_libraries", "x") is not None
