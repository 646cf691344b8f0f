"""Statements that read and write rows, and those that run another: EXPLAIN, PREPARE, EXECUTE, cursors, code.

Law: what runs another statement needs all that the other needs, resolved under the facts that hold now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from narrows.inspect.sql import (
    bounds,
    compared,
    dml,
    expression,
    lists,
    overlays,
    query,
    redact,
    relations,
    sources,
)
from narrows.inspect.sql import effects as fx
from narrows.inspect.sql.analysis import Analysed, Kind
from narrows.inspect.sql.data import listed
from narrows.inspect.sql.draft import Draft, Handler
from narrows.inspect.sql.gather import Gather
from narrows.inspect.sql.labelled import CLEAN
from narrows.inspect.sql.limits import Limits
from narrows.inspect.sql.names import Found, Nature
from narrows.inspect.sql.overlay import TEMP
from narrows.inspect.sql.refused import Refused, undecided
from narrows.inspect.sql.scope import Scope, Shape
from narrows.inspect.sql.setting_calls import is_only_call, refuse_tracked, settle_name
from narrows.inspect.sql.settings import parse_identifiers
from narrows.inspect.sql.tree import Node, parse, strings, unwrap
from narrows.model.action import Action
from narrows.model.reach import Output
from narrows.model.reason import Reason
from narrows.model.statement import Operation


def select(draft: Draft, fields: Node) -> None:
    if "intoClause" in _leftmost(fields):
        _select_into(draft, fields)
        return
    fields = settle_name(fields)
    draft.shape = shape = query.select(draft.gather, fields, None)
    draft.returns_rows = True
    _export(draft.gather, shape)
    _note_limit(draft.gather, fields)
    _tracked_calls(draft, fields)
    if not draft.gather.operations:  # `SELECT 1`, `SELECT version()`: policy is asked about them, too
        draft.gather.need(Action.SHOW, draft.gather.names.database())


def write(draft: Draft, fields: Node) -> None:
    type_ = {kind: name for name, kind in WRITES.items()}[draft.kind]
    draft.shape = shape = dml.VISITORS[type_](draft.gather, fields, None)
    draft.returns_rows = "returningClause" in fields
    _export(draft.gather, shape)


WRITES = {
    "InsertStmt": Kind.INSERT,
    "UpdateStmt": Kind.UPDATE,
    "DeleteStmt": Kind.DELETE,
    "MergeStmt": Kind.MERGE,
}


def _export(gather: Gather, shape: Shape) -> None:
    for oid in shape.exports:
        relation = gather.view.snapshot.relations[oid]
        labels = relations.labels_of(gather, relation)
        gather.need(Action.EXPORT, gather.names.table(relation.schema, relation.name), labels)


def _note_limit(gather: Gather, fields: Node) -> None:
    count = bounds.constant_limit(fields)
    reads = bool(gather.touched) or gather.is_unknown
    if count is not None:
        gather.has_limit, gather.limit = True, count
    elif reads:
        gather.has_limit, gather.limit = False, -1


def _tracked_calls(draft: Draft, fields: Node) -> None:
    """`SELECT set_config('search_path', '', false)` is a SET; anywhere else it is refused."""
    calls = draft.gather.tracked_calls
    if not calls:
        return
    if not is_only_call(fields):
        refuse_tracked(draft.gather)
    for name, value, is_local in calls:
        values = parse_identifiers(value) if name == "search_path" else (value,)
        draft.effects.append(fx.SetSetting(name, values, is_local))


def _leftmost(fields: Node) -> Node:
    while fields.get("op", "SETOP_NONE") != "SETOP_NONE":
        fields = fields["larg"]
    return fields


def _select_into(draft: Draft, fields: Node) -> None:
    into = _leftmost(fields)["intoClause"]
    draft.kind = Kind.CREATE_AS
    shape = query.select(draft.gather, fields, None)
    _into(draft, into, shape, is_stored=True)


def create_as(draft: Draft, fields: Node) -> None:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW."""
    if "ExecuteStmt" in fields["query"]:
        raise undecided("CREATE TABLE AS EXECUTE: write the query itself")
    shape = query.select_node(draft.gather, fields["query"], None)
    _into(draft, fields["into"], shape, is_stored=fields["objtype"] == "OBJECT_TABLE")
    draft.tag = "SELECT"


