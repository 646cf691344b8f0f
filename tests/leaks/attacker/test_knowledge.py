"""Bits are counted as they are: what is true counts whole, what is not costs what a guess would have earned."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.leaks.attacker.knowledge import Order, Possible, Presence, Values
from tests.leaks.attacker.space import CARD, DOB, SPACES, SSN, Space, place

NUMBERS = st.integers(0, 60)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.column)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999999])
def test_a_secret_is_read_back_from_its_text(space: Space, share: float) -> None:
    number = int(share * space.size)
    assert space.number(space.text(number)) == number


def test_digits_stand_where_sql_finds_them() -> None:
    text = SSN.text(123456789)
    assert text == "123-45-6789"
    assert [text[place(digit) - 1] for digit in range(9)] == list("123456789")


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_what_is_possible_is_a_set(low: int, high: int, one: int, other: int, number: int) -> None:
    one, other = sorted((one, other))
    possible = Possible(((0, 60),)).without(one, other).within(low, high)
    numbers = {each for each in range(60) if not one <= each < other and low <= each < high}
    assert possible.size == len(numbers)
    assert (number in possible) == (number in numbers)
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(possible.intervals))


def test_a_value_that_is_known_is_worth_all_of_it() -> None:
    values = Values(SSN, {7: Possible(((42, 43),))})
    assert values.bits({7: 42}) == pytest.approx(math.log2(10**9))


def test_half_of_a_value_is_one_bit_and_a_wrong_half_costs_one() -> None:
    half = Possible(((0, SSN.size // 2),))
    assert Values(SSN, {1: half}).bits({1: 5}) == pytest.approx(1)
    assert Values(SSN, {1: half}).bits({1: SSN.size - 1}) == pytest.approx(-1)


def test_a_wrong_value_is_worth_nothing() -> None:
    assert Values(SSN, {1: Possible(((42, 43),))}).bits({1: 7}) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("width", [2, 100, DOB.size // 4, DOB.size - 1])
def test_guessing_earns_nothing_on_average(width: int) -> None:
    guess = Values(DOB, {1: Possible(((0, width),))})
    right = width / DOB.size
    average = right * guess.bits({1: 0}) + (1 - right) * guess.bits({1: DOB.size - 1})
    assert average == pytest.approx(0, abs=1e-9)


def test_what_contradicts_everything_changes_nothing() -> None:
    values = Values(SSN)
    values.learn(1, Possible(()))
    assert values.of(1) == Possible.all_of(SSN)


def test_a_value_somewhere_is_worth_less_than_one_in_its_row() -> None:
    truth = {row: row * 97 for row in range(1000)}
    bits = Presence(CARD, 1000, {0, 97}).bits(truth)
    assert bits == pytest.approx(2 * math.log2(CARD.size / 1000), rel=0.01)


def test_sweeping_everything_tells_which_set_it_was() -> None:
    truth = {row: row * 97 for row in range(1000)}
    whole = Presence(CARD, 1000, set(truth.values()), [(0, 50_000), (50_000, CARD.size)])
    expected = math.lgamma(100_001) - math.lgamma(1001) - math.lgamma(99_001)
    assert whole.bits(truth) == pytest.approx(expected / math.log(2))


@pytest.mark.parametrize(
    "wrong",
    [Presence(CARD, 3, {1, 2}), Presence(CARD, 3, {1}, [(0, 10)])],
    ids=["is not there", "is there, and said not to be"],
)
def test_anything_untrue_of_a_set_makes_it_worth_nothing(wrong: Presence) -> None:
    assert wrong.bits({1: 1, 2: 5, 3: 99}) == 0


def test_an_order_is_worth_its_permutations() -> None:
    truth = {row: row * 1000 for row in range(1, 6)}
    assert Order(SSN, [1, 2, 3, 4, 5], {}).bits(truth) == pytest.approx(math.log2(120))
    assert Order(SSN, [1, 2, 4, 3, 5], {}).bits(truth) == 0


def test_rows_of_his_own_bound_their_neighbours() -> None:
    known = {100: SSN.size // 2 - 1}
    order = Order(SSN, [1, 100, 2], known)
    assert order.bits({1: 5, 2: SSN.size - 1}) == pytest.approx(2, abs=0.001)
    assert order.bits({1: SSN.size - 1, 2: SSN.size - 2}) == pytest.approx(1, abs=0.001)


def test_random_orders_earn_nearly_nothing() -> None:
    rng, truth = random.Random(1), {row: row for row in range(1, 21)}
    orders = [Order(SSN, rng.sample(list(truth), 20), {}) for _ in range(1000)]
    assert sum(order.bits(truth) for order in orders) == 0
