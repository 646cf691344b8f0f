"""A new grammar must not slip by: every field of what the visitors read by hand is written down here."""

from __future__ import annotations

from typing import Any

import pytest

from narrows.inspect import sql
from narrows.inspect.sql import dml, expression, fields, query, sources, tree
from narrows.inspect.sql.refused import Refused
from tests.inspect.sql.sample import analyse, reason

BY_HAND = {
    "FuncCall": "funcname args agg_order agg_filter over agg_within_group agg_star agg_distinct func_variadic funcformat location",
    "SubLink": "subLinkType subLinkId testexpr operName subselect location",
    "SortBy": "node sortby_dir sortby_nulls useOp location",
    "WindowDef": "name refname partitionClause orderClause frameOptions startOffset endOffset location",
    "TypeCast": "arg typeName location",
    "TypeName": "names typeOid setof pct_type typmods typemod arrayBounds location",
    "A_Indirection": "arg indirection",
    "ColumnRef": "fields location",
    "JsonAggConstructor": "output agg_filter agg_order over location",
    "JsonObjectAgg": "constructor arg absent_on_null unique",
    "JsonArrayAgg": "constructor arg absent_on_null",
    "JsonArrayQueryConstructor": "query output format absent_on_null location",
    "JsonTable": "context_item pathspec passing columns on_error alias lateral location",
    "JsonTableColumn": "coltype name typeName pathspec format wrapper quotes columns on_empty on_error location",
    "RangeVar": "catalogname schemaname relname inh relpersistence alias location",
    "RangeSubselect": "lateral subquery alias",
    "RangeFunction": "lateral ordinality is_rowsfrom functions alias coldeflist",
    "RangeTableFunc": "lateral docexpr rowexpr namespaces columns alias location",
    "RangeTableFuncCol": "colname typeName for_ordinality is_not_null colexpr coldefexpr location",
    "RangeTableSample": "relation method args repeatable location",
    "JoinExpr": "jointype isNatural larg rarg usingClause join_using_alias quals alias rtindex",
    "Alias": "aliasname colnames",
    "WithClause": "ctes recursive location",
    "OnConflictClause": "action infer targetList whereClause location",
    "InferClause": "indexElems whereClause conname location",
    "MergeWhenClause": "matchKind commandType override condition targetList values",
    "ReturningClause": "options exprs",
    "ReturningOption": "option value location",
    "LockingClause": "lockedRels strength waitPolicy",
    "IntoClause": "rel colNames accessMethod options onCommit tableSpaceName viewQuery skipData",
    "CTESearchClause": "search_col_list search_breadth_first search_seq_column location",
    "CopyStmt": "relation query attlist is_from is_program filename options whereClause",
    "CreateTableAsStmt": "query into objtype is_select_into if_not_exists",
    "PrepareStmt": "name argtypes query",
    "ExecuteStmt": "name params",
    "DeclareCursorStmt": "portalname options query",
    "FetchStmt": "direction howMany portalname ismove",
    "ExplainStmt": "query options",
    "CallStmt": "funccall funcexpr outargs",
    "VariableSetStmt": "kind name args jumble_args is_local location",
    "TransactionStmt": "kind options savepoint_name gid chain location",
}
MADE_BY_ANALYSIS = {
    "CommonTableExpr": {
        "cterecursive",
        "cterefcount",
        "ctecolnames",
        "ctecoltypes",
        "ctecoltypmods",
        "ctecolcollations",
    },
    "CTECycleClause": {"cycle_mark_typmod", "cycle_mark_collation", "cycle_mark_neop", "cycle_mark_type"},
}


@pytest.mark.parametrize("name", BY_HAND)
def test_a_node_read_by_hand_has_the_fields_that_were_thought_of(name: str) -> None:
    assert tree.GRAMMAR[name].keys() <= set(BY_HAND[name].split())


def test_queries_and_dml_read_every_field_of_their_nodes() -> None:
    for type_, handled in dml.HANDLED.items():
        assert tree.GRAMMAR[type_].keys() == set(handled.split())
    assert tree.GRAMMAR["SelectStmt"].keys() == query.HANDLED


def test_expressions_have_a_role_for_every_field() -> None:
    for name, roles in fields.FIELDS.items():
        assert roles.keys() >= tree.GRAMMAR[name].keys() - NEVER_FROM_THE_PARSER, name
        assert roles.keys() <= tree.GRAMMAR[name].keys(), name


NEVER_FROM_THE_PARSER = {"refs", "agglevelsup", "arg_names", "typmod"}


def test_every_node_that_may_stand_in_from_has_a_visitor() -> None:
    assert sources.VISITORS.keys() == {name for name in tree.GRAMMAR if name.startswith("Range")} - {
        "RangeTableFuncCol"
    } | {"JsonTable", "JoinExpr"}


def test_an_unknown_node_or_field_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "parse_sql_json", lambda _: '{"stmts":[{"stmt":{"FutureStmt":{}}}]}')
    assert reason(analyse("SELECT 1")) == "EFFECT_UNDECIDED"
    monkeypatch.setattr(tree, "parse_sql_json", lambda _: '{"stmts":[{"stmt":{"SelectStmt":{"future":1}}}]}')
    assert reason(analyse("SELECT 1")) == "EFFECT_UNDECIDED"
    monkeypatch.setattr(tree, "parse_sql_json", lambda _: '{"stmts":[{"stmt":{"SelectStmt":{}},"future":1}]}')
    assert reason(analyse("SELECT 1")) == "EFFECT_UNDECIDED"
    monkeypatch.setattr(
        tree, "parse_sql_json", lambda _: '{"stmts":[{"stmt":{"SelectStmt":{"targetList":[7]}}}]}'
    )
    assert reason(analyse("SELECT 1")) == "EFFECT_UNDECIDED"


def test_a_known_field_that_no_visitor_reads_refuses() -> None:
    with pytest.raises(Refused):
        query.select(_gather(), {"future": []}, None)
    with pytest.raises(Refused):
        expression.parts(_gather(), "BoolExpr", {"future": []}, _scope())
    with pytest.raises(Refused):
        expression.evaluate(_gather(), {"Future": {}}, _scope())


def _gather() -> Any:
    from narrows.inspect.sql.gather import Gather
    from tests.inspect.sql.sample import VIEW

    return Gather(VIEW, sql.SessionState(), sql.LIMITS)


def _scope() -> Any:
    from narrows.inspect.sql.scope import Scope

    return Scope()
