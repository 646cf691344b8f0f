"""Derives the data files of `narrows.inspect.sql` from real, empty servers and from the pinned grammar.

    python tests/inspect/sql/derive_catalogue.py 'host=... port=... user=...' [a second server, of a newer version]

Rules for functions: of pg_catalog, written in C (internal) or SQL, every overload immutable or stable, callable
from SQL (no internal or cstring arguments, no trigger or handler results), minus DENIED; plus VOLATILE.
DENIED holds what reads tables or files, runs SQL, shows other sessions' statements or queries that may
carry constants, or acts; each of those that has a use has a row in `narrows/inspect/sql/functions.py`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from narrows.inspect.sql.data import listed
from narrows.inspect.sql.functions import VARYING

DATA = Path(__file__).parents[3] / "src" / "narrows" / "inspect" / "sql" / "data"

DENIED = re.compile(
    r"""
    .*_to_xml|.*_to_xmlschema|.*_to_xml_and_xmlschema|query_to_.*|cursor_to_.*   # run SQL or read tables by name
    |ts_stat|ts_rewrite
    |current_setting|set_config|pg_show_all_settings|pg_show_all_file_settings|pg_hba_file_rules
    |lo_.*|loread|lowrite
    |pg_read_.*|pg_ls_.*|pg_stat_file|pg_current_logfile|pg_relation_filepath
    |pg_get_viewdef|pg_get_ruledef      # queries over tables, with what they compare with
    |pg_stat_get_activity|pg_stat_get_backend_activity|pg_prepared_statement|pg_cursor
    |pg_mcv_list_.*|pg_ndistinct_.*|pg_dependencies_.*
    |pg_get_replication_slots|pg_listening_channels
    |pg_event_trigger_.*|binary_upgrade_.*|pg_get_catalog_foreign_keys|pg_config|querytree
    |xpath_table|.*_typanalyze|.*sel|.*_support|.*_handler|.*_validator|.*_transfn|.*_finalfn|.*_final
    |pg_extension_config_dump|pg_get_wal.*|pg_control_.*
    |current_query
    """,
    re.VERBOSE,
)

VOLATILE = sorted(VARYING)

ANALYSED_ONLY = listed(
    """
    Aggref AlternativeSubPlan ArrayCoerceExpr ArrayExpr CallContext CaseTestExpr CoerceToDomain
    CoerceToDomainValue CoerceViaIO CollateExpr ConvertRowtypeExpr Expr FieldSelect FieldStore FromExpr
    FuncExpr InferenceElem InlineCodeBlock JsonConstructorExpr JsonExpr Node OnConflictExpr OpExpr Param
    PLAssignStmt Query RTEPermissionInfo RangeTblEntry RangeTblFunction RangeTblRef RelabelType
    ReturningExpr RowCompareExpr RowMarkClause ScalarArrayOpExpr SetOperationStmt SortGroupClause SubPlan
    SubscriptingRef TableFunc TargetEntry Var WindowClause WindowFunc WindowFuncRunCondition WithCheckOption
    """
)
"""Nodes that only PostgreSQL's analysis makes: none comes out of the parser, so one that did is refused."""

SQL_FUNCTIONS = """
SELECT p.proname FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'pg_catalog'::regnamespace
GROUP BY p.proname
HAVING bool_and(p.provolatile IN ('i', 's') AND (l.lanname IN ('internal', 'sql')
  AND NOT ('internal'::regtype = ANY (p.proargtypes)) AND NOT ('cstring'::regtype = ANY (p.proargtypes))
  AND p.prorettype::regtype::text NOT IN ('trigger', 'event_trigger', 'internal', 'cstring', 'index_am_handler',
    'table_am_handler', 'tsm_handler', 'fdw_handler', 'language_handler')))
  OR p.proname = ANY (string_to_array($q$%s$q$, ' '))
ORDER BY 1
"""
SQL_SETS = """
SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proretset ORDER BY 1
"""
SQL_RELATIONS = """
SELECT n.nspname || ' ' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'v') ORDER BY 1
"""
SQL_OPERATORS = (
    "SELECT DISTINCT oprname FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace ORDER BY 1"
)
SQL_TYPES = """
SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm', 'p')
AND typname NOT LIKE '\\_%' ORDER BY 1
"""
SQL_SETTINGS = """
SELECT name || ' ' || context FROM pg_settings
WHERE context IN ('user', 'superuser', 'superuser-backend', 'backend') ORDER BY 1
"""


def ask(server: str, sql: str) -> list[str]:
    command = ["psql", "-XAt", "-v", "ON_ERROR_STOP=1", "-d", server, "-c", sql]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")[:-1]


def version(server: str) -> int:
    return int(ask(server, "SHOW server_version_num")[0]) // 10000


def functions(server: str) -> set[str]:
    names = ask(server, SQL_FUNCTIONS % " ".join(VOLATILE))
    return {name for name in names if name in VOLATILE or not DENIED.fullmatch(name)}


def with_since(servers: list[str], sql: str) -> list[str]:
    """Each row with the major version of the first server that has it; the oldest server's rows say 0."""
    since: dict[str, int] = {}
    for index, server in enumerate(servers):
        for row in ask(server, sql):
            since.setdefault(row, version(server) if index else 0)
    return [f"{row} {major}" for row, major in sorted(since.items())]


def grammar() -> list[str]:
    """`Node field:type ...` for every node of the pinned grammar; * marks pointers to one node type."""
    import pglast.ast

    rows = []
    for name, node in sorted(vars(pglast.ast).items()):
        if isinstance(node, type) and isinstance(getattr(node, "__slots__", None), dict):
            if name in ANALYSED_ONLY:
                continue
            kinds = (
                (field, getattr(kind, "c_type", kind)) for field, kind in vars(node)["__slots__"].items()
            )
            fields = " ".join(f"{field}:{kind.replace(' ', '')}" for field, kind in kinds)
            rows.append(f"{name} {fields}".strip())
    return rows


def write(name: str, about: str, rows: list[str]) -> None:
    (DATA / name).write_text(
        f"# {about}\n# Derived by tests/inspect/sql/derive_catalogue.py.\n" + "\n".join(rows) + "\n"
    )


def main(servers: list[str]) -> None:
    versions = " and ".join(f"PostgreSQL {version(server)}" for server in servers)
    both = sorted(set().union(*(functions(server) for server in servers)))
    write("functions.txt", f"Functions of pg_catalog that only compute, from {versions}.", both)
    write(
        "relations.txt",
        f"System relations (schema, name, first major version), from {versions}.",
        with_since(servers, SQL_RELATIONS),
    )
    for name, sql, about in (
        ("sets.txt", SQL_SETS, "Functions of pg_catalog that return sets"),
        ("operators.txt", SQL_OPERATORS, "Operator symbols of pg_catalog"),
        ("types.txt", SQL_TYPES, "Types of pg_catalog"),
        ("settings.txt", SQL_SETTINGS, "Settings that a session may change, and who may"),
    ):
        rows = sorted(set().union(*(ask(server, sql) for server in servers)))
        write(name, f"{about}, from {versions}.", rows)
    write("grammar.txt", "Node types and fields of the grammar of pglast 8.8 (PostgreSQL 18).", grammar())


if __name__ == "__main__":
    main(sys.argv[1:])
