"""The session's facts that give a statement its meaning, tracked the way PostgreSQL's own transactions do.

Laws: facts change only by the effects of statements that have succeeded; an error or a rollback restores
what held before; SET LOCAL ends with the transaction; what the target reports of itself must agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from narrows.inspect.sql import effects as fx
from narrows.inspect.sql.overlay import EMPTY, GONE, TEMP, Overlay

RESET_ALL_KEEPS = frozenset(
    {"role", "session_authorization", "transaction_isolation", "transaction_read_only"}
)
"""RESET ALL leaves these alone (GUC_NO_RESET_ALL)."""


@dataclass(frozen=True)
class SessionFacts:
    """What holds now; None is the default that the session started with."""

    search_path: tuple[str, ...] | None = None
    role: str | None = None
    session_authorization: str | None = None
    standard_conforming_strings: bool = True
    client_encoding: str = "UTF8"
    overlay: Overlay = EMPTY
    """Relations as this session alone sees them."""
    settings: tuple[tuple[str, str], ...] = ()
    """Other tracked settings that differ from their start, sorted: `narrows.reveal`..."""

    @cached_property
    def key(self) -> tuple[object, ...]:
        """Two states with equal keys give equal analyses."""
        return (
            self.search_path,
            self.role,
            self.session_authorization,
            self.standard_conforming_strings,
            self.client_encoding,
            self.overlay,
            self.settings,
        )

    def setting(self, name: str) -> str | None:
        return dict(self.settings).get(name)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "key"}


Values = Mapping[str, tuple[str, ...] | None]


@dataclass(frozen=True, slots=True)
class _Layer:
    """What holds at one point: settings for the session, those for this transaction only, the overlay."""

    session: Values = field(default_factory=dict)
    local: Values = field(default_factory=dict)
    overlay: Overlay = EMPTY

    def with_write(self, effect: fx.Write) -> _Layer:
        return replace(self, overlay=self.overlay.with_written(effect.name, dict(effect.columns)))

    def without_relation(self, effect: fx.DropRelation) -> _Layer:
        if effect.schema == TEMP:
            return replace(self, overlay=self.overlay.without(TEMP, effect.name))
        return replace(self, overlay=self.overlay.with_relation(effect.schema, effect.name, GONE))

    def with_setting(self, effect: fx.SetSetting) -> _Layer:
        if effect.is_local:
            return replace(self, local={**self.local, effect.name: effect.values})
        local = {name: value for name, value in self.local.items() if name != effect.name}
        return replace(self, session={**self.session, effect.name: effect.values}, local=local)

    def without_settings(self) -> _Layer:
        return replace(self, session=_kept(self.session), local=_kept(self.local))

    def at_commit(self) -> _Layer:
        """What outlasts the transaction."""
        overlay = self.overlay.at_commit()
        is_same = not self.local and overlay == self.overlay
        return self if is_same else replace(self, local={}, overlay=overlay)

    def value(self, name: str) -> tuple[str, ...] | None:
        return self.local[name] if name in self.local else self.session.get(name)


class FactTracker:
    """The facts of one session; `apply` on success, `on_error` on an error, `on_ready` at each ReadyForQuery."""

    def __init__(self, base: SessionFacts | None = None) -> None:
        self._base = base or SessionFacts()
        self._now = _Layer(overlay=self._base.overlay)
        self._at_begin: _Layer | None = None
        self._savepoints: list[tuple[str, _Layer]] = []
        self._idle = self._now
        self._is_failed = False
        self._facts = self._base

    @property
    def facts(self) -> SessionFacts:
        return self._facts

    @property
    def in_block(self) -> bool:
        return self._at_begin is not None

    def apply(self, effects: Iterable[fx.SessionEffect]) -> None:
        """The statement with these effects has succeeded."""
        for effect in effects:
            self._apply(effect)
        self._facts = self._build()

    def on_schema_read(self) -> None:
        """The snapshot now knows what was made: outside a transaction nothing permanent is the session's alone."""
        if self._at_begin is None:
            overlay = self._now.overlay.without_permanent()
            self._now = self._idle = replace(self._now, overlay=overlay)
            self._facts = self._build()

    def on_error(self) -> None:
        """A statement failed: an implicit transaction is undone at once, a block waits for its ROLLBACK."""
        if self._at_begin is None:
            self._now = self._idle
            self._facts = self._build()
        else:
            self._is_failed = True

    def on_ready(self, status: bytes) -> None:
        """ReadyForQuery with `I`, `T` or `E`: the target says where its transaction stands."""
        if status == b"I":
            if self._at_begin is not None:  # the target left the block by a way that no effect named
                self._now = self._at_begin
            self._end(self._now)
            self._facts = self._build()
        elif self._at_begin is None:
            self._at_begin = self._idle
            self._is_failed = status == b"E"

    def disagreement(self, name: str, value: str) -> str | None:
        """What ParameterStatus says against the facts, or None where it agrees or says nothing about them."""
        if (
            name == "standard_conforming_strings"
            and (value == "on") != self._facts.standard_conforming_strings
        ):
            return f"standard_conforming_strings is {value!r} at the target"
        if name == "client_encoding" and not _same_encoding(value, self._facts.client_encoding):
            return f"client_encoding is {value!r} at the target, {self._facts.client_encoding!r} was expected"
        if name == "session_authorization" and value != (self._facts.session_authorization or value):
            return f"session_authorization is {value!r} at the target"
        if name == "search_path" and self._facts.search_path is not None:
            return _path_disagreement(value, self._facts.search_path)
        return None

    def _apply(self, effect: fx.SessionEffect) -> None:
        match effect:
            case fx.SetSetting():
                self._now = self._now.with_setting(effect)
                if effect.name == "session_authorization":
                    self._now = self._now.with_setting(fx.SetSetting("role", None, effect.is_local))
            case fx.ResetAll():
                self._now = self._now.without_settings()
            case fx.Begin():
                self._at_begin = self._at_begin or self._idle
            case fx.Commit(is_chained) | fx.Rollback(is_chained):
                self._finish(isinstance(effect, fx.Commit), is_chained)
            case fx.PrepareTransaction():
                self._finish(True, False)
            case fx.Savepoint(name):
                self._savepoints.append((name, self._now))
            case fx.Release(name):
                self._cut(name, keep=False)
            case fx.RollbackTo(name):
                self._rollback_to(name)
            case fx.Overlay(schema, name, relation):
                made = self._now.overlay.with_relation(schema, name, relation)
                self._now = replace(self._now, overlay=made)
            case fx.Write():
                self._now = self._now.with_write(effect)
            case fx.DropRelation():
                self._now = self._now.without_relation(effect)
            case fx.RunCode(anything):
                self._now = replace(self._now, overlay=self._now.overlay.doubted(anything))
            case fx.Discard(what):
                self._discard(what)
            case _:
                pass  # prepared statements and cursors are the relay's to keep

    def _finish(self, is_commit: bool, is_chained: bool) -> None:
        keeps = is_commit and not self._is_failed
        before = self._at_begin or self._idle
        self._end(self._now if keeps else before)
        if is_chained:
            self._at_begin = self._now

    def _end(self, layer: _Layer) -> None:
        self._now = self._idle = layer.at_commit()
        self._at_begin = None
        self._savepoints.clear()
        self._is_failed = False

    def _rollback_to(self, name: str) -> None:
        layer = self._cut(name, keep=True)
        if layer is not None:
            self._now = layer
        self._is_failed = False

    def _cut(self, name: str, *, keep: bool) -> _Layer | None:
        """Forget the savepoints after the latest of that name, and itself unless kept."""
        for index in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[index][0] == name:
                layer = self._savepoints[index][1]
                del self._savepoints[index + keep :]
                return layer
        return None

    def _discard(self, what: str) -> None:
        if what == "all":
            self._now = _Layer()
        elif what == "temp":
            self._now = replace(self._now, overlay=self._now.overlay.without_temporary())

    def _build(self) -> SessionFacts:
        now, base = self._now, self._base
        if not (now.session or now.local) and now.overlay == base.overlay:
            return base
        named = {**now.session, **now.local}
        path = now.value("search_path")
        encoding = now.value("client_encoding")
        others = dict(base.settings) | {
            name: ", ".join(value)
            for name in named
            if name not in OWN_FIELDS and (value := now.value(name)) is not None
        }
        for name in named:
            if name not in OWN_FIELDS and now.value(name) is None:
                others.pop(name, None)
        return SessionFacts(
            search_path=path if path is not None else base.search_path,
            role=_role(now.value("role"), base.role),
            session_authorization=_role(now.value("session_authorization"), base.session_authorization),
            standard_conforming_strings=base.standard_conforming_strings,
            client_encoding=encoding[0] if encoding else base.client_encoding,
            overlay=now.overlay,
            settings=tuple(sorted(others.items())),
        )


OWN_FIELDS = frozenset(
    {"search_path", "role", "session_authorization", "standard_conforming_strings", "client_encoding"}
)
"""Settings that have a field of their own in SessionFacts."""


def _kept(values: Values) -> dict[str, tuple[str, ...] | None]:
    return {name: value for name, value in values.items() if name in RESET_ALL_KEEPS}


def _role(value: tuple[str, ...] | None, base: str | None) -> str | None:
    if not value:
        return base
    return None if value[0] == "none" else value[0]


def _plain(encoding: str) -> str:
    name = "".join(letter for letter in encoding.lower() if letter.isalnum())
    return "utf8" if name == "unicode" else name


def _same_encoding(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def _path_disagreement(value: str, expected: tuple[str, ...]) -> str | None:
    from narrows.inspect.sql.settings import parse_identifiers

    if parse_identifiers(value) == expected:
        return None
    return f"search_path is {value!r} at the target, {', '.join(expected)!r} was expected"
