"""The extended protocol and prepared statements: the same questions with the constant as a parameter."""

from __future__ import annotations

from tests.leaks.attacker.asking import How, Say
from tests.leaks.attacker.conditions import PARAMETERS, USUAL
from tests.leaks.attacker.oracles.where import EITHER, OF, TWICE
from tests.leaks.attacker.phrasing import Oracle, by_row

_X = How.EXTENDED

ORACLE = Oracle(
    "prepared",
    "parameters, prepared statements, binary results",
    (
        *by_row(
            ("count", Say(f"SELECT count(*) {OF} AND <cond>", how=_X)),
            ("count, binary", Say(f"SELECT count(*) {OF} AND <cond>", how=How.BINARY)),
            ("rows", Say(f"SELECT c.id {OF} AND <cond>", how=_X)),
            ("one row", Say(f"SELECT c.id {OF} AND <cond>", how=How.ONE_ROW)),
            ("NULL", Say(f"SELECT nullif(<cond>, true) {OF}", how=_X)),
            ("CASE", Say(f"SELECT CASE WHEN <cond> THEN 1 ELSE 2 END {OF}", how=_X)),
            ("division", Say(f"SELECT 1 / (<cond>)::int {OF}", how=_X)),
            ("UPDATE", Say("UPDATE customers c SET vip = c.vip WHERE c.id = <row> AND <cond>", how=_X)),
            ("ORDER BY", Say(f"SELECT v.n {TWICE} ORDER BY {EITHER}, v.n", how=_X)),
            ("LIMIT", Say("SELECT id FROM orders LIMIT (SELECT count(*) FROM customers c WHERE c.id = <row> AND <cond>)", how=_X)),
            conditions=(*PARAMETERS.values(), USUAL[0]),
        ),
        *by_row(
            ("EXECUTE", f"PREPARE p<n> AS SELECT count(*) {OF} AND <cond>", "EXECUTE p<n>", "DEALLOCATE p<n>"),
            ("EXECUTE with a value", "PREPARE p<n>(int) AS SELECT count(*) FROM customers c WHERE c.id = $1 AND <cond>", "EXECUTE p<n>(<row>)", "DEALLOCATE p<n>"),
            ("EXECUTE into a table", f"PREPARE p<n> AS SELECT c.id {OF} AND <cond>", "CREATE TEMP TABLE e<n> AS EXECUTE p<n>", "DEALLOCATE p<n>"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
