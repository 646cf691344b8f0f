"""The journal: who wanted what, what was answered and why, in chains that show any change.

Start here: `Journal.open(directory, keys)` is one writer's chain; the gate appends what `compose` makes of a
statement before anything is forwarded. Read `line` for the bytes and the hash, `records` for what is kept,
`writer` for how it is written, `tail` for what a crash leaves, `verify` for what a checker can tell, `read` and
`export` for getting it out, `indexer` for how search is fed. `members` enrols writers and retires segments.

Laws: record, then forward; nothing is ever changed in place; what cannot be recorded does not run.
"""

from narrows.journal.errors import JournalDamaged, JournalLocked, JournalUnavailable, RecordTooLarge
from narrows.journal.registry import CONTROL
from narrows.journal.settings import Durability, Limits, Status
from narrows.journal.writer import Journal

__all__ = [
    "CONTROL",
    "Durability",
    "Journal",
    "JournalDamaged",
    "JournalLocked",
    "JournalUnavailable",
    "Limits",
    "RecordTooLarge",
    "Status",
]
