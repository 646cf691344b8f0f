"""How much work an analysis may do: steps, counted wherever something is walked or compared.

Laws: the count depends on text, view and state alone, never on a clock; what is still counted after the end ends
again. A step is about a tenth of a microsecond: one column looked at is one, one node of a tree ten.
"""

from __future__ import annotations

from contextvars import ContextVar

from narrows.inspect.sql.limits import Limits
from narrows.inspect.sql.refused import Refused
from narrows.model.reason import Reason

NODE = 10
"""Steps for a node that is parsed, checked and visited."""
STATEMENT = 500
"""Steps for a statement, whatever it holds."""
LETTER = 4
"""Steps for a letter that is parsed."""


class TooMuchInline(Exception):
    """The text has to be analysed where it holds up nobody; no refusal, so that nothing takes it for one."""


class _Meter:
    __slots__ = ("is_inline", "left")

    def __init__(self, limits: Limits) -> None:
        self.left = limits.steps
        self.is_inline = limits.is_inline


_METER: ContextVar[_Meter | None] = ContextVar("narrows_analysis_steps", default=None)


class counted:  # noqa: N801 - used as `with counted(limits):`
    """Whatever is spent inside counts against these limits."""

    __slots__ = ("_meter", "_token")

    def __init__(self, limits: Limits) -> None:
        self._meter = _Meter(limits)

    def __enter__(self) -> None:
        self._token = _METER.set(self._meter)

    def __exit__(self, *_: object) -> None:
        _METER.reset(self._token)


def spend(steps: int) -> None:
    """So much was, or is about to be, done; raises where that is more than there is."""
    meter = _METER.get()
    if meter is None:
        return
    meter.left -= steps
    if meter.left < 0:
        raise _end(meter)


def is_spent() -> bool:
    """Whether nothing is left."""
    meter = _METER.get()
    return meter is not None and meter.left < 0


def _end(meter: _Meter) -> Exception:
    if meter.is_inline:
        return TooMuchInline()
    return Refused(Reason.TOO_COMPLEX, "the statement is too much work to analyse")
