"""The order in which rows come: N rows of one's own among M others bound each of them, and the order itself is log2(M!).

Much of SQL sorts: ORDER BY, DISTINCT, merge joins, set operations, and scans of an index that the planner was talked into.
"""

from __future__ import annotations

import random
import re

from tests.leaks.attacker.asking import Answer, Asker, How, Say
from tests.leaks.attacker.conditions import Written
from tests.leaks.attacker.knowledge import Order
from tests.leaks.attacker.phrasing import Harvest, Oracle, Text, fill
from tests.leaks.attacker.prey import Prey
from tests.leaks.attacker.space import SSN

_ANCHORS = 1000
_FIRST_ANCHOR = 300_000
_STEP = SSN.size // _ANCHORS
_PLANT = (
    f"INSERT INTO customers (id, name, ssn) SELECT {_FIRST_ANCHOR} + g, 'x',"
    f" to_char(g * {_STEP} / 1000000, 'FM000') || '-' || to_char(g * {_STEP} / 10000 % 100, 'FM00') || '-'"
    f" || to_char(g * {_STEP} % 10000, 'FM0000') FROM generate_series(0, {_ANCHORS - 1}) g ON CONFLICT DO NOTHING"
)
_WRITTEN_OUT = "INSERT INTO customers (id, name, ssn) VALUES " + ", ".join(
    f"({_FIRST_ANCHOR + g}, 'x', '{SSN.text(g * _STEP)}')" for g in range(_ANCHORS)
)
_NONE = f"DELETE FROM customers WHERE id >= {_FIRST_ANCHOR}"
_NO_HASH = "SET enable_hashagg = off"
_NO_SCAN = "SET enable_seqscan = off"
_NO_BITMAP = "SET enable_bitmapscan = off"


def ordered(name: str, *texts: Text, anchored: bool = False) -> Harvest:
    """The last column that can be read as ids, in the order in which they come."""

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Order | None:
        answer = asker.ask(fill(texts, 0, Written("")))
        return order(prey, ids(answer), anchored)

    return Harvest(name, collect)


def ids(answer: Answer) -> list[int]:
    """Ids in rows, in one cell, or in COPY's lines."""
    copied = [p.decode() for reply in answer.replies for kind, p in reply if kind == "d"]
    cells = [row[0] or "" for row in answer.rows] or copied
    return [int(each) for cell in cells for each in re.findall(r"\d+", cell)]


def order(prey: Prey, found: list[int], anchored: bool = False) -> Order | None:
    """The claim; None unless the attacker's own rows come in the order of their values, or in the opposite one."""
    known = dict(prey.own(SSN))
    if anchored:
        known |= {_FIRST_ANCHOR + g: g * _STEP for g in range(_ANCHORS)}
    truth = prey.truth(SSN)
    rows = list(dict.fromkeys(row for row in found if row in known or row in truth))
    own = [known[row] for row in rows if row in known]
    if len(own) < len(prey.own(SSN)):
        return None
    if own == sorted(own, reverse=True):
        rows, own = rows[::-1], own[::-1]
    return Order(SSN, rows, known) if own == sorted(own) else None


_SELF = "FROM customers a JOIN customers b"