def _into(draft: Draft, into: Node, shape: Shape, *, is_stored: bool) -> None:
    """A stored copy of labelled values would bear no labels; of a temporary one each column is remembered."""
    gather = draft.gather
    refuse_tracked(gather)
    found = created(draft, into["rel"])
    names = strings(into.get("colNames"))
    made = overlays.of_shape(shape, names, ends_at_commit=into.get("onCommit") == "ONCOMMIT_DROP")
    if is_stored and not found.is_temp:
        for name, cell in sources.rename(shape, names).cells:
            gather.write(found, name, cell.taint)
        gather.write(found, "*", shape.rest or frozenset())
    overlays.made(draft, found, into["rel"], made)


def created(draft: Draft, range_var: Node, action: Action = Action.CREATE) -> Found:
    """A relation that the statement makes."""
    gather = draft.gather
    name, schema = range_var["relname"], range_var.get("schemaname")
    is_temp = range_var.get("relpersistence") == "t" or gather.names.is_temp(schema)
    place = TEMP if is_temp else schema or gather.names.creation_schema
    gather.need(action, gather.names.table(place, name))
    gather.mentions.add(name)
    if schema:
        gather.mentions.add(schema)
    draft.changes.add(name)
    draft.changes_schema = True
    return Found(place, name, Nature.OPAQUE)


def explain(draft: Draft, fields: Node) -> None:
    """The plan shows names and constants; with ANALYZE the statement runs as well."""
    gather = draft.gather
    names = {each["DefElem"]["defname"] for each in fields.get("options", ())}
    runs = any(_is_analyze(each["DefElem"]) for each in fields.get("options", ()))
    if not names <= EXPLAIN_OPTIONS:
        raise undecided(
            f"EXPLAIN with {', '.join(sorted(names - EXPLAIN_OPTIONS))} is not known to the gateway"
        )
    inner = _inner(draft, fields["query"])
    for operation in inner.operations if runs else _kept(inner.operations):
        gather.adopt(operation)
    for relation in gather.touched.values():
        gather.need(Action.EXPLAIN, gather.names.table(relation.schema, relation.name))
    if not gather.touched:
        gather.need(Action.EXPLAIN, gather.names.database())
    gather.is_derived = gather.is_derived and runs  # rows are counted then, and filtered ones too
    draft.returns_rows = True
    draft.outputs = (_plan_line(gather),)
    gather.filter(
        frozenset(gather.reached), "size"
    )  # how wide values are, and how many, as the planner has it
    if runs:
        draft.effects += inner.effects
        draft.changes_schema = inner.changes_schema


def _plan_line(gather: Gather) -> Output:
    """A plan shows constants of view definitions, and with ANALYZE how many rows there were."""
    is_undecided = gather.is_unknown or gather.has_secret_views
    return Output(frozenset(gather.reached) if gather.is_derived else frozenset(), is_undecided=is_undecided)


EXPLAIN_OPTIONS = listed(
    """
    analyze verbose costs settings generic_plan buffers serialize wal timing summary memory format
    """
)


def _is_analyze(option: Node) -> bool:
    text = unwrap(option["arg"])[1] if "arg" in option else {}
    value = str(text.get("sval", text.get("ival", text.get("boolval", "on")))).lower()
    return option["defname"] == "analyze" and value not in ("off", "false", "0", "no")


def _kept(operations: tuple[Operation, ...]) -> list[Operation]:
    """What planning alone needs: calls may run, conditions are estimated from values."""
    return [each for each in operations if each.action in (Action.FILTER, Action.CALL)]


