"""Whether an output is NULL: a mask that keeps NULL as it is shows it, for every column of every row."""

from __future__ import annotations

import random

from tests.leaks.attacker.asking import Asker, Say
from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.knowledge import Values
from tests.leaks.attacker.oracles.where import OF, by_digits
from tests.leaks.attacker.phrasing import Harvest, Oracle, by_row, values_of
from tests.leaks.attacker.prey import Prey
from tests.leaks.attacker.space import SSN, place


def matrix(name: str, cell: str) -> Harvest:
    """Ninety columns for all rows at once, of which the one is NULL whose digit it is."""
    cells = ", ".join(
        cell.replace("<digit>", f"substr(c.ssn, {place(at)}, 1)").replace("<value>", f"'{value}'")
        for at in range(9)
        for value in range(10)
    )

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Values | None:
        answer = asker.ask([Say(f"SELECT c.id, {cells} FROM customers c WHERE c.id BETWEEN 501 AND 2000")])
        rows = [row for row in answer.rows if len(row) == 91 and (row[0] or "").isdigit()]
        return values_of(SSN, prey, ((int(row[0] or 0), _digits(row[1:])) for row in rows))

    return Harvest(name, collect)


def _digits(cells: tuple[str | None, ...]) -> str | None:
    """The digits at which exactly one cell of ten is unlike the others."""
    found = ""
    for at in range(9):
        ten = [cell is None for cell in cells[10 * at : 10 * at + 10]]
        if ten.count(True) == 1:
            found += str(ten.index(True))
        elif ten.count(False) == 1:
            found += str(ten.index(False))
        else:
            return None
    return found


ORACLE = Oracle(
    "null",
    "whether an output is NULL",
    (
        matrix("matrix, nullif", "nullif(<digit>, <value>)"),
        matrix("matrix, CASE", "CASE WHEN <digit> = <value> THEN 1 END"),
        matrix("matrix, strpos", "nullif(strpos(<digit>, <value>), 0)"),
        matrix("matrix, regexp_match", "regexp_match(<digit>, <value>)"),
        matrix("matrix, substring", "substring(<digit> from <value>)"),
        *by_digits("all rows", "SELECT c.id, nullif(<cond>, true) FROM customers c WHERE c.id BETWEEN 501 AND 2000"),
        *by_digits("all rows, of the id", "SELECT CASE WHEN <cond> THEN c.id END, '' FROM customers c WHERE c.id BETWEEN 501 AND 2000"),
        *by_digits(
            "all rows, outer join",
            "SELECT d.id, c.id IS NULL FROM customers d LEFT JOIN customers c ON c.id = d.id AND <cond>"
            " WHERE d.id BETWEEN 501 AND 2000",
        ),
        *by_row(
            ("nullif", f"SELECT nullif(<cond>, true) {OF}"),
            ("CASE", f"SELECT CASE WHEN <cond> THEN 1 END {OF}"),
            ("CASE of the column", f"SELECT CASE WHEN <cond> THEN c.ssn END {OF}"),
            ("array", f"SELECT (ARRAY[1])[CASE WHEN <cond> THEN 1 ELSE 2 END] {OF}"),
            ("scalar subquery", "SELECT (SELECT c.name FROM customers c WHERE c.id = <row> AND <cond>)"),
            ("max", f"SELECT max(c.id) {OF} AND <cond>"),
            ("sum", f"SELECT sum(CASE WHEN <cond> THEN 1 END) {OF}"),
            ("array_agg", f"SELECT array_agg(c.id) FILTER (WHERE <cond>) {OF}"),
            ("bool_and", f"SELECT nullif(bool_and(<cond>), true) {OF}"),
            ("coalesce", f"SELECT coalesce(nullif(<cond>, true), NULL) {OF}"),
            ("IS NULL", f"SELECT nullif(<cond>, true) IS NULL {OF}"),
            ("num_nulls", f"SELECT num_nulls(nullif(<cond>, true)) {OF}"),
            ("count", f"SELECT count(nullif(<cond>, true)) {OF}"),
            ("json", f"SELECT jsonb_build_object('true', 1) -> (<cond>)::text {OF}"),
            ("WITH", f"WITH q AS (SELECT nullif(<cond>, true) AS b {OF}) SELECT b FROM q"),
            ("outer join", "SELECT o.one, c.id FROM (SELECT 1 AS one) o LEFT JOIN customers c ON c.id = <row> AND <cond>"),
            ("lateral", "SELECT x.b FROM customers c, LATERAL (SELECT nullif(<cond>, true) AS b) x WHERE c.id = <row>"),
            ("RETURNING", "UPDATE customers c SET vip = c.vip WHERE c.id = <row> RETURNING nullif(<cond>, true)"),
            ("COPY", f"COPY (SELECT nullif(<cond>, true) {OF}) TO STDOUT"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
