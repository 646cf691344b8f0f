"""Attempts: one way of asking, rehearsed on the attacker's own rows, then used on the others until the budget ends.

    Bisect    asks about one row at a time; whatever of the answer differs between yes and no is the answer
    Digits    the same for a digit, of which there are ten answers
    Sweep     asks about all rows at once; what stands beside each id is its answer
    Harvest   reads values off one answer

Law: an answer that was not seen in the rehearsal tells nothing.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.leaks.attacker.asking import Answer, Asker, Say
from tests.leaks.attacker.conditions import Condition, Written
from tests.leaks.attacker.knowledge import Knowledge, Values
from tests.leaks.attacker.prey import Prey
from tests.leaks.attacker.questions import Class, DigitAt, Question, next_split, rehearsed
from tests.leaks.attacker.space import SSN, Space, place

REHEARSALS = 6
"""Pairs of a yes and a no that must be told apart before anything counts."""
SLOWER = 2.0
"""How many times the slowest quick answer a slow one must take."""
_FRESH = itertools.count(1)

Decoder = Callable[[Answer], Class | None]
View = Callable[[Answer], Hashable]
Text = str | Say
"""A plain text is said in the first session by a simple Query."""


class Attempt(Protocol):
    """One way of asking."""

    @property
    def name(self) -> str: ...

    def run(self, asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Knowledge | None:
        """What was learned within the budget of statements; None where the rehearsal told nothing."""


def fill(texts: Sequence[Text], row: int, written: Written, digit: str = "") -> list[Say]:
    """The statements of one question: <row>, <cond>, <digit> and <n>, a number that is used once."""
    fresh = str(next(_FRESH))
    found = []
    for each in texts:
        say = each if isinstance(each, Say) else Say(each)
        text = say.text.replace("<row>", str(row)).replace("<cond>", written.sql)
        text = text.replace("<digit>", digit).replace("<n>", fresh)
        parameters = (written.parameters or say.parameters) if "$1" in text else ()
        found.append(Say(text, say.session, say.how, parameters))
    return found


@dataclass(frozen=True)
class Bisect:
    """One row, one bit."""

    name: str
    texts: tuple[Text, ...]
    condition: Condition
    is_timed: bool = False
    setup: tuple[Text, ...] = ()

    def run(self, asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Values | None:
        with asker.rehearsing():
            _set_up(asker, self.setup)
            decode = self._rehearse(asker, prey, rng)
        if decode is None:
            return None
        space = self.condition.space
        learned, start = Values(space), asker.used
        rows = list(prey.truth(space))
        rng.shuffle(rows)
        for row in rows:
            while asker.used - start < budget and (question := next_split(space, learned.of(row))):
                answer = decode(asker.ask(self._says(row, question)))
                if answer is None:
                    break
                learned.learn(row, question.left(learned.of(row), answer))
        return learned

    def _says(self, row: int, question: Question) -> list[Say]:
        return fill(self.texts, row, self.condition.write(question))

    def _rehearse(self, asker: Asker, prey: Prey, rng: random.Random) -> Decoder | None:
        space = self.condition.space
        own = prey.own(space)
        seen: list[tuple[Class, Answer]] = []
        for row in rng.sample(list(own), REHEARSALS):
            questions = [(truth, rehearsed(space, own[row], truth, rng)) for truth in (True, False)]
            seen += [(truth, asker.ask(self._says(row, each))) for truth, each in questions if each]
            if len(seen) == 2 and not self.is_timed and seen[0][1].whole == seen[1][1].whole:
                return None
        return clock(seen) if self.is_timed else decoder(seen)


@dataclass(frozen=True)
class Digits:
    """One row, one digit."""

    name: str
    texts: tuple[Text, ...]
    setup: tuple[Text, ...] = ()

    def run(self, asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Values | None:
        with asker.rehearsing():
            _set_up(asker, self.setup)
            decode = self._rehearse(asker, prey, rng)
        if decode is None:
            return None
        learned, start = Values(SSN), asker.used
        rows = list(prey.truth(SSN))
        rng.shuffle(rows)
        for row in rows:
            for at in range(9):
                if asker.used - start >= budget:
                    return learned
                if (answer := decode(asker.ask(self._says(row, at)))) is None:
                    break
                learned.learn(row, DigitAt(at).left(learned.of(row), answer))
        return learned

    def _says(self, row: int, at: int) -> list[Say]:
        return fill(self.texts, row, Written(""), f"substr(c.ssn, {place(at)}, 1)")

    def _rehearse(self, asker: Asker, prey: Prey, rng: random.Random) -> Decoder | None:
        """Every digit twice."""
        own = prey.own(SSN)
        places = [(row, at) for row in own for at in range(9)]
        rng.shuffle(places)
        by_digit: dict[Class, list[tuple[int, int]]] = defaultdict(list)
        for row, at in places:
            by_digit[DigitAt(at).class_of(own[row])].append((row, at))
        seen: list[tuple[Class, Answer]] = []
        for turn in range(2):
            for truth, found in by_digit.items():
                seen.append((truth, asker.ask(self._says(*found[turn % len(found)]))))
                if len(seen) == 4 and len({answer.whole for _, answer in seen}) == 1:
                    return None
        return decoder(seen)


@dataclass(frozen=True)
class Sweep:
    """All rows, one question: an answer has the id in its first column, and what else it says of that row."""

    name: str
    texts: tuple[Text, ...]
    condition: Condition
    questions: Callable[[Prey, random.Random], Iterable[Question]]
    rehearsals: Callable[[Prey, random.Random], Iterable[Question]]
    setup: tuple[Text, ...] = ()

    def run(self, asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Values | None:
        space = self.condition.space
        own = prey.own(space)
        with asker.rehearsing():
            _set_up(asker, self.setup)
            decode = self._rehearse(asker, prey, rng)
        if decode is None:
            return None
        learned, start = Values(space), asker.used
        for question in self.questions(prey, rng):
            if asker.used - start >= budget:
                break
            found = marks(asker.ask(self._says(question)))
            if any(decode.get(found.get(row, ()), truth) != truth for row, truth in _answers(question, own)):
                continue
            for row in prey.truth(space):
                if (answer := decode.get(found.get(row, ()))) is not None:
                    learned.learn(row, question.left(learned.of(row), answer))
        return learned

    def _says(self, question: Question) -> list[Say]:
        return fill(self.texts, 0, self.condition.write(question))

    def _rehearse(self, asker: Asker, prey: Prey, rng: random.Random) -> Mapping[Hashable, Class] | None:
        own = prey.own(self.condition.space)
        seen: dict[Hashable, set[Class]] = defaultdict(set)
        for question in self.rehearsals(prey, rng):
            found = marks(asker.ask(self._says(question)))
            for row, truth in _answers(question, own):
                seen[found.get(row, ())].add(truth)
        decode = {mark: truths.pop() for mark, truths in seen.items() if len(truths) == 1}
        return decode if len(decode) == len(seen) > 1 else None


@dataclass(frozen=True)
class Harvest:
    """Whatever `collect` makes of the answers to statements of its own; checked on the attacker's rows."""

    name: str
    collect: Callable[[Asker, Prey, int, random.Random], Knowledge | None]

    def run(self, asker: Asker, prey: Prey, budget: int, rng: random.Random) -> Knowledge | None:
        return self.collect(asker, prey, budget, rng)


