"""What stands between a labelled value and a caller, one layer after the other, and what the product is without each.

Laws: the product has no such switch, so a layer is switched off by replacing functions of it in the gateway's own
process, before it serves; a layer is off alone, or nobody could say which of two has caught a case. Texts that are
analysed in a process of their own keep every layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from narrows.inspect.sql import functions, overlay
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN
from narrows.masking import plan
from narrows.model.reach import Output
from narrows.relay.postgres import masks, unasked

Name = tuple[Any, str]
"""Where a name stands, and the name."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One of them, and what takes the places of its functions where it is off."""

    without: str
    """What is believed then."""
    patches: Mapping[Name, Callable[..., Any]]
    only: str
    """Which cases are run to see that something needs it: a pattern of ids; the whole corpus takes too long."""


def _clean_outputs(_situation: plan.Situation, described: list[tuple[int, int]]) -> list[Output]:
    return [Output()] * len(described)


def _undescribed(fields: Any, *others: Any) -> Any:
    """The plan of a description that names no relation."""
    return plan.build_plan([replace(each, table_oid=0, attnum=0) for each in fields], *others)


_get = overlay.Overlay.get


def _clean_temporary(self: overlay.Overlay, schema: str, name: str) -> overlay.Overlaid | None:
    found = _get(self, schema, name) if schema == overlay.TEMP else None
    if found is None:
        return None
    columns = tuple(overlay.Column(each.name) for each in found.columns)
    return replace(found, columns=columns, rest=None if found.rest is None else CLEAN)


LAYERS: dict[str, Layer] = {
    "lineage": Layer(
        "a column is clean unless its description names a labelled one",
        {(plan, "_outputs"): _clean_outputs},
        "pg-(alias|expr|returning)-",
    ),
    "oid": Layer(
        "a description says nothing of where a column comes from",
        {(masks, "build_plan"): _undescribed},
        "nw-oid-",
    ),
    "errors": Layer(
        "an error, a notice or a parameter carries no labelled value",
        {(unasked, "hides"): lambda state, head: False},
        "pg-error-",
    ),
    "overlay": Layer(
        "what a session has made is clean, and what it has changed is as the snapshot says",
        {(overlay.Overlay, "get"): _clean_temporary},
        "nw-overlay-|pg-launder-",
    ),
    "functions": Layer(
        "a function only computes, and gives nothing but what it is given",
        {
            (functions, "behaviour"): lambda name: functions.COMPUTES,
            (functions, "only_computes"): lambda overloads: True,
            (Gather, "unseen"): lambda self: CLEAN,
        },
        "pg-function-",
    ),
}
"""Each layer; a test switches each off and a case must come through."""


def switch_off(name: str) -> None:
    """From here on this process is without that layer."""
    for (place, attribute), other in LAYERS[name].patches.items():
        getattr(place, attribute)  # one that was renamed would not be missed
        setattr(place, attribute, other)
