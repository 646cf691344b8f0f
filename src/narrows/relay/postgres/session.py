"""One client's session with one target, from the first ReadyForQuery to the end: the machine of this protocol.

What a driver does with it (`Context` says what it needs; share one `known.Cache` per process)::

    session = Session(Context(view, labels, mask_key, cache, facts, parameters))
    session.receive(side, data)          bytes arrived                            -> commands
    session.resume(hold, settled)        the answer to an Ask                     -> commands
    session.analysed(hold, analysis)     the answer to an Analyse; made with
                                         `analyse(text, session.view, session.state)`  -> commands
    session.schema_read(view)            the answer to a SchemaChanged            -> commands
    session.update_view(view, labels)    schema, labels or policy were read anew; nothing is dropped
    session.cancel()                     a CancelRequest with this session's key  -> commands
    session.drain()                      end as soon as no transaction is open    -> commands
    session.end(refusal)                 end now, saying why                      -> commands
    session.closed(side)                 that side went away                      -> commands
    session.wants_client_input           False: stop reading the client for now

Laws: commands are carried out in order; after a `Close` nothing more is called; every `Settled` that came is
ended by exactly one `Finished`.
"""

from __future__ import annotations

from narrows.core import PgBackend, PgFrontend
from narrows.inspect.sql.analysis import Analysis, SessionState, View
from narrows.inspect.sql.facts import FactTracker
from narrows.model.label import Labels
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal
from narrows.model.verdict import Settled
from narrows.relay.machine import Cancel, Command, Hold, Side, Withdraw
from narrows.relay.postgres import answers, asking, client, describing
from narrows.relay.postgres import refusal as words
from narrows.relay.postgres.masks import Masks
from narrows.relay.postgres.outbox import Outbox
from narrows.relay.postgres.settings import Context
from narrows.relay.postgres.state import State
from narrows.wire.errors import ProtocolError
from narrows.wire.postgres import frontend

_TERMINATE = frontend.build(frontend.Terminate())
_ENDED = "57P01"
"""admin_shutdown: what drivers take as a reason to connect again."""


