"""Structured logs on standard error: one event per line, values by key, secrets refused.

A statement's text never goes to the log; the journal is its place.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping

import structlog

from narrows.model.secret import Secret

_NEVER = ("password", "secret", "token", "authorization", "credential_value")


def configure(level: str = "info", style: str = "text") -> None:
    """Set up structlog and route the standard library's loggers through it; `style` is text or json."""
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    set_level(level)
    shared: list[structlog.typing.Processor] = [
        _threshold,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        without_secrets,
    ]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=shared[1:],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def set_level(level: str) -> None:
    """Change the level of what is logged from here on."""
    _threshold.number = logging.getLevelNamesMapping()[level.upper()]


class _Threshold:
    """The level in force; structlog's own filter is fixed when a logger is first used."""

    number = logging.INFO

    def __call__(
        self, _logger: object, method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        if logging.getLevelNamesMapping().get(_LEVELS.get(method, method).upper(), 0) < self.number:
            raise structlog.DropEvent
        return event


_LEVELS = {"exception": "error", "warn": "warning"}
_threshold = _Threshold()


def without_secrets(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> Mapping[str, object]:
    """A value under a telling name, or of the secret type, is shown as `<secret>`."""
    for key, value in event.items():
        if isinstance(value, Secret) or any(word in key.lower() for word in _NEVER):
            event[key] = "<secret>"
    return event
