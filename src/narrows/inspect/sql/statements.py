"""Every statement of the grammar: its class, its command tag, and who analyses it.

Law: a node type that stands in no table is refused; a test holds this list against the grammar.
"""

from __future__ import annotations

from narrows.inspect.sql import administer, copying, define, running, session
from narrows.inspect.sql.analysis import Kind
from narrows.inspect.sql.draft import Handler

STATEMENTS: dict[str, tuple[Kind, str, Handler]] = {
    **running.HANDLERS,
    **session.HANDLERS,
    **copying.HANDLERS,
    **define.HANDLERS,
    **administer.HANDLERS,
}
