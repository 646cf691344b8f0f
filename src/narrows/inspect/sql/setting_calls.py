"""current_setting and set_config: settings reached from inside an expression.

Law: a name to set must be a constant; a tracked setting is set only by a SELECT that is nothing but that call, since
elsewhere nobody can tell whether, or how often, it ran.
"""

from __future__ import annotations

from narrows.inspect.sql import settings
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN, Taint
from narrows.inspect.sql.refused import Refused
from narrows.inspect.sql.settings import Rule
from narrows.inspect.sql.tree import Node, strings, unwrap
from narrows.model.action import Action
from narrows.model.reason import Reason


def reads(gather: Gather, fields: Node) -> Taint:
    """What the setting's value may carry."""
    name = constant_text(_argument(fields, 0))
    if name is None:
        gather.need(Action.SHOW, gather.names.database(), facts={"setting": "all"})
        return CLEAN
    gather.need(Action.SHOW, gather.names.database(), facts={"setting": name.lower()})
    if name.lower() in settings.SHOWS_SECRETS:
        gather.is_unknown = True
        return gather.anything()
    return CLEAN


def writes(gather: Gather, fields: Node) -> None:
    name = constant_text(_argument(fields, 0))
    if name is None:
        raise Refused(Reason.SETTING_REFUSED, "set_config takes only a constant name through the gateway")
    value = constant_text(_argument(fields, 1))
    rule = settings.setting(name)
    refusal = settings.accept_setting(name, value)
    if refusal is not None:
        raise Refused(refusal.reason, refusal.message)
    gather.settings.add(name.lower())
    action = Action.CONFIGURE_SERVER if rule.rule is Rule.PRIVILEGED else Action.CONFIGURE
    on = gather.names.connection() if rule.rule is Rule.PRIVILEGED else gather.names.database()
    gather.need(action, on, facts={"setting": name.lower()})
    if rule.rule is Rule.FREE and (value is not None or rule.accepts is None):
        return
    is_local = constant_bool(_argument(fields, 2))
    if value is None or is_local is None:
        raise Refused(Reason.SETTING_REFUSED, f"{name} can only be set to a constant through the gateway")
    gather.tracked_calls.append((name.lower(), value, is_local))


def refuse_tracked(gather: Gather) -> None:
    """For every statement but such a SELECT."""
    for name, _, _ in gather.tracked_calls:
        raise Refused(Reason.SETTING_REFUSED, f"set {name} by SET or by a SELECT that does nothing else")


def _argument(fields: Node, index: int) -> Node | None:
    args = fields.get("args", [])
    return args[index] if index < len(args) else None


def constant_text(node: Node | None) -> str | None:
    """The text of a string constant, seen through casts."""
    while node and "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    if node and "A_Const" in node and "sval" in node["A_Const"]:
        return str(node["A_Const"]["sval"].get("sval", ""))
    return None


def constant_bool(node: Node | None) -> bool | None:
    text = constant_text(node)
    if text is not None:
        return {"t": True, "true": True, "on": True, "f": False, "false": False, "off": False}.get(
            text.lower()
        )
    while node and "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    if node and "boolval" in node.get("A_Const", {}):
        return bool(node["A_Const"]["boolval"].get("boolval"))
    return None


def is_only_call(fields: Node) -> bool:
    """Whether a SELECT is nothing but a list of function calls, each evaluated exactly once."""
    if fields.keys() - {"targetList", "limitOption", "op"}:
        return False
    values = [target["ResTarget"].get("val", {}) for target in fields.get("targetList", ())]
    return all(value and unwrap(value)[0] == "FuncCall" for value in values)


def settle_name(fields: Node) -> Node:
    """`SELECT set_config(name, 'x', false) FROM pg_settings WHERE name = 'y'`, as pg_dump sends it, names y.

    The answer is the same SELECT with the constant in the place of the column; any other is left as it is.
    """
    sources = fields.get("fromClause", [])
    if len(sources) != 1 or sources[0].get("RangeVar", {}).get("relname") != "pg_settings":
        return fields
    where = fields.get("whereClause", {}).get("A_Expr", {})
    names_it = (
        where.get("kind") == "AEXPR_OP"
        and strings(where.get("name")) == ("=",)
        and _is_name(where.get("lexpr"))
    )
    if not names_it or constant_text(where.get("rexpr")) is None:
        return fields
    return {
        **fields,
        "targetList": [_settled(target, where["rexpr"]) for target in fields.get("targetList", ())],
    }


def _settled(target: Node, constant: Node) -> Node:
    call = target["ResTarget"].get("val", {}).get("FuncCall")
    if call is None or strings(call["funcname"])[-1] != "set_config" or not _is_name(_argument(call, 0)):
        return target
    settled = {**call, "args": [constant, *call["args"][1:]]}
    return {"ResTarget": {**target["ResTarget"], "val": {"FuncCall": settled}}}


def _is_name(node: Node | None) -> bool:
    return node is not None and strings(node.get("ColumnRef", {}).get("fields"))[-1:] == ("name",)
