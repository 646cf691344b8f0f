"""Set operations with generated candidates: how many rows are left tells whether the value was among them."""

from __future__ import annotations

from tests.leaks.attacker.conditions import SPLITS, Condition, Written
from tests.leaks.attacker.phrasing import Oracle, by_row
from tests.leaks.attacker.questions import Question, Split
from tests.leaks.attacker.space import DOB


def _candidates(question: Question) -> Written:
    assert isinstance(question, Split)
    return Written(
        f"SELECT date '{DOB.text(question.low)}' + g FROM generate_series(0, {question.middle - question.low - 1}) g"
    )


_SERIES = Condition("series", DOB, _candidates)
_ONE = "SELECT c.dob FROM customers c WHERE c.id = <row>"

ORACLE = Oracle(
    "set-operation",
    "UNION, INTERSECT, EXCEPT and DISTINCT against candidates",
    (
        *by_row(
            ("INTERSECT", f"SELECT count(*) FROM ({_ONE} INTERSECT <cond>) q"),
            ("EXCEPT", f"SELECT count(*) FROM ({_ONE} EXCEPT <cond>) q"),
            ("EXCEPT, the other way", f"SELECT count(*) - (SELECT count(*) FROM (<cond>) y) FROM (<cond> EXCEPT {_ONE}) q"),
            ("UNION", f"SELECT count(*) - (SELECT count(*) FROM (<cond>) y) FROM ({_ONE} UNION <cond>) q"),
            ("rows of INTERSECT", f"{_ONE} INTERSECT <cond>"),
            ("rows of EXCEPT", f"{_ONE} EXCEPT <cond>"),
            ("rows of EXCEPT ALL", f"{_ONE} EXCEPT ALL <cond>"),
            ("EXISTS", f"SELECT EXISTS ({_ONE} INTERSECT <cond>)"),
            ("tag of UNION", f"CREATE TEMP TABLE u<n> AS SELECT 1 FROM ({_ONE} UNION <cond>) q OFFSET (SELECT count(*) FROM (<cond>) y)"),
            ("DISTINCT", f"SELECT count(DISTINCT q.d) - count(*) FROM ({_ONE} UNION ALL <cond>) q(d)"),
            ("GROUP BY", f"SELECT count(*) FROM ({_ONE} UNION ALL <cond>) q(d) GROUP BY q.d HAVING count(*) > 1"),
            ("IN", "SELECT count(*) FROM customers c WHERE c.id = <row> AND c.dob IN (<cond>)"),
            ("NOT IN", "SELECT count(*) FROM customers c WHERE c.id = <row> AND c.dob NOT IN (<cond>)"),
            ("= ANY", "SELECT count(*) FROM customers c WHERE c.id = <row> AND c.dob = ANY (ARRAY(<cond>))"),
            ("join", "SELECT count(*) FROM customers c JOIN (<cond>) g(d) ON g.d = c.dob WHERE c.id = <row>"),
            ("anti join", "SELECT count(*) FROM customers c LEFT JOIN (<cond>) g(d) ON g.d = c.dob WHERE c.id = <row> AND g.d IS NULL"),
            ("recursive", "WITH RECURSIVE r(d) AS (SELECT c.dob FROM customers c WHERE c.id = <row> UNION (SELECT * FROM (<cond>) x)) SELECT count(*) - (SELECT count(*) FROM (<cond>) y) FROM r"),
            conditions=(_SERIES,),
        ),
        *by_row(
            ("UNION of a condition", "SELECT <cond> FROM customers c WHERE c.id = <row> UNION SELECT true"),
            ("INTERSECT of a condition", "SELECT <cond> FROM customers c WHERE c.id = <row> INTERSECT SELECT true"),
            conditions=(SPLITS["range"], SPLITS["substr"]),
        ),
    ),
)  # fmt: skip
