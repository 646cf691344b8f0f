"""What triggers of labelled tables write bears labels wherever it goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from narrows.inspect import sql
from narrows.model.snapshot import Function
from tests.inspect.sql.sample import SNAPSHOT, VIEW, analyse

AUDIT = next(each for (_, name), (each, *_) in SNAPSHOT.functions.items() if name == "audit_row")

CASES = """
INSERT INTO audit_log(who,msg) VALUES (NEW.name, to_jsonb(NEW)::text); -> audit_log.msg
INSERT INTO audit_log(who) VALUES (NEW.name); -> -
INSERT INTO audit_log VALUES (NEW.id, 'x', OLD.ssn); -> audit_log.msg
UPDATE scratch SET v = OLD.email WHERE k = NEW.name; -> scratch.v
v := NEW.ssn; INSERT INTO scratch(k) VALUES (v); -> scratch.k
NEW.name := upper(NEW.ssn); -> customers.name customers_old.name
NEW.vip = true; -> -
DELETE FROM orders WHERE customer_id = OLD.id; -> -
IF TG_OP = 'UPDATE' THEN INSERT INTO scratch(k, v) VALUES (TG_OP, NEW.card); END IF; -> scratch.v
FOR r IN SELECT * FROM orders LOOP INSERT INTO scratch(v) VALUES (NEW.phone); END LOOP; -> scratch.v
EXECUTE 'INSERT INTO scratch SELECT $1, $2' USING NEW.ssn, NEW.card; -> scratch.k scratch.v
WITH x AS (INSERT INTO scratch(k) VALUES (NEW.ssn) RETURNING 1) SELECT 1 INTO v FROM x; -> scratch.k scratch.v
MERGE INTO scratch s USING (SELECT 1) o ON false WHEN NOT MATCHED THEN INSERT (v) VALUES (NEW.ssn); -> scratch.v
""".strip().splitlines()


def view_with(body: str, language: str = "plpgsql") -> sql.View:
    code = body if language != "plpgsql" else f"DECLARE v text; r record; BEGIN {body} RETURN NEW; END"
    functions = {
        **SNAPSHOT.functions,
        ("public", "audit_row"): (replace(AUDIT, body=code, language=language),),
    }
    return sql.View(replace(SNAPSHOT, functions=functions), VIEW.labels)


def written(view: sql.View) -> str:
    untouched = sql.View(replace(SNAPSHOT, functions={}), VIEW.labels).labelled.labels
    names = {".".join(column.path[3:]) for column in view.labelled.labels.keys() - untouched.keys()}
    return " ".join(sorted(names)) or "-"


@pytest.mark.parametrize("line", CASES)
def test_what_a_trigger_writes_bears_the_labels_of_what_went_into_it(line: str) -> None:
    body, expected = line.split(" -> ")
    assert written(view_with(body)) == expected


def test_code_that_cannot_be_read_may_write_to_whatever_it_names() -> None:
    assert written(view_with("plpy.execute('insert into scratch')", "plpython3u")) == "scratch.k scratch.v"
    assert written(view_with("this is no PL/pgSQL: Scratch")) == "scratch.k scratch.v"


def test_what_a_trigger_wrote_is_no_unchanged_value() -> None:
    view = view_with("INSERT INTO audit_log(who,msg) VALUES (NEW.name, NEW.ssn);")
    who, msg = analyse("SELECT who, msg FROM audit_log", view=view).parts[0].reach.outputs or ()
    assert not who.columns
    assert msg.columns
    assert not msg.is_same


def test_rules_write_as_triggers_do() -> None:
    table = SNAPSHOT.by_name["public", "customers"]
    rule = "CREATE RULE r AS ON UPDATE TO public.customers DO INSERT INTO public.scratch (k, v) VALUES (new.name, new.ssn)"
    changed = replace(table, triggers=(), rules=(rule,))
    snapshot = replace(
        SNAPSHOT,
        relations={**SNAPSHOT.relations, table.oid: changed},
        by_name={**SNAPSHOT.by_name, ("public", "customers"): changed},
    )
    assert written(sql.View(snapshot, VIEW.labels)) == "scratch.v"


def test_triggers_of_views_see_what_the_view_shows() -> None:
    made = SNAPSHOT.by_name["public", "v_contacts"]
    snapshot = replace(
        SNAPSHOT,
        functions={
            ("public", "f"): (Function(9, "public", "f", "f", "plpgsql", "v", body=VIEW_BODY),),
        },
        relations={**SNAPSHOT.relations, made.oid: replace(made, triggers=(9,))},
    )
    assert written(sql.View(snapshot, VIEW.labels)) == "scratch.v"


VIEW_BODY = "BEGIN INSERT INTO scratch VALUES (NEW.who, NEW.contact); RETURN NEW; END"


def test_triggers_of_what_triggers_write_are_followed() -> None:
    second = Function(9, "public", "again", "f", "plpgsql", "v")
    second = replace(second, body="BEGIN INSERT INTO scratch(k) VALUES (NEW.msg); RETURN NEW; END")
    log = SNAPSHOT.by_name["public", "audit_log"]
    changed = replace(log, triggers=(9,))
    snapshot = replace(
        SNAPSHOT,
        functions={**SNAPSHOT.functions, ("public", "again"): (second,)},
        relations={**SNAPSHOT.relations, log.oid: changed},
        by_name={**SNAPSHOT.by_name, ("public", "audit_log"): changed},
    )
    assert written(sql.View(snapshot, VIEW.labels)) == "audit_log.msg scratch.k"


def test_a_text_search_vector_of_a_labelled_row_is_made_of_it() -> None:
    table = SNAPSHOT.by_name["public", "customers"]
    column = replace(table.columns[-1], name="words", attnum=99, type_name="tsvector")
    changed = replace(table, triggers=(3, 752), columns=(*table.columns, column))
    snapshot = replace(
        SNAPSHOT,
        functions={},
        relations={**SNAPSHOT.relations, table.oid: changed},
        by_name={**SNAPSHOT.by_name, ("public", "customers"): changed},
    )
    assert "customers.words" in written(sql.View(snapshot, VIEW.labels)).split()


def test_a_generated_column_is_no_unchanged_value() -> None:
    band, salary = analyse("SELECT band, salary FROM payroll").parts[0].reach.outputs or ()
    assert not band.is_same
    assert salary.is_same