def decoder(seen: Sequence[tuple[Class, Answer]]) -> Decoder | None:
    """By what tells the answers apart, and comes again."""
    for view in views(max(len(answer.replies) for _, answer in seen)):
        if found := _by_mark(seen, view):
            return found
    return None


def views(replies: int) -> Iterable[View]:
    """Ways to look at an answer, the sharpest first; also at each reply of it by itself."""
    yield lambda answer: answer.whole
    yield lambda answer: answer.shape
    yield lambda answer: answer.numbers
    for at in range(replies):
        yield lambda answer, at=at: answer.only(at).whole  # type: ignore[misc]
        yield lambda answer, at=at: answer.only(at).shape  # type: ignore[misc]


def _by_mark(seen: Sequence[tuple[Class, Answer]], view: View) -> Decoder | None:
    """One mark for each truth, the same whenever it is the truth."""
    table = {view(answer): truth for truth, answer in seen}
    if len(table) != len({truth for truth, _ in seen}):
        return None
    if any(table[view(answer)] != truth for truth, answer in seen):
        return None
    return lambda answer: table.get(view(answer))


def clock(seen: Sequence[tuple[Class, Answer]]) -> Decoder | None:
    """By how long it takes, where the slow answers are far from the quick ones."""
    times = {truth: sorted(sum(a.seconds) for t, a in seen if t is truth) for truth in (True, False)}
    slow = max((True, False), key=lambda truth: times[truth][0])
    quickest, slowest = times[slow][0], times[not slow][-1]
    if quickest < SLOWER * slowest:
        return None
    limit = (quickest * slowest) ** 0.5
    return lambda answer: slow if sum(answer.seconds) > limit else not slow


def marks(answer: Answer) -> dict[int, Hashable]:
    """A row's id -> what stands beside it, and how often it came."""
    found: dict[int, list[tuple[str | None, ...]]] = defaultdict(list)
    for first, *rest in answer.rows:
        if first is not None and first.isdigit():
            found[int(first)].append(tuple(rest))
    return {row: (len(each), each[0]) for row, each in found.items()}


def _answers(question: Question, own: Mapping[int, int]) -> Iterable[tuple[int, Class]]:
    return ((row, question.class_of(number)) for row, number in own.items())


def _set_up(asker: Asker, texts: Sequence[Text]) -> None:
    if texts:
        asker.ask(fill(texts, 0, Written("")))


def by_row(
    *phrases: tuple[str | Text, ...],
    conditions: Iterable[Condition],
    is_timed: bool = False,
    setup: tuple[Text, ...] = (),
) -> list[Bisect]:
    """A name and its texts, with every one of the conditions."""
    return [
        Bisect(f"{name}, {condition.name}", tuple(texts), condition, is_timed, setup)
        for name, *texts in phrases
        for condition in conditions
        if isinstance(name, str)
    ]


def by_digit(*phrases: tuple[str | Text, ...], setup: tuple[Text, ...] = ()) -> list[Digits]:
    return [Digits(name, tuple(texts), setup) for name, *texts in phrases if isinstance(name, str)]


def values_of(space: Space, prey: Prey, pairs: Iterable[tuple[int, str | None]]) -> Values | None:
    """Values that were read beside ids; None where those of the attacker's own rows are not what they are."""
    learned, right, wrong = Values(space), 0, 0
    for row, text in pairs:
        try:
            number = space.number(text or "")
        except ValueError:
            continue
        if row in prey.own(space):
            right, wrong = (right + 1, wrong) if prey.own(space)[row] == number else (right, wrong + 1)
        elif row in prey.truth(space) and 0 <= number < space.size:
            learned.learn(row, learned.of(row).within(number, number + 1))
    return learned if right > 20 * wrong else None


@dataclass(frozen=True)
class Oracle:
    """A channel by which answers depend on secrets, and the attempts to use it."""

    name: str
    about: str
    attempts: Sequence[Attempt]
