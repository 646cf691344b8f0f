"""What pgbench prints and logs."""

from __future__ import annotations

import pytest

from bench.pgbench import PgbenchError, Printed, parse_latencies, parse_output

PRINTED = """\
pgbench (15.18 (Debian 15.18-0+deb12u1))
transaction type: <builtin: select only>
scaling factor: 10
query mode: simple
number of clients: 8
number of threads: 2
maximum number of tries: 1
duration: 3 s
number of transactions actually processed: 42375
number of failed transactions: {failed} (0.000%)
latency average = 0.566 ms
initial connection time = 12.034 ms
tps = 14128.120913 (without initial connection time)
"""


def test_the_figures_are_read() -> None:
    assert parse_output(PRINTED.format(failed=0)) == Printed(42375, 14128.120913)


def test_of_a_counted_run_the_first_number_is_what_was_done() -> None:
    text = PRINTED.format(failed=0).replace("42375", "8/8")
    assert parse_output(text).transactions == 8


def test_a_run_with_failures_has_no_figures() -> None:
    with pytest.raises(PgbenchError, match="failed transactions: 3"):
        parse_output(PRINTED.format(failed=3))


@pytest.mark.parametrize("text", ["", "pgbench: error: connection refused", PRINTED.replace("42375", "0")])
def test_a_run_without_figures_is_a_failure(text: str) -> None:
    with pytest.raises(PgbenchError, match="no figures"):
        parse_output(text)


def test_latencies_are_the_third_field() -> None:
    lines = ["0 1 1250 0 1795341234 123456", "7 199 87 0 1795341234 999999"]
    assert parse_latencies(lines) == [1.25, 0.087]