def _inner(draft: Draft, node: Node, text: str = "") -> Analysed:
    """Another statement inside this one, whose names and reach become this one's."""
    type_, fields = unwrap(node)
    gather = draft.gather
    inner = Gather(gather.view, gather.state, gather.limits)
    analysed = draft.analyse(inner, type_, fields, text)
    _adopt(gather, inner)
    return analysed


def _adopt(gather: Gather, inner: Gather) -> None:
    gather.touched |= inner.touched
    gather.mentions |= inner.mentions
    gather.reached |= inner.reached
    gather.settings |= inner.settings
    gather.is_derived |= inner.is_derived
    gather.is_unknown |= inner.is_unknown
    gather.calls_users |= inner.calls_users
    gather.has_triggers |= inner.has_triggers
    gather.is_bounded &= inner.is_bounded
    gather.has_limit, gather.limit = inner.has_limit, inner.limit
    gather.constant_filters = inner.constant_filters
    gather.bounded_relations |= inner.bounded_relations
    gather.has_secret_views |= inner.has_secret_views
    gather.hidden |= inner.hidden
    for name, columns in inner.written.items():
        for column, taint in columns.items():
            kept = gather.written.setdefault(name, {})
            kept[column] = kept.get(column, CLEAN) | taint


def _needs_of(gather: Gather, analysed: Analysed) -> None:
    for operation in analysed.operations:
        gather.adopt(operation)


def prepare(draft: Draft, fields: Node) -> None:
    for each in fields.get("argtypes", ()):
        expression.check_type(draft.gather, each["TypeName"])
    inner = _counted(_inner(draft, fields["query"], _kept_text(draft)), compared.one_each)
    _needs_of(draft.gather, inner)
    draft.effects.append(fx.PrepareStatement(fields["name"], inner))


def _counted(analysed: Analysed, size_of: Callable[[int], int]) -> Analysed:
    """The statement with its parameters counted, as far as its conditions compare something with their elements."""
    return replace(analysed, operations=compared.all_counted(analysed.operations, size_of))


def _kept_text(draft: Draft) -> str:
    """What stays of a PREPARE or DECLARE: enough to parse it again, without its secrets."""
    if not redact.announces(draft.text):
        return draft.text
    return redact.redact(draft.text, parse(draft.text, draft.gather.limits))


def _statement_in(text: str, limits: Limits) -> Node:
    """The statement that a prepared statement's text holds, with or without its PREPARE."""
    parsed = parse(text, limits)
    if len(parsed) != 1:
        raise undecided("the prepared statement is not one statement")
    if parsed[0].type == "PrepareStmt":
        query_: Node = parsed[0].fields["query"]
        return query_
    return {parsed[0].type: parsed[0].fields}


def execute(draft: Draft, fields: Node) -> None:
    """The statement is analysed again: the target, too, resolves its names anew."""
    name = fields["name"]
    prepared = draft.gather.state.prepared.get(name)
    if prepared is None:
        message = f'prepared statement "{name}" does not exist'
        raise Refused(Reason.EFFECT_UNDECIDED, message, sqlstate="26000")
    inner = _inner(draft, _statement_in(prepared.text, draft.gather.limits))
    params = fields.get("params")
    # Without any it is a Bind that brings them, or the target that refuses.
    _needs_of(draft.gather, _counted(inner, partial(_size_of, params)) if params else inner)
    if expression.evaluate_all(draft.gather, params, Scope()):
        raise undecided("a labelled value, or one that nobody sees through, would be a parameter of EXECUTE")
    draft.names_statement = name
    draft.outputs = inner.reach.outputs
    draft.returns_rows = inner.returns_rows
    draft.tag = inner.tag
    draft.effects += [effect for effect in inner.effects if not isinstance(effect, fx.Write | fx.RunCode)]
    draft.changes_schema = inner.changes_schema
    draft.is_doubtful = inner.is_doubtful


def _size_of(params: list[Node], number: int) -> int:
    """How many values the parameter of an EXECUTE holds."""
    return lists.elements(params[number - 1]).values if 0 < number <= len(params) else compared.UNKNOWN.values


