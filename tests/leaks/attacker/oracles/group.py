"""Groups made of secrets, counted."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Oracle, by_row

ORACLE = Oracle(
    "group",
    "GROUP BY, HAVING, DISTINCT and FILTER",
    (
        *by_row(
            ("GROUP BY", f"SELECT count(*) {OF} GROUP BY <cond> HAVING <cond>"),
            ("GROUP BY with another", "SELECT count(*) FROM customers c WHERE c.id IN (<row>, 3) GROUP BY (<cond>)"),
            ("HAVING", f"SELECT c.id {OF} GROUP BY c.id HAVING <cond>"),
            ("HAVING of an aggregate", f"SELECT count(*) {OF} HAVING bool_and(<cond>)"),
            ("DISTINCT", "SELECT DISTINCT <cond> FROM customers c WHERE c.id IN (<row>, 1)"),
            ("count DISTINCT", "SELECT count(DISTINCT (<cond>)) FROM customers c WHERE c.id IN (<row>, 1)"),
            ("FILTER", f"SELECT count(*) FILTER (WHERE <cond>) {OF}"),
            ("sum FILTER", f"SELECT sum(1) FILTER (WHERE <cond>) {OF}"),
            ("grouping sets", "SELECT count(*) FROM customers c WHERE c.id IN (<row>, 1) GROUP BY GROUPING SETS ((<cond>), ())"),
            ("rollup", "SELECT grouping((<cond>)), count(*) FROM customers c WHERE c.id IN (<row>, 1) GROUP BY ROLLUP ((<cond>))"),
            ("subquery", "SELECT count(*) FROM (SELECT 1 FROM customers c WHERE c.id IN (<row>, 1) GROUP BY <cond>) q"),
            ("DISTINCT ON", "SELECT DISTINCT ON ((<cond>)) 1 FROM customers c WHERE c.id IN (<row>, 1)"),
            ("mode", f"SELECT mode() WITHIN GROUP (ORDER BY <cond>) {OF}"),
            ("count of an expression", f"SELECT count(CASE WHEN <cond> THEN 1 END) {OF}"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