ORACLE = Oracle(
    "order",
    "the order of rows",
    (
        ordered("ORDER BY", "SELECT id FROM customers ORDER BY ssn"),
        ordered("by number", "SELECT id, ssn FROM customers ORDER BY 2"),
        ordered("by alias", "SELECT id, ssn AS s FROM customers ORDER BY s DESC"),
        ordered("USING", "SELECT id FROM customers ORDER BY ssn USING <"),
        ordered("by expression", "SELECT id FROM customers ORDER BY ssn || ''"),
        ordered("by subquery", "SELECT id FROM customers c ORDER BY (SELECT c.ssn)"),
        ordered("by row", "SELECT id FROM customers c ORDER BY ROW(c.ssn)"),
        ordered("in a subquery", "SELECT id FROM (SELECT id FROM customers ORDER BY ssn) x"),
        ordered("prepared", Say("SELECT id FROM customers ORDER BY ssn", how=How.EXTENDED)),
        ordered("LIMIT", "SELECT id FROM customers ORDER BY ssn LIMIT 5000"),
        ordered("array_agg", "SELECT array_agg(id ORDER BY ssn) FROM customers"),
        ordered("string_agg", "SELECT string_agg(id::text, ',' ORDER BY ssn) FROM customers"),
        ordered("json_agg", "SELECT json_agg(id ORDER BY ssn) FROM customers"),
        ordered("ARRAY", "SELECT ARRAY(SELECT id FROM customers ORDER BY ssn)"),
        ordered("DISTINCT ON", "SELECT DISTINCT ON (ssn) id FROM customers"),
        ordered("DISTINCT", _NO_HASH, "SELECT q.id FROM (SELECT DISTINCT ssn, id FROM customers) q"),
        ordered("GROUP BY", _NO_HASH, "SELECT min(id) FROM customers GROUP BY ssn"),
        ordered(
            "UNION",
            _NO_HASH,
            "SELECT q.id FROM (SELECT ssn, id FROM customers UNION SELECT ssn, id FROM customers) q",
        ),
        ordered(
            "INTERSECT",
            _NO_HASH,
            "SELECT q.id FROM (SELECT ssn, id FROM customers INTERSECT SELECT ssn, id FROM customers) q",
        ),
        ordered(
            "index, IS NOT NULL",
            _NO_SCAN,
            _NO_BITMAP,
            "SELECT id FROM ONLY customers WHERE ssn IS NOT NULL",
        ),
        ordered("index, > ''", _NO_SCAN, _NO_BITMAP, "SELECT id FROM ONLY customers WHERE ssn > ''"),
        ordered(
            "index only",
            "BEGIN",
            "CREATE INDEX ON customers (ssn, id)",
            _NO_SCAN,
            _NO_BITMAP,
            "SELECT id, ssn FROM ONLY customers",
            "ROLLBACK",
        ),
        ordered(
            "index only, a constraint's",
            "BEGIN",
            "ALTER TABLE customers ADD UNIQUE (ssn) INCLUDE (id)",
            _NO_SCAN,
            "SELECT id, ssn FROM ONLY customers",
            "ROLLBACK",
        ),
        ordered(
            "index only, anchored",
            _PLANT,
            "BEGIN",
            "CREATE INDEX ON customers (ssn, id)",
            _NO_SCAN,
            _NO_BITMAP,
            "SELECT id, ssn FROM ONLY customers",
            "ROLLBACK",
            anchored=True,
        ),
        ordered("anchored", _PLANT, "SELECT id FROM customers ORDER BY ssn", anchored=True),
        ordered("anchored by constants", _NONE, _WRITTEN_OUT, "SELECT id FROM customers ORDER BY ssn", anchored=True),
        ordered(
            "merge join",
            "SET enable_hashjoin = off",
            "SET enable_nestloop = off",
            f"SELECT a.id {_SELF} ON a.ssn = b.ssn",
        ),
        ordered("merge join, USING", "SET enable_hashjoin = off", "SET enable_nestloop = off", f"SELECT a.id {_SELF} USING (ssn)"),
        ordered(
            "merge semijoin",
            "SET enable_hashjoin = off",
            "SET enable_nestloop = off",
            "SELECT a.id FROM customers a WHERE a.ssn IN (SELECT ssn FROM customers)",
        ),
        ordered(
            "merge join, anchored",
            _NONE,
            _WRITTEN_OUT,
            "SET enable_hashjoin = off",
            "SET enable_nestloop = off",
            f"SELECT a.id {_SELF} ON a.ssn = b.ssn",
            anchored=True,
        ),
        ordered("CLUSTER", "CLUSTER customers USING customers_ssn_key", "SELECT id FROM ONLY customers"),
        ordered(
            "CREATE TABLE AS",
            "CREATE TEMP TABLE o AS SELECT id FROM customers ORDER BY ssn",
            "SELECT id FROM o",
            "DROP TABLE o",
        ),
        ordered(
            "INSERT SELECT",
            "INSERT INTO scratch (k) SELECT id::text FROM customers ORDER BY ssn",
            "SELECT k FROM scratch",
            "DELETE FROM scratch WHERE k IS NOT NULL",
        ),
        ordered(
            "INSERT RETURNING",
            "INSERT INTO scratch (k) SELECT id::text FROM customers ORDER BY ssn RETURNING k",
            "DELETE FROM scratch WHERE k IS NOT NULL",
        ),
        ordered("COPY", "COPY (SELECT id FROM customers ORDER BY ssn) TO STDOUT"),
        ordered(
            "cursor", "BEGIN", "DECLARE k CURSOR FOR SELECT id FROM customers ORDER BY ssn", "FETCH ALL k", "ROLLBACK"
        ),
        ordered(
            "view",
            "CREATE OR REPLACE TEMP VIEW ov AS SELECT id FROM customers ORDER BY ssn",
            "SELECT id FROM ov",
        ),
        ordered(
            "materialised view",
            "CREATE MATERIALIZED VIEW om<n> AS SELECT id FROM customers ORDER BY ssn",
            "SELECT id FROM om<n>",
        ),
        ordered(
            "FOR UPDATE",
            "BEGIN",
            "SELECT id FROM customers ORDER BY ssn FOR UPDATE",
            "ROLLBACK",
        ),
        ordered("VALUES of rows", "SELECT x.id FROM customers c, LATERAL (SELECT c.id) x ORDER BY c.ssn"),
    ),
)  # fmt: skip
