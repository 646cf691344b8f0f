"""What a session is made with: all that the runtime hands to the pure machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from narrows.core import Limits
from narrows.inspect.sql.analysis import View
from narrows.inspect.sql.facts import SessionFacts
from narrows.model.label import Labels
from narrows.model.secret import Secret
from narrows.relay.postgres.known import Cache

QUEUE_BYTES = 256 * 1024
"""Client bytes kept while a statement waits; above it the machine asks the driver to stop reading."""

NAMES = 10_000
"""Prepared statements, and portals, that one session may have."""

NAMES_BYTES = 64 * 1024 * 1024
"""The texts of all of them together."""


@dataclass(slots=True)
class Context:
    """Everything about the session that is not its traffic.

    `view` changes at a reload or after the schema was read again; the rest stays.
    """

    view: View
    labels: Labels
    mask_key: Secret
    cache: Cache = field(default_factory=Cache)
    """Share one among the sessions of a process."""
    facts: SessionFacts = field(default_factory=SessionFacts)
    """What holds after start-up: the settings that the client's start-up packet was allowed to make."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The target's ParameterStatus at sign-in."""
    limits: Limits = field(default_factory=Limits)
    queue_bytes: int = QUEUE_BYTES
    names: int = NAMES
    names_bytes: int = NAMES_BYTES
