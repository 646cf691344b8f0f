"""The engine against made-up servers: an honest one, a silent one, a random one, one that lies after the rehearsal."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

import pytest

from tests.leaks.attacker import engine, outcome, prey
from tests.leaks.attacker.asking import Answer, Asker, Say
from tests.leaks.attacker.conditions import Condition, Written
from tests.leaks.attacker.knowledge import Values
from tests.leaks.attacker.oracles import ORACLES
from tests.leaks.attacker.oracles.where import below, some_below
from tests.leaks.attacker.phrasing import Bisect, Digits, Harvest, Oracle, Sweep, values_of
from tests.leaks.attacker.prey import KNOWN, SECRET, Prey
from tests.leaks.attacker.questions import DigitBelow, Question, Split
from tests.leaks.attacker.space import SSN
from tests.leaks.client import Client, Message

PREY = prey.draw(1)
ALL = PREY.secrets["ssn"] | PREY.known["ssn"]


def row(*cells: str) -> Message:
    packed = b"".join(struct.pack(">i", len(cell)) + cell.encode() for cell in cells)
    return "D", struct.pack(">h", len(cells)) + packed


class Pretended(Asker):
    """A server that is a function of the text; it takes no time unless it says so."""

    def __init__(self, reply: Callable[[str], list[Message]]) -> None:
        super().__init__(_nobody)
        self.reply = reply

    def _say(self, say: Say) -> tuple[Message, ...]:
        self._count(say.statements)
        return (*self.reply(say.text), ("Z", b"I"))


def _nobody() -> Client:
    raise AssertionError("nobody signs in")


def middle(question: Question) -> Written:
    assert isinstance(question, Split)
    return Written(str(question.middle))


BISECT = Bisect("one", ("<row> <cond>",), Condition("middle", SSN, middle))


def asked(text: str) -> bool:
    number, limit = map(int, text.split())
    return ALL[number] < limit


def told(
    attempt: Bisect | Digits | Sweep | Harvest, reply: Callable[[str], list[Message]], budget: int
) -> engine.Told:
    return engine.tell(Oracle("made up", "", (attempt,)), attempt, Pretended(reply), PREY, budget)


def test_an_honest_answer_is_a_bit_a_statement() -> None:
    found = told(BISECT, lambda text: [row(str(asked(text)))], 300)
    assert found.statements == 300
    assert 0.95 < found.bits / 300 <= 1.05
    assert found.rate == pytest.approx(found.bits * 1000 / 300)


def test_a_rehearsal_is_not_counted() -> None:
    assert told(BISECT, lambda text: [row("always")], 300).statements == 0


@pytest.mark.parametrize(
    "reply", [row("masked"), ("E", b"SERROR\0Cx\0Mrefused\0\0")], ids=["mask", "refusal"]
)
def test_the_same_answer_to_both_tells_nothing(reply: Message) -> None:
    assert told(BISECT, lambda text: [reply], 300).bits == 0


def test_random_answers_tell_nothing() -> None:
    rng = random.Random(3)
    for _ in range(50):
        assert told(BISECT, lambda text: [row(rng.choice("yn"))], 300).bits == 0


def test_answers_that_never_come_again_tell_nothing() -> None:
    rng = random.Random(3)
    assert told(BISECT, lambda text: [("C", str(rng.random()).encode())], 300).bits == 0


def test_lies_after_the_rehearsal_tell_nothing() -> None:
    found = told(BISECT, lambda text: [row(str(asked(text) is (int(text.split()[0]) in KNOWN)))], 300)
    assert found.statements == 300
    assert found.bits == 0


def test_noise_beside_the_answer_does_not_hide_it() -> None:
    """What differs each time (an id, a time) is left out where the shape is enough."""
    rng = random.Random(3)
    found = told(BISECT, lambda text: [row(str(rng.random()))] if asked(text) else [], 100)
    assert found.bits > 90


def test_time_is_an_answer_where_it_differs_enough() -> None:
    class Slow(Pretended):
        def ask(self, says: Sequence[Say]) -> Answer:
            return Answer(super().ask(says).replies, (0.05 if asked(says[0].text) else 0.001,))

    attempt = Bisect("timed", ("<row> <cond>",), Condition("middle", SSN, middle), is_timed=True)
    oracle = Oracle("made up", "", (attempt,))
    assert engine.tell(oracle, attempt, Slow(lambda text: []), PREY, 100).bits > 90
    assert engine.tell(oracle, attempt, Pretended(lambda text: []), PREY, 100).bits == 0


def test_a_digit_is_three_bits() -> None:
    def reply(text: str) -> list[Message]:
        number, at = text.split(" substr(c.ssn, ")
        return [row("x")] * int(SSN.text(ALL[int(number)])[int(at.split(",")[0]) - 1])

    assert told(Digits("digit", ("<row> <digit>",)), reply, 90).rate == pytest.approx(3322, rel=0.01)


def test_all_rows_at_once() -> None:
    def write(question: Question) -> Written:
        assert isinstance(question, DigitBelow)
        return Written(f"{question.at} {question.limit}")

    def reply(text: str) -> list[Message]:
        at, limit = map(int, text.split())
        question = DigitBelow(at, limit)
        return [row(str(number)) for number, secret in ALL.items() if question.class_of(secret)]

    sweep = Sweep("all", ("<cond>",), Condition("digit", SSN, write), below, some_below)
    found = told(sweep, reply, 1000)
    assert found.statements == 81
    assert found.bits == pytest.approx(len(SECRET) * 29.897, rel=0.001)
    assert told(sweep, lambda text: [row(str(number), "masked") for number in ALL], 1000).bits == 0


def harvested(shown: Callable[[int], str]) -> Harvest:
    def collect(asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Values | None:
        asker.ask([Say("everything")])
        return values_of(SSN, prey, ((number, shown(number)) for number in ALL))

    return Harvest("all", collect)


def test_a_whole_value_counts_whole() -> None:
    assert told(harvested(lambda number: SSN.text(ALL[number])), lambda text: [], 10).bits == pytest.approx(
        29_897, rel=0.001
    )


def test_a_mask_that_looks_like_a_value_is_none() -> None:
    assert told(harvested(lambda number: "000-00-0000"), lambda text: [], 10).bits == 0


def test_the_best_attempt_is_the_figure_and_the_others_are_named() -> None:
    def reply(text: str) -> list[Message]:
        return (
            [row(str(asked(text)))] if "twice" not in text else [row(str(asked(text.replace(" twice", ""))))]
        )

    twice = Bisect("two statements", ("<row> <cond>", "<row> <cond>"), Condition("middle", SSN, middle))
    silent = Bisect("silent", ("<row> <cond>",), Condition("nothing", SSN, lambda question: Written("0")))
    oracle = Oracle("made up", "", (twice, silent, BISECT))
    measured = engine.measure(oracle, lambda: Pretended(reply), lambda: Pretended(reply), PREY, 300)
    assert measured.best.attempt == "one"
    assert measured.best.statements == 300
    assert [each.attempt for each in measured.telling] == ["two statements", "one"]


def test_the_same_seed_gives_the_same_secrets() -> None:
    assert prey.draw(7) == prey.draw(7)
    assert prey.draw(7) != prey.draw(8)


def test_oracles_have_names_of_their_own() -> None:
    assert len({oracle.name for oracle in ORACLES}) == len(ORACLES)
    for oracle in ORACLES:
        names = [attempt.name for attempt in oracle.attempts]
        assert sorted(set(names)) == sorted(names), oracle.name


def _measured(bits: float) -> engine.Measured:
    return engine.Measured(engine.Told("some way", bits, 100), (), 1)


def test_a_single_bit_under_strict_fails() -> None:
    clean = {"15": {"range": {"strict": _measured(0), "default": _measured(500)}}}
    leaking = {**clean, "18": {"range": {"strict": _measured(1), "default": _measured(0)}}}
    assert outcome.is_passed(clean)
    assert not outcome.is_passed(leaking)
    assert outcome.figures(leaking) == {"range": {"strict": 10.0, "default": 5000.0}}


def test_directly_an_oracle_that_learns_little_fails() -> None:
    assert outcome.is_passed({"15": {"range": {"direct": _measured(90)}}})
    assert not outcome.is_passed({"15": {"range": {"direct": _measured(1)}}})
    assert not outcome.is_passed({})
