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
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        without_secrets,
    ]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))


def without_secrets(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> Mapping[str, object]:
    """A value under a telling name, or of the secret type, is shown as `<secret>`."""
    for key, value in event.items():
        if isinstance(value, Secret) or any(word in key.lower() for word in _NEVER):
            event[key] = "<secret>"
    return event
