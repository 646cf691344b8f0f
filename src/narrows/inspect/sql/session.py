"""Statements that concern the session alone: settings, transactions, prepared statements, cursors, channels.

Law: a setting is accepted only as a constant; what it changes is an effect, applied once the target agreed.
"""

from __future__ import annotations

from collections.abc import Callable

from narrows.inspect.sql import effects as fx
from narrows.inspect.sql import settings
from narrows.inspect.sql.analysis import Kind
from narrows.inspect.sql.draft import Draft, Handler
from narrows.inspect.sql.refused import Refused, undecided, unsupported
from narrows.inspect.sql.settings import Rule
from narrows.inspect.sql.tree import Node, unwrap
from narrows.model.action import Action
from narrows.model.reach import Output
from narrows.model.reason import Reason

CHARACTERISTICS = frozenset({"TRANSACTION", "SESSION CHARACTERISTICS", "TRANSACTION SNAPSHOT"})


def set_(draft: Draft, fields: Node) -> None:
    kind = fields["kind"]
    if kind == "VAR_RESET_ALL":
        draft.gather.need(Action.CONFIGURE, draft.gather.names.database(), facts={"setting": "all"})
        draft.effects.append(fx.ResetAll())
        return
    name = fields["name"]
    if kind == "VAR_SET_MULTI":
        _characteristics(draft, fields)
        return
    if kind == "VAR_SET_CURRENT":
        raise unsupported("SET FROM CURRENT has no meaning outside a function")
    values = constants(fields.get("args", [])) if kind == "VAR_SET_VALUE" else None
    change(draft, name.lower(), values, is_local=bool(fields.get("is_local")))


def change(draft: Draft, name: str, values: tuple[str, ...] | None, *, is_local: bool = False) -> None:
    """The session sets this to these constants, or to its default."""
    gather = draft.gather
    value = None if values is None else ", ".join(values)
    refusal = settings.accept_setting(name, value)
    if refusal is not None:
        raise Refused(refusal.reason, refusal.message)
    rule = settings.setting(name).rule
    gather.settings.add(name)
    if rule is Rule.ROLE and values and values[0] != "none":
        gather.need(Action.ASSUME_ROLE, gather.names.role(values[0]), facts={"setting": name})
    elif rule is Rule.PRIVILEGED:
        gather.need(Action.CONFIGURE_SERVER, gather.names.connection(), facts={"setting": name})
    else:
        gather.need(Action.CONFIGURE, gather.names.database(), facts={"setting": name})
    if rule in (Rule.TRACKED, Rule.ROLE):
        draft.effects.append(fx.SetSetting(name, values, is_local))


def constants(nodes: list[Node]) -> tuple[str, ...]:
    """The constants of a SET as PostgreSQL reads them."""
    return tuple(_constant(node) for node in nodes)


def _constant(node: Node) -> str:
    type_, fields = unwrap(node)
    if type_ == "TypeCast":
        return _constant(fields["arg"])
    if type_ != "A_Const":
        raise Refused(Reason.SETTING_REFUSED, "a setting takes only constants through the gateway")
    for kind, field in (("sval", "sval"), ("fval", "fval"), ("bsval", "bsval")):
        if kind in fields:
            return str(fields[kind].get(field, ""))
    if "ival" in fields:
        return str(fields["ival"].get("ival", 0))
    if "boolval" in fields:
        return "true" if fields["boolval"].get("boolval") else "false"
    raise Refused(Reason.SETTING_REFUSED, "a setting cannot be NULL")


def _characteristics(draft: Draft, fields: Node) -> None:
    """SET TRANSACTION and SET SESSION CHARACTERISTICS."""
    name = fields["name"]
    if name not in CHARACTERISTICS:
        raise undecided(f"SET {name} is not known to the gateway")
    action = Action.CONFIGURE if name == "SESSION CHARACTERISTICS" else Action.TRANSACT
    draft.gather.need(action, draft.gather.names.database())
    draft.is_transaction_control = action is Action.TRANSACT


def show(draft: Draft, fields: Node) -> None:
    draft.returns_rows = True
    draft.gather.need(Action.SHOW, draft.gather.names.database(), facts={"setting": fields["name"].lower()})
    if fields["name"].lower() in settings.SHOWS_SECRETS | {"all"}:
        draft.gather.is_unknown = True
    else:
        draft.outputs = (Output(),)


DISCARDS = {
    "DISCARD_ALL": "all",
    "DISCARD_PLANS": "plans",
    "DISCARD_SEQUENCES": "sequences",
    "DISCARD_TEMP": "temp",
}