def declare(draft: Draft, fields: Node) -> None:
    inner = _inner(draft, fields["query"], _kept_text(draft))
    for effect in inner.effects:
        if isinstance(effect, fx.SetSetting):  # it would happen at a FETCH, as often as rows are fetched
            raise Refused(Reason.SETTING_REFUSED, f"set {effect.name} by SET, not through a cursor")
    _needs_of(draft.gather, inner)
    is_hold = bool(fields.get("options", 0) & CURSOR_OPT_HOLD)
    # What is executed of it later compares with nothing new.
    draft.effects.append(fx.DeclareCursor(fields["portalname"], _counted(inner, compared.one_each), is_hold))


CURSOR_OPT_HOLD = 0x0020


def fetch(draft: Draft, fields: Node) -> None:
    name = fields["portalname"]
    cursor = draft.gather.state.cursors.get(name)
    if cursor is None:
        message = f'cursor "{name}" does not exist'
        raise Refused(Reason.EFFECT_UNDECIDED, message, sqlstate="34000")
    _needs_of(draft.gather, _counted(cursor, compared.one_each))
    draft.inner = cursor
    draft.names_portal = name
    draft.returns_rows = not fields.get("ismove")
    draft.tag = "MOVE" if fields.get("ismove") else "FETCH"


def do(draft: Draft, _fields: Node) -> None:
    code(draft)


def code(draft: Draft) -> None:
    """Code that the gateway cannot see through: it may touch and change anything."""
    draft.gather.need(Action.EXECUTE_CODE, draft.gather.names.database())
    draft.gather.is_unknown = True
    draft.runs_code = draft.changes_schema = True


def call(draft: Draft, fields: Node) -> None:
    gather = draft.gather
    before = gather.calls_users
    gather.derive(expression.evaluate(gather, {"FuncCall": fields["funccall"]}, Scope()))
    draft.runs_code = draft.changes_schema = gather.calls_users and not before
    draft.returns_rows = True  # the outputs are the procedure's parameters: nobody knows which
    if not any(operation.action is Action.CALL for operation in gather.operations.values()):
        raise undecided("CALL of a procedure that is not known to the gateway")


def lock(draft: Draft, fields: Node) -> None:
    for each in fields["relations"]:
        for found in sources.lookup(draft.gather, each["RangeVar"]):
            relations.touch(draft.gather, Action.LOCK, found)


def truncate(draft: Draft, fields: Node) -> None:
    for each in fields["relations"]:
        for found in sources.lookup(draft.gather, each["RangeVar"]):
            relations.touch(draft.gather, Action.TRUNCATE, found)
    draft.gather.is_bounded = False


HANDLERS: dict[str, tuple[Kind, str, Handler]] = {
    "SelectStmt": (Kind.SELECT, "SELECT", select),
    "InsertStmt": (Kind.INSERT, "INSERT", write),
    "UpdateStmt": (Kind.UPDATE, "UPDATE", write),
    "DeleteStmt": (Kind.DELETE, "DELETE", write),
    "MergeStmt": (Kind.MERGE, "MERGE", write),
    "CreateTableAsStmt": (Kind.CREATE_AS, "SELECT", create_as),
    "ExplainStmt": (Kind.EXPLAIN, "EXPLAIN", explain),
    "PrepareStmt": (Kind.PREPARE, "PREPARE", prepare),
    "ExecuteStmt": (Kind.EXECUTE, "", execute),
    "DeclareCursorStmt": (Kind.DECLARE, "DECLARE CURSOR", declare),
    "FetchStmt": (Kind.FETCH, "FETCH", fetch),
    "DoStmt": (Kind.DO, "DO", do),
    "CallStmt": (Kind.CALL, "CALL", call),
    "LockStmt": (Kind.LOCK, "LOCK TABLE", lock),
    "TruncateStmt": (Kind.TRUNCATE, "TRUNCATE TABLE", truncate),
}
