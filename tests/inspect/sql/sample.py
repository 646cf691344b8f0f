"""The corpus's sample schema as a Snapshot, its labels, and short ways to write what an analysis should be."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from narrows.inspect import sql
from narrows.model.label import DatabaseLabels
from narrows.model.snapshot import Column, ForeignKey, Function, Relation, RelationKind, Snapshot

_SAMPLE = json.loads(Path(__file__).with_name("sample.json").read_text())

LABELS = {
    "customers": {
        "email": "email",
        "ssn": "ssn",
        "phone": "phone",
        "card": "card",
        "dob": "dob",
        "note": "free_text",
    },
    "payroll": {"salary": "salary", "bank_iban": "iban"},
    "profiles": {"data": "pii", "emails": "email", "tags": "pii"},
    "events": {"cust_email": "email"},
}


_AUDIT = next(row["oid"] for row in _SAMPLE["functions"] if row["name"] == "audit_row")
_AUDIT_BODY = "BEGIN INSERT INTO audit_log(who,msg) VALUES (NEW.name, to_jsonb(NEW)::text); RETURN NEW; END"


def _relation(row: dict[str, object]) -> Relation:
    columns: list[list[object]] = row["columns"]  # type: ignore[assignment]
    return Relation(
        oid=int(str(row["oid"])),
        schema=str(row["schema"]),
        name=str(row["name"]),
        kind=RelationKind(str(row["kind"])),
        columns=tuple(
            Column(str(name), int(str(number)), int(str(oid)), str(type_), bool(generated), default)  # type: ignore[arg-type]
            for name, number, oid, type_, generated, default in columns
        ),
        rows_estimate=int(str(row["rows"])),
        parents=tuple(row["parents"]),  # type: ignore[arg-type]
        definition=row["definition"],  # type: ignore[arg-type]
        triggers=(_AUDIT,) if row["triggers"] else (),
        keys=tuple(tuple(key) for key in row["keys"]),  # type: ignore[attr-defined]
    )


def snapshot() -> Snapshot:
    relations = [_relation(row) for row in _SAMPLE["relations"]]
    functions: dict[tuple[str, str], list[Function]] = defaultdict(list)
    for row in _SAMPLE["functions"]:
        functions[row["schema"], row["name"]].append(
            Function(
                row["oid"],
                row["schema"],
                row["name"],
                row["kind"],
                row["language"],
                row["volatility"],
                row["definer"],
                extension=row["extension"],
                body=_AUDIT_BODY if row["oid"] == _AUDIT else None,
            )
        )
    return Snapshot(
        id="sample",
        connection="shop",
        database="leak",
        is_home=True,
        server_version=150020,
        taken_at=0.0,
        relations={each.oid: each for each in relations},
        by_name={(each.schema, each.name): each for each in relations},
        functions={name: tuple(each) for name, each in functions.items()},
        foreign_keys=tuple(ForeignKey(*row) for row in _SAMPLE["foreign_keys"]),
        operators=frozenset({("evil", "+")}),
        schemas=frozenset({"public", "evil", "pg_catalog", "information_schema"}),
        role="app",
    )


SNAPSHOT = snapshot()
VIEW = sql.View(
    SNAPSHOT,
    DatabaseLabels(
        {
            ("public", table, column): frozenset({label})
            for table, each in LABELS.items()
            for column, label in each.items()
        },
        frozenset({("public", "full_price")}),
    ),
    versions={"snapshot": "sample", "labels": "corpus"},
)
UNLABELLED = sql.View(SNAPSHOT)


def with_rows(view: sql.View, table: str, rows: int) -> sql.View:
    """The same view with another estimate of a table's rows."""
    old = view.snapshot.by_name["public", table]
    new = replace(old, rows_estimate=rows)
    changed = replace(
        view.snapshot,
        relations={**view.snapshot.relations, old.oid: new},
        by_name={**view.snapshot.by_name, ("public", table): new},
    )
    return sql.View(changed, view.labels, view.versions, view.export_rows)


def analyse(text: str, state: sql.SessionState | None = None, view: sql.View = VIEW) -> sql.Analysis:
    return sql.analyse(text, view, state)


def operations(analysis: sql.Analysis) -> set[str]:
    """`select public.customers`, `filter public.customers.ssn constant`, `transact leak`..."""
    found = set()
    for each in analysis.statement().operations:
        names = ".".join(each.resource.path[2 if len(each.resource.path) > 2 else -1 :])
        kind = f" {each.facts['kind']}" if "kind" in each.facts else ""
        found.add(f"{each.action} {names}{kind}")
    return found


def reason(analysis: sql.Analysis) -> str | None:
    return analysis.refusal.reason.name if analysis.refusal else None


def marks(analysis: sql.Analysis) -> str:
    """`-` clean of both, `d` derived, `u` unknown, `du` both, or the reason of the refusal."""
    if analysis.refusal is not None:
        return analysis.refusal.reason.name
    reach = analysis.reach
    return ("d" * reach.is_derived + "u" * reach.is_unknown) or "-"
