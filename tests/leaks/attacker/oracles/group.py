"""Groups made of secrets, counted."""

from __future__ import annotations

from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.oracles.where import EITHER, OF, TWICE
from tests.leaks.attacker.phrasing import Oracle, by_row

ORACLE = Oracle(
    "group",
    "GROUP BY, HAVING, DISTINCT and FILTER",
    (
        *by_row(
            ("GROUP BY", f"SELECT count(*) {OF} GROUP BY <cond> HAVING <cond>"),
            ("GROUP BY with another", f"SELECT count(*) {TWICE} GROUP BY {EITHER}"),
            ("HAVING", f"SELECT 1 {OF} GROUP BY c.id HAVING <cond>"),
            ("HAVING of an aggregate", f"SELECT count(*) {OF} HAVING bool_and(<cond>)"),
            ("DISTINCT", f"SELECT DISTINCT {EITHER} {TWICE}"),
            ("count DISTINCT", f"SELECT count(DISTINCT {EITHER}) {TWICE}"),
            ("FILTER", f"SELECT count(*) FILTER (WHERE <cond>) {OF}"),
            ("sum FILTER", f"SELECT sum(1) FILTER (WHERE <cond>) {OF}"),
            ("grouping sets", f"SELECT count(*) {TWICE} GROUP BY GROUPING SETS (({EITHER}), ())"),
            ("rollup", f"SELECT count(*) {TWICE} GROUP BY ROLLUP ({EITHER})"),
            ("subquery", f"SELECT count(*) FROM (SELECT 1 {TWICE} GROUP BY {EITHER}) q"),
            ("DISTINCT ON", f"SELECT DISTINCT ON ({EITHER}) 1 {TWICE}"),
            ("mode", f"SELECT mode() WITHIN GROUP (ORDER BY <cond>) {OF}"),
            ("count of an expression", f"SELECT count(CASE WHEN <cond> THEN 1 END) {OF}"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
