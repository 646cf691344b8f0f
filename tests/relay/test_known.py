"""The cache of analyses: shared, bounded over everything, never stale."""

from __future__ import annotations

from narrows.inspect.sql import SessionFacts, analyse
from narrows.relay.postgres.known import Cache, Known, basis_of
from tests.relay.talk import PLAIN_VIEW, VIEW


def known(text: str) -> Known:
    return Known(analyse(text, VIEW))


def test_equal_bases_share_their_texts() -> None:
    cache = Cache()
    first = cache.under(basis_of(VIEW, SessionFacts(), False, False))
    first.put("select 1", known("select 1"))
    assert cache.under(basis_of(VIEW, SessionFacts(), False, False)).get("select 1") is not None


def test_another_view_other_facts_or_a_changed_schema_share_nothing() -> None:
    cache = Cache()
    bases = [
        basis_of(VIEW, SessionFacts(), False, False),
        basis_of(PLAIN_VIEW, SessionFacts(), False, False),
        basis_of(VIEW, SessionFacts(search_path=("other",)), False, False),
        basis_of(VIEW, SessionFacts(), True, False),
        basis_of(VIEW, SessionFacts(), False, True),
    ]
    cache.under(bases[0]).put("select 1", known("select 1"))
    assert [cache.under(basis).get("select 1") is None for basis in bases] == [False, True, True, True, True]


def test_what_depends_on_names_or_was_refused_is_not_kept() -> None:
    texts = Cache().under(basis_of(VIEW, SessionFacts(), False, False))
    for text in ("execute p", "fetch c", "explain execute p", "selec"):
        texts.put(text, known(text))
    assert len(texts) == 0


def test_the_bounds_hold_over_all_bases_together() -> None:
    cache = Cache(entries=10, bytes_kept=1000, bases=3)
    found = known("select 1")
    for number in range(200):
        basis = basis_of(VIEW, SessionFacts(search_path=(f"s{number % 7}",)), False, False)
        cache.under(basis).put(f"select {number} " + " " * (number % 90), found)
        assert cache.entries <= 10
        assert cache.bytes <= 1000
    assert cache.entries > 0


def test_a_dropped_basis_keeps_nothing_more() -> None:
    cache = Cache(bases=1)
    first = cache.under(("a",))
    first.put("select 1", known("select 1"))
    cache.under(("b",))
    assert first.is_dropped
    first.put("select 2", known("select 2"))
    assert len(first) == 1


def test_the_oldest_of_all_go_first() -> None:
    cache = Cache(entries=2)
    one, other = cache.under(("a",)), cache.under(("b",))
    found = known("select 1")
    one.put("select 1", found)
    other.put("select 2", found)
    one.put("select 3", found)
    assert [one.get("select 1"), other.get("select 2"), one.get("select 3")] == [None, found, found]
