"""What PostgreSQL's own relations hold besides the schema: values, statements, definitions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from narrows.inspect import sql
from narrows.model.snapshot import Function
from tests.inspect.sql.sample import SNAPSHOT, VIEW, analyse, marks, operations

HELD = [
    ("SELECT definition FROM pg_views", {"pg_views.definition"}),
    ("SELECT viewname, definition AS d FROM pg_views", {"pg_views.definition"}),
    ("SELECT x FROM (SELECT upper(definition) AS x FROM pg_views) z", {"pg_views.definition"}),
    ("SELECT query FROM pg_stat_activity", {"pg_stat_activity.query"}),
    ("SELECT ev_action FROM pg_rewrite", {"pg_rewrite.ev_action"}),
]


@pytest.mark.parametrize(("text", "held"), HELD)
def test_a_column_that_holds_values_is_within_reach_by_name(text: str, held: set[str]) -> None:
    """A description names it too, so that it alone is masked."""
    reach = analyse(text).reach
    system = {column for column in reach.columns if column.path[2] == "pg_catalog"}
    assert {".".join(column.path[3:]) for column in system} == held
    assert reach.is_unknown
    assert all(reach.columns[column] for column in system)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT proname FROM pg_proc",
        "SELECT relname FROM pg_class",
        "SELECT proname, prosrc, prosqlbody, proargdefaults, proconfig FROM pg_proc WHERE prosrc = 'x'",
        "SELECT pg_get_functiondef(1), pg_get_function_sqlbody(1), pg_get_function_arg_default(1, 1)",
        "SELECT tgname, tgargs, tgqual, pg_get_triggerdef(oid) FROM pg_trigger",
        "SELECT routine_name, routine_definition FROM information_schema.routines",
        "SELECT trigger_name, action_statement FROM information_schema.triggers",
        "SELECT srvname, usename FROM pg_user_mappings",
        "SELECT spcname, pg_tablespace_location(oid) FROM pg_tablespace",
        "SELECT name, default_version FROM pg_available_extensions()",
    ],
)
def test_the_schema_is_not(text: str) -> None:
    assert analyse(text).reach.is_clean


def test_a_relation_that_holds_nothing_else_is_held_back_column_by_column() -> None:
    reach = analyse("SELECT starelid, stavalues1 FROM pg_statistic").reach
    assert reach.is_unknown
    assert {column.path[3] for column in reach.columns if column.path[2] == "pg_catalog"} == {"pg_statistic"}


FILTERED = [
    (
        "SELECT 1 FROM pg_stats WHERE most_common_vals::text LIKE '%5%'",
        "pg_catalog.pg_stats.*",
    ),
    ("SELECT count(*) FROM pg_views WHERE definition LIKE '%5%'", "pg_catalog.pg_views.definition"),
]


@pytest.mark.parametrize(("text", "column"), FILTERED)
def test_a_condition_on_values_is_a_filter_there_too(text: str, column: str) -> None:
    filters = [each for each in operations(analyse(text)) if each.startswith("filter ")]
    assert [each.split()[1] for each in filters] == [column]


EXPAND = ("information_schema", "_pg_expandarray")


@pytest.mark.parametrize(
    ("oid", "volatility", "mark"), [(13000, "i", "-"), (20000, "i", "u"), (13000, "v", "u")]
)
def test_functions_of_information_schema_only_compute_as_initdb_made_them(
    oid: int, volatility: str, mark: str
) -> None:
    """pgjdbc's getPrimaryKeys and getIndexInfo call one."""
    made = Function(oid, *EXPAND, "f", "sql", volatility, returns_set=True)
    view = sql.View(replace(SNAPSHOT, functions={**SNAPSHOT.functions, EXPAND: (made,)}), VIEW.labels)
    text = "SELECT (information_schema._pg_expandarray(i.indkey)).n FROM pg_index i"
    assert marks(analyse(text, view=view)) == mark
