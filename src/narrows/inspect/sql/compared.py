"""With how many values a column is compared: what stands in the text, and arrays that only a Bind brings.

Laws: a sum with something unknown in it is unknown; comparing one by one, in several branches or statements, adds
up to what comparing with one list would; an array that is not bound yet never counts as few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from narrows.inspect.sql import arrays
from narrows.model.statement import Operation, Parameter

FACT = "values"
"""The fact of a `filter` that says how many."""

MOST_ARRAYS = 64
"""More mentions of array parameters in one column's conditions are as good as unknown."""


@dataclass(frozen=True, slots=True)
class Compared:
    """`values` so far, and the numbers of the parameters whose elements come on top."""

    values: int
    arrays: tuple[int, ...] = ()

    def __add__(self, other: Compared) -> Compared:
        parameters = self.arrays + other.arrays
        if len(parameters) > MOST_ARRAYS:
            return UNKNOWN
        return Compared(added(self.values, other.values), parameters)


NOTHING = Compared(0)
ONE = Compared(1)
UNKNOWN = Compared(arrays.UNKNOWN)


def added(one: int, other: int) -> int:
    return arrays.UNKNOWN if arrays.UNKNOWN in (one, other) else one + other


def facts(kind: str, compared: Compared) -> dict[str, bool | int | str | frozenset[str]]:
    """The facts of a `filter`."""
    return {"kind": kind, FACT: compared.values}


def united(one: Operation, other: Operation) -> Operation:
    """Two operations that ask the same of policy, but for how many values: together as many as both."""
    if FACT not in other.facts or (other.facts[FACT] == 0 and not other.arrays):
        return one
    total = _of(one) + _of(other)
    return replace(one, facts={**one.facts, FACT: total.values}, arrays=total.arrays)


def _of(operation: Operation) -> Compared:
    values = operation.facts[FACT]
    return Compared(values if isinstance(values, int) else arrays.UNKNOWN, operation.arrays)


def counted(operation: Operation, size_of: Callable[[int], int]) -> Operation:
    """The operation with its arrays counted, each by the number of its parameter."""
    if not operation.arrays:
        return operation
    values = _of(operation).values
    for number in operation.arrays:
        values = added(values, size_of(number))
    return replace(operation, facts={**operation.facts, FACT: values}, arrays=())


def all_counted(operations: Iterable[Operation], size_of: Callable[[int], int]) -> tuple[Operation, ...]:
    return tuple([counted(operation, size_of) for operation in operations])


def one_each(_number: int) -> int:
    """Where nothing is compared yet, or is no more: what an array holds counts where it is bound."""
    return 1


def bound(parameters: Sequence[Parameter]) -> Callable[[int], int]:
    """The sizes of bound parameters, from 1; one that is not there is unknown."""

    known: dict[int, int] = {}

    def size_of(number: int) -> int:
        if not 0 < number <= len(parameters):
            return arrays.UNKNOWN
        if number not in known:
            known[number] = arrays.of_parameter(parameters[number - 1])
        return known[number]

    return size_of
