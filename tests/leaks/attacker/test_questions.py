"""A true answer never excludes the secret, and every way of writing a question asks that question."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.leaks.attacker.conditions import BELOW, DAYS, SPLITS
from tests.leaks.attacker.knowledge import Possible
from tests.leaks.attacker.questions import DigitAt, DigitBelow, Split, Window, next_split, rehearsed
from tests.leaks.attacker.space import DOB, SSN, Space

SECRETS = st.integers(0, SSN.size - 1)


@given(SECRETS, st.sampled_from([SSN, DOB]))
def test_bisection_ends_at_the_secret(number: int, space: Space) -> None:
    secret, possible, asked = number % space.size, Possible.all_of(space), 0
    while question := next_split(space, possible):
        possible = question.left(possible, question.class_of(secret))
        asked += 1
        assert secret in possible
    assert possible.size == 1
    assert asked <= (4 * 9 if space is SSN else 15)


@given(SECRETS, st.integers(0, 8), st.integers(1, 9))
def test_digits_narrow_once_those_before_them_are_known(secret: int, at: int, limit: int) -> None:
    possible = Possible.all_of(SSN)
    for before in range(at):
        digit = DigitAt(before)
        possible = digit.left(possible, digit.class_of(secret))
    assert possible.size == 10 ** (9 - at)
    below = DigitBelow(at, limit)
    left = below.left(possible, below.class_of(secret))
    assert secret in left
    assert left.size == possible.size // 10 * (limit if below.class_of(secret) else 10 - limit)


def test_a_digit_says_nothing_while_those_before_it_are_not_known() -> None:
    possible = Possible.all_of(SSN)
    assert DigitBelow(3, 5).left(possible, True) == possible


@given(st.integers(0, DOB.size - 1), st.integers(0, DOB.size - 20))
def test_a_guess_that_fails_excludes_the_guesses(secret: int, low: int) -> None:
    window = Window(DOB, low, low + 20)
    left = window.left(Possible.all_of(DOB), window.class_of(secret))
    assert secret in left
    assert left.size == (20 if window.class_of(secret) else DOB.size - 20)


@given(SECRETS, st.booleans(), st.randoms(use_true_random=False))
def test_a_rehearsal_knows_its_answer(secret: int, truth: bool, rng: random.Random) -> None:
    question = rehearsed(SSN, secret, truth, rng)
    assert question is None or question.class_of(secret) is truth


@given(SECRETS, st.booleans(), st.randoms(use_true_random=False))
def test_ranges_and_patterns_ask_the_question(secret: int, truth: bool, rng: random.Random) -> None:
    question = rehearsed(SSN, secret, truth, rng)
    if question is None:
        return
    text = SSN.text(secret)
    limit = _constants(SPLITS["range"].write(question).sql)[0]
    pattern = _constants(SPLITS["regex"].write(question).sql)[0]
    heads = [like.rstrip("%") for like in _constants(SPLITS["like"].write(question).sql)]
    left = _constants(SPLITS["left"].write(question).sql)
    assert (text < limit) is truth
    assert bool(re.match(pattern, text)) is truth
    assert any(map(text.startswith, heads)) is truth
    assert any(map(text.startswith, left)) is truth


@pytest.mark.parametrize("at", range(9))
def test_one_digit_of_all_rows_is_asked_alike(at: int) -> None:
    question = DigitBelow(at, 4)
    pattern = _constants(BELOW["regex"].write(question).sql)[0]
    for secret in (0, 123456789, 987654321, 444444444):
        assert bool(re.match(pattern, SSN.text(secret))) is question.class_of(secret)


def test_days_are_listed_one_by_one() -> None:
    window = Window(DOB, 100, 103)
    assert _constants(DAYS["in"].write(window).sql) == [DOB.text(day) for day in (100, 101, 102)]
    assert DAYS["in parameters"].write(window).parameters == tuple(DOB.text(day) for day in (100, 101, 102))
    half = Split(DOB, 0, 2, 4)
    assert DAYS["any"].write(half).sql == f"c.dob = ANY ('{{{DOB.text(0)},{DOB.text(1)}}}')"


def _constants(sql: str) -> list[str]:
    return re.findall(r"'([^']*)'", sql)
