"""Window functions over the order of the secrets."""

from __future__ import annotations

import random

from tests.leaks.attacker.asking import Answer, Asker, Say
from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.knowledge import Order
from tests.leaks.attacker.oracles.order import order
from tests.leaks.attacker.oracles.where import EITHER, OF, TWICE
from tests.leaks.attacker.phrasing import Harvest, Oracle, by_row
from tests.leaks.attacker.prey import Prey


def ranked(name: str, text: str) -> Harvest:
    """Ids with a number beside each that grows with the secret."""

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Order | None:
        return order(prey, _by_rank(asker.ask([Say(text)])))

    return Harvest(name, collect)


def chained(name: str, text: str) -> Harvest:
    """Ids with the id of the one before it."""

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Order | None:
        after = {row[1]: row[0] for row in asker.ask([Say(text)]).rows if len(row) == 2 and row[0]}
        found, at = list[int](), after.pop(None, None)
        while at is not None:
            found.append(int(at))
            at = after.pop(at, None)
        return order(prey, found)

    return Harvest(name, collect)


def _by_rank(answer: Answer) -> list[int]:
    try:
        pairs = sorted((float(row[1] or ""), int(row[0] or "")) for row in answer.rows if len(row) > 1)
    except ValueError:
        return []
    return [row for _, row in pairs]


_RANKS = ("rank()", "row_number()", "percent_rank()", "cume_dist()", "count(*)", "ntile(2000)", "sum(1)")

ORACLE = Oracle(
    "window",
    "window functions",
    (
        *(ranked(each, f"SELECT id, {each} OVER (ORDER BY ssn) FROM customers") for each in _RANKS),
        ranked("named", "SELECT id, rank() OVER w FROM customers WINDOW w AS (ORDER BY ssn)"),
        ranked("in a subquery", "SELECT q.id, q.r FROM (SELECT id, rank() OVER (ORDER BY ssn) r FROM customers) q"),
        ranked(
            "hypothetical rank",
            "SELECT c.id, (SELECT rank(c.ssn) WITHIN GROUP (ORDER BY b.ssn) FROM customers b) FROM customers c",
        ),
        ranked("correlated count", "SELECT c.id, (SELECT count(*) FROM customers b WHERE b.ssn < c.ssn) FROM customers c"),
        ranked("self join", "SELECT a.id, count(*) FROM customers a JOIN customers b ON b.ssn <= a.ssn GROUP BY a.id"),
        chained("lag", "SELECT id, lag(id) OVER (ORDER BY ssn) FROM customers"),
        *by_row(
            ("partition", f"SELECT count(*) OVER (PARTITION BY {EITHER}) {TWICE}"),
            ("filter", f"SELECT count(*) FILTER (WHERE <cond>) OVER () {OF}"),
            ("frame", f"SELECT rank() OVER (ORDER BY {EITHER}) {TWICE}"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
