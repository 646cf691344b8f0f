"""PostgreSQL's own relations, functions, operators and types: what of them only shows the schema.

Laws: a system relation or function that is not listed here may show values, statements or secrets, and counts
as unknown reach; the lists are derived from real servers (`data/`), the exceptions are written here by hand.
"""

from __future__ import annotations

from collections.abc import Mapping

from narrows.inspect.sql import data
from narrows.inspect.sql.data import listed

FUNCTIONS = data.words("functions.txt")
"""Functions of pg_catalog that only compute: no table read, no effect, no SQL run."""

SETS = data.words("sets.txt")
"""Functions of pg_catalog that return sets: their arguments decide how many rows come."""

OPERATORS = data.words("operators.txt")
TYPES = data.words("types.txt")

RELATIONS: Mapping[tuple[str, str], int] = {
    (schema, name): int(since) for schema, name, since in data.rows("relations.txt")
}
"""(schema, name) -> the first major version that has it; 0 for all that are supported."""

FIRST_USER_OID = 16384
"""PostgreSQL's FirstNormalObjectId: below it is what initdb made."""

ALL = frozenset({"*"})

VALUE_COLUMNS: Mapping[str, frozenset[str]] = {
    # values of user tables
    "pg_statistic": ALL,
    "pg_statistic_ext_data": ALL,
    "pg_stats": ALL,
    "pg_stats_ext": ALL,
    "pg_stats_ext_exprs": ALL,
    "pg_largeobject": ALL,
    # statements and their constants, of this and of other sessions
    "pg_stat_activity": frozenset({"query"}),
    "pg_prepared_statements": frozenset({"statement", "name"}),
    "pg_cursors": frozenset({"statement", "name"}),
    # queries, with the constants that they compare with
    "pg_rewrite": frozenset({"ev_action", "ev_qual"}),
    "pg_views": frozenset({"definition"}),
    "pg_matviews": frozenset({"definition"}),
    "pg_rules": frozenset({"definition"}),
    # secrets and places outside
    "pg_authid": ALL,
    "pg_shadow": ALL,
    "pg_user_mapping": frozenset({"umoptions"}),
    "pg_user_mappings": frozenset({"umoptions"}),
    "pg_foreign_server": frozenset({"srvoptions"}),
    "pg_foreign_data_wrapper": frozenset({"fdwoptions"}),
    "pg_foreign_table": frozenset({"ftoptions"}),
    "pg_subscription": frozenset({"subconninfo"}),
    "pg_db_role_setting": frozenset({"setconfig"}),
    "pg_file_settings": ALL,
    "pg_hba_file_rules": ALL,
    "pg_ident_file_mappings": ALL,
    "pg_config": ALL,
    "pg_aios": ALL,
    # information_schema
    "views": frozenset({"view_definition"}),
    "_pg_foreign_data_wrappers": ALL,
    "_pg_foreign_servers": ALL,
    "_pg_foreign_table_columns": ALL,
    "_pg_foreign_tables": ALL,
    "_pg_user_mappings": ALL,
    "column_options": ALL,
    "foreign_data_wrapper_options": ALL,
    "foreign_server_options": ALL,
    "foreign_table_options": ALL,
    "user_mapping_options": ALL,
}
"""Columns of system relations that carry values, statements, queries or secrets; `*` for all of them.

Defaults, check constraints, row policies, index expressions, partition bounds, triggers and the sources of functions
are not here: they are the schema, psql's \\d family shows them and pg_dump writes them down.
"""

HOLDS_VALUES = listed(
    """
    pg_statistic pg_statistic_ext_data pg_stats pg_stats_ext pg_stats_ext_exprs pg_largeobject
    pg_stat_activity pg_prepared_statements pg_cursors pg_rewrite pg_views pg_matviews pg_rules views
    """
)
"""Those of them whose columns hold values of user tables, or statements with such values: a condition tells of them."""

COMPUTING_EXTENSIONS = listed(
    """
    btree_gin btree_gist citext cube earthdistance fuzzystrmatch hstore intarray isn ltree pg_trgm pgcrypto
    postgis seg unaccent uuid-ossp vector halfvec
    """
)
"""Extensions whose immutable and stable functions in C or SQL only compute."""

RUNS_SQL = frozenset(
    {"crosstab", "connectby", "st_estimatedextent", "st_findextent", "find_srid", "st_asmvt"}
)
"""Functions of extensions that read tables by name or run SQL, whatever they are declared to be."""

EXTENSION_TYPES = listed(
    """
    citext hstore ltree lquery ltxtquery cube seg isbn isbn13 issn issn13 ismn ismn13 ean13 upc vector halfvec
    sparsevec geometry geography box2d box3d raster
    """
)
"""Types of computing extensions."""

HARMLESS_TYPES = TYPES | EXTENSION_TYPES
"""Types whose input and casts are PostgreSQL's own or a computing extension's."""


def is_relation(schema: str, name: str, server_version: int) -> bool:
    """True where that server has a system relation of this name."""
    since = RELATIONS.get((schema, name))
    return since is not None and since * 10000 <= server_version
