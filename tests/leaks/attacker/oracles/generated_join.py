"""Joins with everything that a value may be: the clean side of the equality shows the value."""

from __future__ import annotations

import random

from tests.leaks.attacker.asking import Asker, How, Say
from tests.leaks.attacker.conditions import Written
from tests.leaks.attacker.knowledge import Values
from tests.leaks.attacker.phrasing import Harvest, Oracle, Text, fill, values_of
from tests.leaks.attacker.prey import Prey
from tests.leaks.attacker.space import DOB, SSN, Space


def paired(name: str, *texts: Text, space: Space = DOB) -> Harvest:
    """Ids with the value beside each."""

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Values | None:
        answer = asker.ask(fill(texts, 0, Written("")))
        return values_of(
            space,
            prey,
            ((int(row[0] or 0), row[1]) for row in answer.rows if len(row) > 1 and (row[0] or "").isdigit()),
        )

    return Harvest(name, collect)


FIRST, LAST = DOB.text(0), DOB.text(DOB.size - 1)
DAYS = f"generate_series(0, {DOB.size - 1}) n"
DAY = f"(date '{FIRST}' + n.n)"
LIST = f"SELECT date '{FIRST}' + n AS d FROM {DAYS}"
_TEMP = (
    f"CREATE TEMP TABLE guess<n> AS SELECT date '{FIRST}' + g AS d FROM generate_series(0, {DOB.size - 1}) g"
)
_LITERALS = ", ".join(f"('{DOB.text(day)}'::date)" for day in range(4000))
_ARRAY = "{" + ",".join(DOB.text(day) for day in range(DOB.size)) + "}"
_GROUP = "to_char({}, 'FM{}')"

ORACLE = Oracle(
    "generated-join",
    "equality with generated values, of which the clean side is shown",
    (
        paired("series", f"SELECT c.id, {DAY} FROM customers c JOIN {DAYS} ON c.dob = {DAY}"),
        paired(
            "series of dates",
            "SELECT c.id, g.d::date FROM customers c"
            f" JOIN generate_series('{FIRST}'::timestamp, '{LAST}', '1 day') g(d) ON c.dob = g.d",
        ),
        paired("subquery", f"SELECT c.id, g.d FROM customers c JOIN ({LIST}) g ON c.dob = g.d"),
        paired("WITH", f"WITH g AS ({LIST}) SELECT c.id, g.d FROM customers c JOIN g ON c.dob = g.d"),
        paired("WHERE", f"SELECT c.id, g.d FROM customers c, ({LIST}) g WHERE c.dob = g.d"),
        paired("USING", f"SELECT c.id, g.dob || '' FROM customers c JOIN (SELECT d AS dob FROM ({LIST}) x) g USING (dob)"),
        paired("LATERAL", f"SELECT c.id, g.d FROM customers c, LATERAL (SELECT d FROM ({LIST}) x WHERE x.d = c.dob) g"),
        paired("scalar subquery", f"SELECT c.id, (SELECT x.d FROM ({LIST}) x WHERE x.d = c.dob) FROM customers c"),
        paired("not distinct", f"SELECT c.id, g.d FROM customers c JOIN ({LIST}) g ON c.dob IS NOT DISTINCT FROM g.d WHERE c.id > 500"),
        paired("two ranges", f"SELECT c.id, g.d FROM customers c JOIN ({LIST}) g ON c.dob <= g.d AND c.dob >= g.d WHERE c.id BETWEEN 501 AND 1200"),
        paired("BETWEEN", f"SELECT c.id, g.d FROM customers c JOIN ({LIST}) g ON c.dob BETWEEN g.d AND g.d WHERE c.id BETWEEN 501 AND 1200"),
        paired("row", f"SELECT c.id, g.d FROM customers c JOIN ({LIST}) g ON (c.dob, 1) = (g.d, 1)"),
        paired("difference", f"SELECT c.id, date '{FIRST}' + n.n FROM customers c JOIN {DAYS} ON c.dob - '{FIRST}' = n.n"),
        paired("VALUES", f"SELECT c.id, g.d FROM customers c JOIN (VALUES {_LITERALS}) g(d) ON c.dob = g.d"),
        paired("unnest", f"SELECT c.id, g.d FROM customers c JOIN unnest('{_ARRAY}'::date[]) g(d) ON c.dob = g.d"),
        paired(
            "unnest of a parameter",
            Say("SELECT c.id, g.d FROM customers c JOIN unnest($1::date[]) g(d) ON c.dob = g.d", how=How.EXTENDED, parameters=(_ARRAY,)),
        ),
        paired("temporary table", _TEMP, "SELECT c.id, g.d FROM customers c JOIN guess<n> g ON c.dob = g.d"),
        paired("temporary table, IN", _TEMP, "SELECT c.id, g.d FROM customers c, guess<n> g WHERE c.dob IN (g.d)"),
        paired("temporary table, = ANY", _TEMP, "SELECT c.id, g.d FROM customers c, guess<n> g WHERE c.dob = ANY (ARRAY[g.d])"),
        paired(
            "table of one's own",
            f"CREATE TABLE guesses<n> AS SELECT date '{FIRST}' + g AS d FROM generate_series(0, {DOB.size - 1}) g",
            "SELECT c.id, g.d FROM customers c JOIN guesses<n> g ON c.dob = g.d",
        ),
        paired("merge keys", _TEMP, "SELECT c.id, g.d FROM guess<n> g FULL JOIN customers c ON c.dob = g.d WHERE c.id > 500"),
        paired("recursive", f"WITH RECURSIVE g(d) AS (SELECT date '{FIRST}' UNION ALL SELECT d + 1 FROM g WHERE d < '{LAST}') SELECT c.id, g.d FROM customers c JOIN g ON c.dob = g.d"),
        paired("array_position", f"SELECT c.id, date '{FIRST}' + array_position('{_ARRAY}'::date[], c.dob) - 1 FROM customers c WHERE c.id BETWEEN 501 AND 1200"),
        paired("UPDATE FROM", _TEMP, "UPDATE customers c SET vip = c.vip FROM guess<n> g WHERE c.dob = g.d AND c.id > 500 RETURNING c.id, g.d"),
        paired("UPDATE of guesses", f"CREATE TEMP TABLE guess<n> AS SELECT date '{FIRST}' + g AS d, 0 AS id FROM generate_series(0, {DOB.size - 1}) g", "UPDATE guess<n> g SET id = c.id FROM customers c WHERE c.dob = g.d", "SELECT id, d FROM guess<n> WHERE id > 500"),
        paired("DELETE of guesses", _TEMP, "DELETE FROM guess<n> g USING customers c WHERE c.dob = g.d AND c.id > 500 RETURNING c.id, g.d"),
        paired(
            "parts",
            "SELECT c.id, to_char(x, 'FM000') || '-' || to_char(y, 'FM00') || '-' || to_char(z, 'FM0000')"
            " FROM customers c JOIN generate_series(0, 999) x ON to_char(x, 'FM000') = substr(c.ssn, 1, 3)"
            " JOIN generate_series(0, 99) y ON to_char(y, 'FM00') = substr(c.ssn, 5, 2)"
            " JOIN generate_series(0, 9999) z ON to_char(z, 'FM0000') = substr(c.ssn, 8, 4)",
            space=SSN,
        ),
    ),
)  # fmt: skip
