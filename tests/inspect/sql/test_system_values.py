"""What PostgreSQL's own relations hold besides the schema: values, statements, definitions."""

from __future__ import annotations

import pytest

from tests.inspect.sql.sample import analyse, operations

HELD = [
    ("SELECT prosrc FROM pg_proc", {"pg_proc.prosrc"}),
    ("SELECT proname, prosrc AS p FROM pg_proc", {"pg_proc.prosrc"}),
    ("SELECT x FROM (SELECT upper(prosrc) AS x FROM pg_proc) z", {"pg_proc.prosrc"}),
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
        "SELECT proname FROM pg_proc WHERE prosrc = 'x'",
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
