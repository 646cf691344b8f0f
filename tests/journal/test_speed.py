"""Every forward waits for an append: this notices when it becomes slow by an order of magnitude."""

from __future__ import annotations

import time

from narrows.journal import Limits
from narrows.model.statement import Parameter
from tests.journal.support import Place, statement

_LIMIT_US = 150.0


def test_an_append_costs_microseconds(place: Place) -> None:
    """CPU time of the best of five rounds, with facts and a value; about 13 us where it was written."""
    journal = place.open(limits=Limits())
    record, facts = statement("SELECT name FROM customers WHERE id = $1"), {"entities": ["x" * 50] * 50}
    parameters = (Parameter(b"12345", False, 23),)
    rounds = []
    for _ in range(5):
        began = time.thread_time()
        for _ in range(500):
            journal.append(record, facts=facts, parameters=parameters)
        rounds.append((time.thread_time() - began) / 500 * 1e6)
    journal.close()
    assert min(rounds) < _LIMIT_US
