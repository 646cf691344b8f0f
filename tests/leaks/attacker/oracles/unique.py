"""Constraints as an oracle: unique, foreign keys, checks, NOT NULL; by error, and by counts of what was skipped."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from tests.leaks.attacker.asking import Answer, Asker, Say
from tests.leaks.attacker.conditions import USUAL
from tests.leaks.attacker.knowledge import Presence
from tests.leaks.attacker.oracles.where import OF
from tests.leaks.attacker.phrasing import Harvest, Oracle, by_row
from tests.leaks.attacker.prey import SECRET, Prey
from tests.leaks.attacker.space import CARD

_CHUNK = 1000
_FIRST = 600_000


def guesses(name: str, *texts: str) -> Harvest:
    """Cards inserted a thousand at a time; those that are not stored are somebody's."""

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Presence | None:
        # Of the attacker's own cards it is known that they are there, so that they are no news.
        learned, start, own = Presence(CARD, len(SECRET)), asker.used, set(prey.own(CARD).values())
        for low in range(0, CARD.size, _CHUNK):
            if asker.used - start >= budget:
                break
            chunk = set(range(low, low + _CHUNK))
            missing = chunk - _stored(asker.ask([Say(_filled(text, low)) for text in texts]))
            if missing == chunk or own & chunk - missing:
                return None
            learned.present |= missing - own
            learned.absent.append((low, low + _CHUNK))
        return learned

    return Harvest(name, collect)


def tried(name: str, text: str, at_once: int) -> Harvest:
    """Cards tried a few at a time, by whether the INSERT fails."""

    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Presence | None:
        learned, start, own = Presence(CARD, len(SECRET)), asker.used, set(prey.own(CARD).values())
        with asker.rehearsing():
            asker.ask([Say(_CLEAR)])
            if not _fails(asker, text, [min(own)]) or _fails(asker, text, []):
                return None
        for low in rng.sample(range(0, CARD.size, at_once), CARD.size // at_once):
            if asker.used - start >= budget:
                break
            chunk = [number for number in range(low, low + at_once) if number not in own]
            if not _fails(asker, text, chunk):
                learned.absent.append((low, low + at_once))
            elif len(chunk) == 1:
                learned.present.add(chunk[0])
        return learned

    return Harvest(name, collect)


def _fails(asker: Asker, text: str, numbers: Sequence[int]) -> bool:
    """Beside a card that nobody can have, so that there is always a row."""
    rows = [f"({next(_FRESH)}, 'x', 'none {next(_FRESH)}')"]
    rows += [f"({next(_FRESH)}, 'x', '{CARD.text(number)}')" for number in numbers]
    answer = asker.ask([Say(text.replace("<rows>", ", ".join(rows)))])
    return any(kind == "E" for kind, _ in answer.replies[0])


_FRESH = itertools.count(10_000_000)


def _stored(answer: Answer) -> set[int]:
    return {int(row[0] or 0) - _FIRST for row in answer.rows if (row[0] or "").isdigit()}


def _filled(text: str, low: int) -> str:
    head = CARD.text(0)[:-5]
    rows = ", ".join(f"({_FIRST + n}, 'x', '{CARD.text(n)}')" for n in range(low, low + _CHUNK))
    return (
        text.replace("<rows>", rows)
        .replace("<low>", str(low))
        .replace("<high>", str(low + _CHUNK - 1))
        .replace("<head>", head)
    )


_SERIES = f"INSERT INTO customers (id, name, card) SELECT {_FIRST} + g, 'x', '<head>' || to_char(g, 'FM00000') FROM generate_series(<low>, <high>) g"
_CONSTANTS = "INSERT INTO customers (id, name, card) VALUES <rows>"
_READ = f"SELECT id FROM customers WHERE id >= {_FIRST}"
_CLEAR = f"DELETE FROM customers WHERE id >= {_FIRST}"

ORACLE = Oracle(
    "unique",
    "unique, foreign-key, check and NOT NULL violations",
    (
        tried("one by one", _CONSTANTS, 1),
        tried("twenty at a time", _CONSTANTS, 20),
        guesses("constants", f"{_CONSTANTS} ON CONFLICT (card) DO NOTHING RETURNING id", _CLEAR),
        guesses("series", f"{_SERIES} ON CONFLICT (card) DO NOTHING RETURNING id", _CLEAR),
        guesses("any conflict", f"{_CONSTANTS} ON CONFLICT DO NOTHING", _READ, _CLEAR),
        guesses(
            "MERGE",
            "MERGE INTO customers t USING (VALUES <rows>) s (id, name, card) ON t.card = s.card"
            " WHEN NOT MATCHED THEN INSERT (id, name, card) VALUES (s.id, s.name, s.card)",
            _READ,
            _CLEAR,
        ),
        *by_row(
            ("conflict skipped", "BEGIN", f"INSERT INTO customers (id, name, ssn) SELECT 900000, 'x', CASE WHEN <cond> THEN c.ssn ELSE '000-00-0000' END {OF} ON CONFLICT DO NOTHING", "ROLLBACK"),
            ("unique", "BEGIN", f"INSERT INTO customers (id, name, ssn) SELECT 900000, 'x', CASE WHEN <cond> THEN c.ssn ELSE '000-00-0000' END {OF}", "ROLLBACK"),
            ("unique key", "BEGIN", f"INSERT INTO customers (id, name) SELECT CASE WHEN <cond> THEN 1 ELSE 900000 END, 'x' {OF}", "ROLLBACK"),
            ("check", "BEGIN", f"INSERT INTO customers (id, name, ssn) SELECT 900000, 'x', CASE WHEN <cond> THEN 'x' ELSE '000-00-0000' END {OF}", "ROLLBACK"),
            ("check, of the value", "BEGIN", "UPDATE customers c SET ssn = CASE WHEN <cond> THEN c.ssn || 'x' ELSE c.ssn END WHERE c.id = <row>", "ROLLBACK"),
            ("NOT NULL", "BEGIN", f"INSERT INTO customers (id, name) SELECT 900000, CASE WHEN <cond> THEN 'x' END {OF}", "ROLLBACK"),
            ("foreign key", "BEGIN", f"INSERT INTO kyc (id, ssn) SELECT 900000, CASE WHEN <cond> THEN c.ssn ELSE '000-00-0000' END {OF}", "ROLLBACK"),
            ("foreign key of an id", "BEGIN", f"INSERT INTO orders (id, customer_id) SELECT 900000, CASE WHEN <cond> THEN 1 ELSE -1 END {OF}", "ROLLBACK"),
            ("update", "BEGIN", "UPDATE customers c SET ssn = CASE WHEN <cond> THEN '529-47-8163' ELSE c.ssn END WHERE c.id = <row>", "ROLLBACK"),
            ("upsert", "BEGIN", f"INSERT INTO customers (id, name, ssn) SELECT 900000, 'x', CASE WHEN <cond> THEN c.ssn ELSE '000-00-0000' END {OF} ON CONFLICT (ssn) DO UPDATE SET name = customers.name RETURNING id = 900000", "ROLLBACK"),
            ("primary key, not deferred", "BEGIN", "UPDATE customers c SET id = CASE WHEN <cond> THEN 1 ELSE c.id END WHERE c.id = <row>", "ROLLBACK"),
            conditions=USUAL,
        ),
    ),
)  # fmt: skip