def discard(draft: Draft, fields: Node) -> None:
    what = DISCARDS.get(fields["target"])
    if what is None:
        raise undecided("DISCARD of something that is not known")
    draft.effects.append(fx.Discard(what))  # type: ignore[arg-type]
    draft.has_own_transaction = what == "all"
    draft.gather.need(Action.CONFIGURE, draft.gather.names.database(), facts={"setting": "all"})


def transaction(draft: Draft, fields: Node) -> None:
    kind = fields["kind"]
    build = TRANSACTIONS.get(kind)
    if build is None:
        raise undecided(f"{kind} is not known to the gateway")
    draft.gather.need(Action.TRANSACT, draft.gather.names.database())
    draft.is_transaction_control = True
    effect = build(fields)
    if effect is not None:
        draft.effects.append(effect)


def _name(fields: Node) -> str:
    return str(fields["savepoint_name"])


TRANSACTIONS: dict[str, Callable[[Node], fx.SessionEffect | None]] = {
    "TRANS_STMT_BEGIN": lambda _: fx.Begin(),
    "TRANS_STMT_START": lambda _: fx.Begin(),
    "TRANS_STMT_COMMIT": lambda fields: fx.Commit(bool(fields.get("chain"))),
    "TRANS_STMT_ROLLBACK": lambda fields: fx.Rollback(bool(fields.get("chain"))),
    "TRANS_STMT_SAVEPOINT": lambda fields: fx.Savepoint(_name(fields)),
    "TRANS_STMT_RELEASE": lambda fields: fx.Release(_name(fields)),
    "TRANS_STMT_ROLLBACK_TO": lambda fields: fx.RollbackTo(_name(fields)),
    "TRANS_STMT_PREPARE": lambda _: fx.PrepareTransaction(),
    "TRANS_STMT_COMMIT_PREPARED": lambda _: None,
    "TRANS_STMT_ROLLBACK_PREPARED": lambda _: None,
}


def set_constraints(draft: Draft, fields: Node) -> None:
    draft.gather.need(Action.TRANSACT, draft.gather.names.database())
    draft.is_transaction_control = True
    for each in fields.get("constraints", ()):
        draft.gather.mentions.add(each["RangeVar"]["relname"])


def listen(draft: Draft, fields: Node) -> None:
    _channel(draft, Action.LISTEN, fields.get("conditionname", "*"))


def notify(draft: Draft, fields: Node) -> None:
    _channel(draft, Action.NOTIFY, fields["conditionname"])


def _channel(draft: Draft, action: Action, channel: str) -> None:
    draft.gather.need(action, draft.gather.names.database(), facts={"channel": channel})


def deallocate(draft: Draft, fields: Node) -> None:
    draft.effects.append(fx.Deallocate(fields.get("name")))
    draft.gather.need(Action.CONFIGURE, draft.gather.names.database())


def close(draft: Draft, fields: Node) -> None:
    draft.effects.append(fx.CloseCursor(fields.get("portalname")))
    draft.gather.need(Action.TRANSACT, draft.gather.names.database())


NO_SNAPSHOT = frozenset(
    {Kind.SET, Kind.SHOW, Kind.TRANSACTION, Kind.LISTEN, Kind.NOTIFY, Kind.LOCK, Kind.FETCH, Kind.CLOSE}
) | {Kind.DISCARD, Kind.DEALLOCATE}
"""Kinds that take no snapshot (PlannedStmtRequiresSnapshot)."""

HANDLERS: dict[str, tuple[Kind, str, Handler]] = {
    "VariableSetStmt": (Kind.SET, "SET", set_),
    "VariableShowStmt": (Kind.SHOW, "SHOW", show),
    "DiscardStmt": (Kind.DISCARD, "DISCARD", discard),
    "TransactionStmt": (Kind.TRANSACTION, "", transaction),
    "ConstraintsSetStmt": (Kind.TRANSACTION, "SET CONSTRAINTS", set_constraints),
    "ListenStmt": (Kind.LISTEN, "LISTEN", listen),
    "UnlistenStmt": (Kind.LISTEN, "UNLISTEN", listen),
    "NotifyStmt": (Kind.NOTIFY, "NOTIFY", notify),
    "DeallocateStmt": (Kind.DEALLOCATE, "DEALLOCATE", deallocate),
    "ClosePortalStmt": (Kind.CLOSE, "CLOSE CURSOR", close),
}