class Session:
    """The Machine of PostgreSQL."""

    def __init__(self, context: Context) -> None:
        self._state = State(
            context,
            Outbox(),
            PgFrontend(context.limits),
            PgBackend(context.limits),
            FactTracker(context.facts),
            Masks(context),
        )
        self._state.reported.update(context.parameters)

    # -- the Machine

    def receive(self, side: Side, data: bytes) -> list[Command]:
        state = self._state
        if state.is_closed or (side is Side.CLIENT and state.is_terminating):
            return []
        try:
            if side is Side.CLIENT:
                state.frontend.receive(data)
            else:
                answers.read(state, data)
            self._go_on()
        except ProtocolError as fault:
            self._break(fault)
        return state.out.take()

    def resume(self, hold: Hold, settled: Settled) -> list[Command]:
        state = self._state
        held = state.held
        if held is None or held.hold != hold or held.settled is None:
            return []  # withdrawn meanwhile
        state.held = None
        held.settled(settled)
        return self._continue()

    def closed(self, side: Side) -> list[Command]:
        state = self._state
        if state.is_closed:
            return []
        if side is Side.CLIENT:
            if not state.is_quiet:  # the target would notice only when its statement ends
                state.out.add(Cancel())
            state.out.to_upstream(_TERMINATE)
        elif not (state.has_said_fatal or state.is_terminating or state.backend.is_inside_row):
            refusal = Refusal(
                Reason.UPSTREAM_UNAVAILABLE, "the target closed the connection", sqlstate="08006"
            )
            state.out.to_client(words.build_error(refusal, "FATAL"))
        state.close(f"the {side.value} closed the connection")
        return state.out.take()

    # -- beyond the Machine

    @property
    def wants_client_input(self) -> bool:
        state = self._state
        return not state.is_blocked or state.frontend.buffered < state.context.queue_bytes

    @property
    def view(self) -> View:
        return self._state.context.view

    @property
    def state(self) -> SessionState:
        """What gives a text its meaning now, for whoever answers an Analyse."""
        return self._state.session_state()

    @property
    def is_idle(self) -> bool:
        """No transaction is open and nothing is owed or waiting."""
        state = self._state
        return state.status == b"I" and state.is_quiet and not state.is_blocked and not state.is_unsynced

    @property
    def is_waiting_in_block(self) -> bool:
        """A transaction is open, nothing runs, and the client says nothing."""
        state = self._state
        return state.status != b"I" and state.is_quiet and not state.is_blocked

    def analysed(self, hold: Hold, analysis: object) -> list[Command]:
        state = self._state
        held = state.held
        if held is None or held.hold != hold or held.text is None:
            return []
        assert isinstance(analysis, Analysis)
        state.held = None
        if state.still_holds(held.basis):
            made = asking.learn(state, held.text, analysis)
            state.texts()
            state.fresh = (held.text, made)
        return self._continue()

    def schema_changing(self) -> None:
        """Another session changed the schema: nothing more is analysed until `schema_read`."""
        self._state.awaits_schema = True

    def schema_read(self, view: object) -> list[Command]:
        if not self._state.is_dirty:
            self._state.tracker.on_schema_read()
        self.update_view(view)
        self._state.awaits_schema = False
        return self._continue()

    def update_view(self, view: object, labels: Labels | None = None) -> None:
        """What is under way keeps the plans it has; everything else is analysed anew."""
        assert isinstance(view, View)
        context = self._state.context
        context.view = view
        context.labels = labels or context.labels
        self._state.refresh_cursors()

    def cancel(self) -> list[Command]:
        """Withdraw what waits at the gate, as if the target had cancelled it; else cancel at the target."""
        state = self._state
        held = state.held
        if held is not None:
            state.held = None
            state.again = None
            state.out.add(Withdraw(held.hold))
            held.refused(words.cancelled())
            return self._continue()
        if state.waiting is not None:
            state.waiting.is_cancelled = True
        if not state.is_quiet:
            state.out.add(Cancel())
        return state.out.take()

    def drain(self) -> list[Command]:
        self._state.is_draining = True
        return self._continue()

    def end(self, refusal: Refusal) -> list[Command]:
        """A running statement is cancelled at the target; the client is told why."""
        state = self._state
        if state.is_closed:
            return []
        if not state.is_quiet:
            state.out.add(Cancel())
        if not state.backend.is_inside_row:
            told = Refusal(refusal.reason, refusal.message, refusal.rule, sqlstate=refusal.sqlstate or _ENDED)
            state.out.to_client(words.build_error(told, "FATAL"))
        state.out.to_upstream(_TERMINATE)
        state.close(refusal.message)
        return state.out.take()

    # -- inside

    def _continue(self) -> list[Command]:
        try:
            self._go_on()
        except ProtocolError as fault:
            self._break(fault)
        return self._state.out.take()

    def _go_on(self) -> None:
        state = self._state
        if state.waiting is not None and state.is_quiet and not state.is_closed:
            describing.on_answered(state, state.waiting)
        client.pump(state)
        if state.is_terminating and state.is_quiet:
            state.close("the client ended the session")
        if state.is_draining and self.is_idle and not state.is_closed:
            self._end_drained()

    def _end_drained(self) -> None:
        state = self._state
        refusal = Refusal(Reason.DRAINING, "the gateway is shutting down", sqlstate=_ENDED)
        state.out.to_client(words.build_error(refusal, "FATAL"))
        state.out.to_upstream(_TERMINATE)
        state.close("drained")

    def _break(self, fault: ProtocolError) -> None:
        """One side broke the protocol: nothing that follows can be trusted."""
        state = self._state
        if fault.side == "client":
            refusal = Refusal(Reason.UNSUPPORTED, fault.message, sqlstate=fault.sqlstate)
        else:
            refusal = Refusal(
                Reason.DISAGREEMENT,
                f"the target's answer was not understood: {fault.message}",
                sqlstate="08P01",
            )
        if not state.is_quiet:
            state.out.add(Cancel())
        if not state.backend.is_inside_row:
            state.out.to_client(words.build_error(refusal, "FATAL"))
        state.close(f"protocol violation by the {fault.side}: {fault.message}")
