"""A case of every kind through a real gateway, and through one whose labels were taken away."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.leaks import __main__ as program
from tests.leaks import cases, report, world
from tests.leaks.cases import Case, Corpus
from tests.leaks.judge import Fault, Judged
from tests.leaks.world import LeakGateway, LeakServer

SSN = "529-47-8163"
pytestmark = pytest.mark.server

KINDS = (
    "pg-alias-01",  # query
    "pg-protocol-02",  # extended, binary
    "pg-protocol-13",  # parse, bind, execute, sync
    "pg-protocol-61",  # describe, formats by column
    "pg-protocol-21",  # close
    "pg-protocol-26",  # FunctionCall
    "pg-protocol-28",  # start-up options
    "pg-protocol-36",  # replication
    "pg-protocol-44",  # COPY in
    "pg-protocol-46",  # CopyFail
    "pg-protocol-47",  # SSLRequest
    "pg-protocol-51",  # protocol 2
    "pg-protocol-54",  # NUL in a Query
    "pg-catalog-06",  # two sessions
    "pg-blocked-66",  # pipeline
    "pg-blocked-01",  # an effect
    "pg-copy-01",
    "pg-error-01",
    "pg-harmless-09",
    "pg-inference-01",  # both policies
)


@pytest.fixture(scope="module")
def server() -> Iterator[LeakServer]:
    with world.served(15, cases.load()) as served:
        yield served


@pytest.fixture(scope="module")
def corpus(server: LeakServer) -> Corpus:
    return server.corpus


READ = "SELECT ssn FROM customers WHERE id=1"
MORE = (
    Case("split", "protocol", "mask", ({"query": READ, "split": 3},), (SSN,)),
    Case("gss", "protocol", "mask", ({"gssenc_request": 1}, {"query": READ}), (SSN,)),
    Case("idle", "protocol", "mask", ({"query": READ, "until_idle": 0.3},), (SSN,)),
    Case(
        "cancel", "protocol", "mask", ({"cancel": 1, "target": "SELECT pg_sleep(8)"}, {"query": READ}), (SSN,)
    ),
)
"""Kinds of steps that the corpus does not hold now; other corpora in its format do."""


def ran(server: LeakServer, directory: Path, *ids: str, more: Sequence[Case] = ()) -> dict[str, Judged]:
    gateway = LeakGateway(server, directory / "gateway", world.POLICIES)
    chosen = [case for case in server.corpus.cases if case.id in ids]
    assert len(chosen) == len(ids)
    chosen += more
    try:
        return {judged.case.id: judged for judged in program.through(server, gateway, chosen)}
    finally:
        gateway.stop()


def test_a_case_of_every_kind_holds(server: LeakServer, tmp_path: Path) -> None:
    judged = ran(server, tmp_path, *KINDS, more=MORE)
    assert {name: each.faults for name, each in judged.items() if not each.is_ok} == {}
    assert report.is_passed({"15": list(judged.values())})


def test_without_labels_the_same_cases_leak(server: LeakServer, tmp_path: Path) -> None:
    """The harness would notice a gateway that masks nothing."""
    whole = server.corpus
    server.corpus = dataclasses.replace(whole, columns={})
    try:
        judged = ran(
            server, tmp_path, "pg-alias-01", "pg-protocol-02", "pg-copy-01", "pg-error-01", "pg-harmless-09"
        )
    finally:
        server.corpus = whole
    leaking = {name for name, each in judged.items() if Fault.LEAK in each.faults}
    assert leaking == {"pg-alias-01", "pg-protocol-02", "pg-copy-01", "pg-error-01"}
    assert not report.is_passed({"15": list(judged.values())})


def test_the_same_cases_are_true_without_a_gateway(server: LeakServer, corpus: Corpus) -> None:
    untrue: dict[str, str] = {}
    list(program.claims(server, [case for case in corpus.cases if case.id in KINDS], untrue))
    assert untrue == {}


def test_the_counts_are_written_for_programs(tmp_path: Path) -> None:
    out = tmp_path / "counts.json"
    assert program.main(["--server", "15", "--only", "pg-blocked-01", "--json", str(out)]) == 0
    counts = {"cases": 1, "leaks": 0, "effects": 0, "false_refusals": 0, "over_refused": 0, "failed": []}
    assert json.loads(out.read_text()) == {"blocked": counts}
