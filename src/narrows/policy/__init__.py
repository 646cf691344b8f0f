"""The decision point: Cedar policies in, a `Verdict` out; it reads no file and knows no protocol.

`load` turns the texts of a directory into a `PolicySet` or names every fault; `evaluate` answers one
`Query`. What policy may speak about is in `schema.py`; how a request is built and checked, in `request.py`;
how the answer is found, in `decide.py`.
"""

from __future__ import annotations

from narrows.policy.declared import Declared
from narrows.policy.engine import evaluate, reevaluate
from narrows.policy.errors import Fault, PolicyError
from narrows.policy.load import load
from narrows.policy.policyset import Policy, PolicySet
from narrows.policy.request import Query

__all__ = [
    "Declared",
    "Fault",
    "Policy",
    "PolicyError",
    "PolicySet",
    "Query",
    "evaluate",
    "load",
    "reevaluate",
]
