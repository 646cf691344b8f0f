"""What the two halves of a session share: where the client is, what the target owes, what is known.

Start with `Mode`: it says which client messages are taken now. Everything else is looked at by both halves
and changed where its comment says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from narrows.core import CopyRun, PgBackend, PgFrontend
from narrows.inspect.sql import INLINE_BYTES, DeclareCursor, PrepareStatement, analyse_inline
from narrows.inspect.sql.analysis import Analysed, SessionState
from narrows.inspect.sql.facts import FactTracker
from narrows.model.refusal import Refusal
from narrows.model.verdict import Settled
from narrows.relay.machine import Close, Hold, SchemaChanged, Withdraw
from narrows.relay.postgres.known import Basis, Description, Known, Texts, basis_of, doubted, one
from narrows.relay.postgres.masks import Masks
from narrows.relay.postgres.names import Names, Portal, Prepared
from narrows.relay.postgres.outbox import Outbox
from narrows.relay.postgres.refusal import FLUSH
from narrows.relay.postgres.replies import Expected, Replies
from narrows.relay.postgres.runs import Run
from narrows.relay.postgres.settings import Context
from narrows.wire.postgres.message import Message


class Mode(Enum):
    """What the client may say now; the table of handlers is in `client.py`."""

    __hash__ = object.__hash__  # Enum hashes by name, in Python: too slow for each message

    OPEN = "open"
    DESCRIBING = "a Query waits for the description of its result: nothing is taken before it is sent"
    SKIPPING = "an error was answered: the rest of the series is dropped, as the target does"
    AWAITING_COPY = "a COPY FROM STDIN was sent: nothing is taken until the target asks for its data"
    COPYING = "the target takes COPY data"


@dataclass(slots=True)
class Held:
    """The one statement that waits: at the gate, or for its analysis."""

    hold: Hold
    settled: Callable[[Settled], None] | None
    refused: Callable[[Refusal], None]
    """What to do where no Settled comes: the caller cancelled."""
    text: str | None = None
    """What is being analysed elsewhere, and under which basis."""
    basis: Basis | None = None


@dataclass(slots=True, eq=False)
class Waiting:
    """The settled Query that waits for the description of its result; see `describing`."""

    run: Run
    go_on: Callable[[Refusal | None], None]
    """To send it, or to refuse it."""
    fields: Description | None = None
    is_cancelled: bool = False
    """The caller cancelled it: it is not sent any more."""


@dataclass(slots=True)
class State:
    """One session's state."""

    context: Context
    out: Outbox
    frontend: PgFrontend
    backend: PgBackend
    tracker: FactTracker
    masks: Masks
    names: Names = field(default_factory=Names)
    replies: Replies = field(default_factory=Replies)
    mode: Mode = Mode.OPEN
    status: bytes = b"I"
    """Of the last ReadyForQuery."""
    series: int = 0
    """Counts ReadyForQuery-ended series as the client sends them."""
    is_unsynced: bool = False
    """Extended messages were sent since the last Sync or Query."""
    is_flushed: bool = True
    """Nothing was sent since the last Flush or Sync, so the target answers without more from us."""
    barrier: Expected | None = None
    """Later statements are not analysed before this one has ended."""
    held: Held | None = None
    waiting: Waiting | None = None
    """Set in Mode.DESCRIBING."""
    is_dirty: bool = False
    """The open transaction has changed the schema; only its session sees it so."""
    is_doubtful: bool = False
    """It changed it in a way that the session's facts do not tell."""
    is_stale: bool = False
    """A description contradicts the snapshot: it is read again as soon as no transaction is open."""
    awaits_schema: bool = False
    needs_probe: bool = False
    """Code ran that could have changed settings unseen: ask before the next statement is analysed."""
    is_tainted: bool = False
    """The open transaction touched labelled data that is hidden from this caller: its end may say of it."""
    is_draining: bool = False
    is_terminating: bool = False
    is_closed: bool = False
    has_said_fatal: bool = False
    """The target itself ended the session, and the client was told."""
    fresh: tuple[str, Known] | None = None
    """The analysis that came back last, should the cache not keep it."""
    holds: int = 0
    reported: dict[str, str] = field(default_factory=dict)
    """ParameterStatus since the last ReadyForQuery, not yet compared with the facts."""
    bound: dict[str, Portal] = field(default_factory=dict)
    """Portals of this series whose Bind was settled and not yet executed."""
    again: Message | CopyRun | None = None
    """The client message that waits for something to move."""
    copy_sync: Message | None = None
    """A Sync that came while the target takes COPY data: dropped with the next data, kept if the COPY fails."""
    _texts: Texts | None = None
    _texts_for: Basis | None = None

    @property
    def is_over(self) -> bool:
        """Nothing more is taken from the client."""
        return self.is_closed or self.is_terminating

    @property
    def is_quiet(self) -> bool:
        """The target owes nothing."""
        return self.replies.head is None

    @property
    def is_blocked(self) -> bool:
        """A client message waits, and everything behind it."""
        return self.held is not None or self.awaits_schema or self.again is not None

    @property
    def has_labels(self) -> bool:
        """Anything at all is protected in this database."""
        return bool(self.context.view.labels.columns)

    def session_state(self) -> SessionState:
        """What gives a text its meaning now."""
        names = self.names
        return SessionState(self.tracker.facts, names.prepared(), names.cursors(), self.tracker.in_block)

    def basis(self) -> Basis:
        """Changes whenever a known text or a described field may have another meaning."""
        return (self.context.view, self.tracker.facts, self.tracker.in_block, self.is_doubtful)

    def still_holds(self, basis: Basis | None) -> bool:
        """Views are compared by identity, facts by value."""
        now = self.basis()
        return basis is not None and basis[0] is now[0] and basis[1:] == now[1:]

    def texts(self) -> Texts:
        """The cache of analyses under what holds now."""
        if self._texts is None or self._texts.is_dropped or not self.still_holds(self._texts_for):
            self._texts_for = self.basis()
            self._texts = self.context.cache.under(basis_of(*self._texts_for))
            self.fresh = None
        return self._texts

    def next_hold(self) -> Hold:
        self.holds += 1
        return Hold(self.holds)

    def flush_upstream(self) -> None:
        """Make the target answer what it was sent; a Flush has no answer and ends no transaction."""
        if not self.is_flushed:
            self.out.to_upstream(FLUSH)
            self.is_flushed = True

    def sent(self, entry: Expected, data: bytes) -> None:
        """An extended message goes to the target."""
        self.out.to_upstream(data)
        self.replies.add(entry)
        self.is_unsynced = True
        self.is_flushed = False

    def end_series(self, entry: Expected) -> None:
        """The Sync or Query of `entry` ends the series.

        What was settled at Bind and never executed ends with it; the Bind may have run a function, so it is done.
        """
        self.is_unsynced = False
        self.is_flushed = True
        self.series += 1
        if not self.bound:
            return
        entry.unspent = tuple(portal.run for portal in self.bound.values() if portal.run is not None)
        for portal in self.bound.values():
            portal.run = None
        self.bound.clear()

    def read_schema_again(self) -> None:
        """Whoever calls knows that no transaction is open; nothing is analysed before it has been read."""
        self.is_dirty = self.is_doubtful = self.is_stale = False
        self.awaits_schema = True
        self.out.add(SchemaChanged())

    def finish(self, run: Run, status: str, sqlstate: str | None = None) -> None:
        """The statement has ended; only the first end counts."""
        if not run.is_finished:
            run.is_finished = True
            self.out.finished(run.outcome(status, sqlstate))

    def close(self, reason: str) -> None:
        """End both sides; what has not ended at the target is lost."""
        if self.is_closed:
            return
        self.is_closed = True
        if self.held is not None:
            self.out.add(Withdraw(self.held.hold))
            self.held = None
        if self.waiting is not None:
            self.finish(self.waiting.run, "lost")
        for entry in self.replies:
            for run in (entry.run, *entry.unspent):
                if run is not None:
                    self.finish(run, "lost")
        for portal in self.bound.values():
            if portal.run is not None:
                self.finish(portal.run, "lost")
        self.out.add(Close(reason))

    # -- names that SQL made

    def prepared(self, name: str, inner: Analysed) -> Prepared:
        quoted = '"' + name.replace('"', '""') + '"'
        return Prepared(inner.text, one(inner, self.context.view), execute_text=f"EXECUTE {quoted}")

    def cursor(self, inner: Analysed, is_hold: bool) -> Portal:
        view = self.context.view
        return Portal(inner.text, one(inner, view), view, self.tracker.facts, self.series, is_hold=is_hold)

    def refresh_cursors(self) -> None:
        """Analyse open portals anew under the facts of their Bind: FETCH and Execute are masked by today's labels."""
        view = self.context.view
        letters = INLINE_BYTES
        for portal in self.names.portals.confirmed.values():
            if portal.view is view:
                continue
            letters -= len(portal.text)
            again = self._again(portal) if letters >= 0 else None
            if again is not None:
                portal.known, portal.view = again, view
            else:  # it takes long, so the worst is believed of it
                portal.known = Known(doubted(portal.known.analysis, view))

    def _again(self, portal: Portal) -> Known | None:
        view = self.context.view
        analysis = analyse_inline(portal.text, view, SessionState(portal.facts, self.names.prepared()))
        if analysis is None:
            return None
        effects = analysis.parts[0].effects if analysis.parts else ()
        for effect in effects:
            if isinstance(effect, DeclareCursor | PrepareStatement):
                return one(effect.inner, view)
        return Known(analysis)
