"""`make bench ARGS=--analysis`: what it costs to know what a statement does, the first time and from then on.

Laws: CPU time of this thread, since walls say more about the neighbours; warm, so that what is made once for a schema is
there already; each statement's figure is the median of its rounds, and the table tells of all statements.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from bench import report
from bench.cases import Case
from bench.numbers import median, percentile
from bench.results import Detail, Figure, Results
from narrows.inspect import sql
from narrows.model.label import Labels
from narrows.model.secret import Secret
from narrows.relay.postgres import asking
from narrows.relay.postgres.known import Cache, Known
from narrows.relay.postgres.session import Session
from narrows.relay.postgres.settings import Context
from narrows.relay.postgres.state import State
from tests.inspect.sql import sample
from tests.servers.fetch import PROJECT

CASES = (
    Case("analysis_miss_us", "analysis of a statement that was not seen before: CPU, median", "us", 150, 100),
    Case("analysis_hit_us", "finding the analysis of one that was: CPU, median", "us", 3, 1),
)

TYPICAL = """
SELECT amount FROM orders WHERE id = 4711
UPDATE orders SET amount = amount + -42 WHERE id = 4711
INSERT INTO audit_log (who, msg) VALUES ('4711', '-42')
BEGIN
COMMIT
SELECT orders.id, orders.customer_id, orders.amount, orders.status FROM orders WHERE orders.id = $1::INTEGER
SELECT "customers"."id", "customers"."name", "customers"."vip" FROM "customers" WHERE "customers"."id" = $1 LIMIT 21
SELECT t0.id, t0.name FROM public.customers AS t0 WHERE t0.id IN ($1, $2, $3) ORDER BY t0.name ASC LIMIT 50 OFFSET 0
SELECT o.id, c.name FROM orders o LEFT OUTER JOIN customers c ON c.id = o.customer_id WHERE o.status = $1
INSERT INTO orders (id, customer_id, amount, status, created) VALUES ($1, $2, $3, $4, $5) RETURNING orders.id
UPDATE "orders" SET "status" = $1, "amount" = $2 WHERE "orders"."id" = $3
DELETE FROM orders WHERE orders.id = $1
INSERT INTO orders (id, status) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET status = excluded.status
SELECT count(*) AS count_1 FROM (SELECT orders.id AS orders_id FROM orders WHERE orders.amount > $1) AS anon_1
SELECT EXISTS(SELECT 1 FROM orders WHERE orders.customer_id = $1)
SAVEPOINT sa_savepoint_1
SET LOCAL statement_timeout = 5000
""".strip().splitlines()
"""As pgbench, SQLAlchemy, Django and Prisma write them."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How often each statement is measured, and how many hits are timed at once: one is shorter than the clock."""

    rounds: int = 60
    hits: int = 1000


WHOLE = Extent()


def statements() -> list[str]:
    """Everyday statements of the sample schema."""
    harmless = yaml.safe_load((PROJECT / "tests" / "inspect" / "sql" / "harmless.yaml").read_text())
    return [row["sql"] for row in harmless] + TYPICAL


def run(extent: Extent) -> Results:
    """Both figures, and what stands behind them."""
    texts = statements()
    forgetful, session = _session(Cache(entries=0)), _session(Cache())
    kept = [text for text in texts if _is_kept(session, text)]
    found = {
        "analysed": [_timed(_analyse, text, extent.rounds) for text in texts],
        "analysed and derived from": [_timed(_find(forgetful), text, extent.rounds) for text in texts],
        "found": [_timed(_find(session), text, extent.rounds, extent.hits) for text in kept],
    }
    return Results(
        {
            "analysis_miss_us": Figure(median(found["analysed"])),
            "analysis_hit_us": Figure(median(found["found"])),
        },
        [_detail(found)],
    )


def written(results: Results) -> dict[str, dict[str, object]]:
    return {case.name: report.entry(case, report.figure_of(case, results)) for case in CASES}


def shown(results: Results) -> str:
    return f"{report.details(results)}\n\n{report.summary(results, CASES)}"


def _detail(found: dict[str, list[float]]) -> Detail:
    rows = tuple(
        (name, str(len(each)), f"{median(each):.2f}", f"{percentile(each, 95):.2f}", f"{max(each):.2f}")
        for name, each in found.items()
    )
    return Detail("CPU in microseconds, over statements", ("", "statements", "median", "p95", "most"), rows)


def _timed(once: Callable[[str], object], text: str, rounds: int, times: int = 1) -> float:
    """The median CPU microseconds of one call, after a few that are not counted."""
    taken = []
    for _ in range(WARM + rounds):
        began = time.thread_time_ns()
        for _ in range(times):
            once(text)
        taken.append(time.thread_time_ns() - began)
    return median(taken[WARM:]) / 1000 / times


WARM = 3
STATE = sql.SessionState()


def _analyse(text: str) -> None:
    sql.analyse_inline(text, sample.VIEW, STATE)


def _session(cache: Cache) -> State:
    labels = Labels(databases={(sample.SNAPSHOT.connection, sample.SNAPSHOT.database): sample.VIEW.labels})
    context = Context(sample.VIEW, labels, Secret("mask key of the bench"), cache)
    return Session(context)._state


def _find(session: State) -> Callable[[str], Known | None]:
    """As the relay does for each Query and Parse."""
    return lambda text: asking.known(session, text, _never)


def _is_kept(session: State, text: str) -> bool:
    """Whether it is found again; what depends on names is not."""
    return _find(session)(text) is session.texts().get(text)


def _never(_refusal: object) -> None:
    raise AssertionError("nobody is asked")
