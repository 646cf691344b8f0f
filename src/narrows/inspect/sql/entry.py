"""Text -> Analysis: the entry of this package.

Laws: never raises on any text; deterministic; a text is answered whole, with every statement analysed or with
one refusal; a statement is analysed under the state that the earlier ones of the same text leave, or refused
where that cannot be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from narrows.inspect.sql import effects as fx
from narrows.inspect.sql import redact, statements, tree, work
from narrows.inspect.sql.analysis import Analysed, Analysis, Kind, SessionState, View
from narrows.inspect.sql.draft import Draft
from narrows.inspect.sql.facts import FactTracker
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.limits import INLINE_LIMITS, INLINE_STATEMENTS, LIMITS, Limits
from narrows.inspect.sql.refused import Refused, undecided
from narrows.inspect.sql.session import NO_SNAPSHOT
from narrows.inspect.sql.setting_calls import refuse_tracked
from narrows.inspect.sql.tree import Node, Parsed
from narrows.model.reach import Reach
from narrows.model.reason import Reason
from narrows.model.refusal import Refusal


def analyse(text: str, view: View, state: SessionState | None = None, limits: Limits = LIMITS) -> Analysis:
    """What the statements of a text do, or why the text is refused."""
    with work.counted(limits):
        return _analyse(text, view, state or SessionState(), limits)


def analyse_inline(text: str, view: View, state: SessionState | None = None) -> Analysis | None:
    """The same where it takes little work; None where the text has to be analysed away from the event loop."""
    if len(text) > INLINE_LIMITS.text_bytes or text.count(";") > INLINE_STATEMENTS:
        return None
    try:
        analysis = analyse(text, view, state, INLINE_LIMITS)
    except work.TooMuchInline:
        return None
    refusal = analysis.refusal
    is_too_large = refusal is not None and refusal.reason is Reason.TOO_LARGE  # in bytes, not in letters
    return None if is_too_large else analysis


def _analyse(text: str, view: View, state: SessionState, limits: Limits) -> Analysis:
    parsed: list[Parsed] = []
    try:
        parsed = tree.parse(text, limits)
        parts = _batch(parsed, view, state, limits)
        refusal = None
    except Refused as refused:
        parts, refusal = (), refused.refusal
    except RecursionError:
        parts, refusal = (), tree.too_complex().refusal
    except work.TooMuchInline:
        raise
    except Exception as error:  # a tree of a shape that no visitor foresaw must refuse, not escape
        parts, refusal = (), _unforeseen(error)
    try:
        redacted = redact.redact(text, [] if work.is_spent() else parsed)
    except Refused as refused:
        parts, refusal = (), refused.refusal
        redacted = redact.redact(text, [])
    if refusal is not None and refusal.reason is Reason.UNPARSABLE and redacted != text:
        refusal = replace(refusal, message="syntax error")
    return Analysis(parts, redacted, refusal, view.versions)


def _unforeseen(error: Exception) -> Refusal:
    message = f"the statement has a shape that the gateway does not know ({type(error).__name__})"
    return Refusal(Reason.EFFECT_UNDECIDED, message)


def _batch(parsed: Sequence[Parsed], view: View, state: SessionState, limits: Limits) -> tuple[Analysed, ...]:
    parts: list[Analysed] = []
    changed = Changed() if len(parsed) > 1 else None
    total = 0
    for each in parsed:
        work.spend(work.STATEMENT)
        gather = Gather(view, state, limits)
        part = statement(gather, each.type, each.fields, each.text, changed)
        total += len(part.operations)
        if total > limits.operations:
            raise Refused(Reason.TOO_COMPLEX, f"the text needs more than {limits.operations} operations")
        parts.append(part)
        if len(parsed) > 1:
            state = _after(state, part)
    return tuple(parts)


class Changed:
    """What earlier statements of the same text have changed."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.told: set[str] = set()
        """Names of which the overlay tells what became of them."""
        self.settings = False
        self.anything = False

    def check(self, gather: Gather, draft: Draft) -> None:
        """A statement must not depend on what an earlier one of the same text has changed, unless that is known."""
        if draft.is_transaction_control:
            return
        names = gather.mentions | draft.changes
        touched = sorted(self.names & names)
        if touched:
            raise Refused(Reason.MIXED_BATCH, f"an earlier statement of the same text changes {touched[0]}")
        if names and self.anything:
            raise Refused(
                Reason.MIXED_BATCH, "an earlier statement of the same text may have changed anything"
            )
        if names and self.settings:
            raise Refused(
                Reason.MIXED_BATCH, "an earlier statement of the same text changes how names are resolved"
            )

    def add(self, draft: Draft) -> None:
        is_told = draft.changes_schema and draft.is_doubtful is False
        (self.told if is_told else self.names).update(draft.changes)
        if draft.is_transaction_control and not any(isinstance(each, fx.Begin) for each in draft.effects):
            self.names |= self.told  # whether it was kept is not known any more
        self.anything |= draft.runs_code or draft.gather.calls_users
        self.settings |= any(isinstance(each, fx.SetSetting | fx.ResetAll) for each in draft.effects)
        self.settings |= any(
            isinstance(each, fx.Discard) and each.what in ("all", "temp") for each in draft.effects
        )


def statement(
    gather: Gather, type_: str, fields: Node, text: str, changed: Changed | None = None
) -> Analysed:
    """One parsed statement, with the gatherer that its parts fill; raises Refused."""
    row = statements.STATEMENTS.get(type_)
    if row is None:
        raise undecided(f"{type_} is not known to the gateway")
    kind, tag, handler = row
    draft = Draft(kind, tag, gather, statement, text)
    handler(draft, fields)
    if kind is not Kind.SELECT:
        refuse_tracked(gather)
    if changed is not None:
        changed.check(gather, draft)
        changed.add(draft)
    return _finish(draft, text)


def _finish(draft: Draft, text: str) -> Analysed:
    gather = draft.gather
    inner = draft.inner
    runs_code = draft.runs_code or gather.calls_users
    if runs_code and draft.kind is not Kind.PREPARE and gather.index.labels:
        # before what the statement makes itself
        draft.effects.insert(0, fx.RunCode(gather.anything()))
    if gather.written:
        draft.effects += [
            fx.Write(name, tuple(sorted(columns.items()))) for name, columns in sorted(gather.written.items())
        ]
    facts = {**gather.facts(), **inner.facts} if inner else gather.facts()
    return Analysed(
        kind=draft.kind,
        tag=draft.tag,
        text=text,
        operations=tuple(gather.operations.values()),
        reach=inner.reach if inner else _reach(draft),
        effects=tuple(draft.effects),
        copy=draft.copy,
        facts=facts,
        names_statement=draft.names_statement,
        names_portal=draft.names_portal,
        returns_rows=draft.returns_rows,
        takes_snapshot=draft.takes_snapshot and draft.kind not in NO_SNAPSHOT,
        changes_schema=draft.changes_schema,
        is_doubtful=draft.changes_schema and draft.is_doubtful is not False,
        is_barrier=draft.changes_schema or not all(isinstance(each, NO_BARRIER) for each in draft.effects),
        is_transaction_control=draft.is_transaction_control,
        has_own_transaction=draft.has_own_transaction,
        may_change_session=runs_code,
    )


def _reach(draft: Draft) -> Reach:
    reach = draft.gather.reach(draft.shape)
    return reach if draft.outputs is None else replace(reach, outputs=draft.outputs)


NO_BARRIER = (fx.Begin, fx.Savepoint, fx.Release, fx.RunCode)
"""Effects that do not change what the next statement means."""


def _after(state: SessionState, part: Analysed) -> SessionState:
    """The state that the next statement of the same text is analysed under."""
    if not part.effects:
        return state
    work.spend((len(state.prepared) + len(state.cursors)) // 4)
    facts = state.facts
    told = [each for each in part.effects if isinstance(each, TOLD)]
    if told:
        tracker = FactTracker(facts)
        tracker.apply(told)
        facts = tracker.facts
    prepared, cursors = dict(state.prepared), dict(state.cursors)
    for effect in part.effects:
        match effect:
            case fx.PrepareStatement(name, inner):
                prepared[name] = inner
            case fx.Deallocate(None):
                prepared.clear()
            case fx.Deallocate(name):
                prepared.pop(name or "", None)
            case fx.DeclareCursor(name, inner):
                cursors[name] = inner
            case fx.CloseCursor(None):
                cursors.clear()
            case fx.CloseCursor(name):
                cursors.pop(name or "", None)
            case fx.Discard("all"):
                prepared.clear()
                cursors.clear()
            case _:
                pass
    return replace(state, facts=facts, prepared=prepared, cursors=cursors)


TOLD = (fx.Overlay, fx.Write, fx.DropRelation, fx.RunCode)
"""Effects of which the next statement of the same text may depend."""
