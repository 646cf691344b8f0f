"""What a function call amounts to, by name: it only computes, it acts, it runs SQL, or nobody knows.

Laws: a name that could be PostgreSQL's own or a user's counts as both; a function that acts upon a labelled
value is refused, since the act could be seen elsewhere; a function that runs SQL from text is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from narrows.inspect.sql import catalogue
from narrows.inspect.sql.data import listed
from narrows.model.action import Action
from narrows.model.snapshot import Function


class Does(Enum):
    COMPUTES = "computes"
    ACTS = "acts"
    """It needs an operation; labelled values must not go into it."""
    ON_SEQUENCE = "on_sequence"
    """The first argument names a sequence, which it changes."""
    SHOWS = "shows"
    """It shows definitions, statements or stored values: unknown reach."""
    RUNS_SQL = "runs_sql"
    READS_SETTING = "reads_setting"
    WRITES_SETTING = "writes_setting"
    CALLS = "calls"
    """A user's function: policy is asked."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    does: Does
    action: Action | None = None
    on: str = "database"
    """What the operation is upon: database, connection, large_object."""


def _acts(action: Action | None, names: str, on: str = "database") -> dict[str, Behaviour]:
    return {name: Behaviour(Does.ACTS, action, on) for name in names.split()}


def _each(does: Does, names: str) -> dict[str, Behaviour]:
    return {name: Behaviour(does) for name in names.split()}


COMPUTES = Behaviour(Does.COMPUTES)
CALLS = Behaviour(Does.CALLS, Action.CALL)

BEHAVIOURS: dict[str, Behaviour] = {
    **_each(Does.ON_SEQUENCE, "nextval setval"),
    **_each(Does.READS_SETTING, "current_setting"),
    **_each(Does.WRITES_SETTING, "set_config"),
    **_each(
        Does.RUNS_SQL,
        """
        query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema
        table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema
        schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema database_to_xml_and_xmlschema
        ts_stat ts_rewrite
        """,
    ),
    **_each(
        Does.SHOWS,
        """
        pg_get_viewdef pg_get_ruledef pg_stat_get_activity pg_stat_get_backend_activity pg_prepared_statement pg_cursor current_query
        pg_show_all_settings pg_config pg_get_replication_slots pg_listening_channels
        pg_mcv_list_items querytree pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system
        pg_lock_status
        """,
    ),
    **_acts(
        Action.SERVER_FILE,
        """
        pg_read_file pg_read_binary_file pg_read_file_old pg_stat_file pg_ls_dir pg_ls_logdir pg_ls_waldir
        pg_ls_tmpdir pg_ls_archive_statusdir pg_ls_replslotdir pg_ls_logicalmapdir pg_ls_logicalsnapdir
        pg_ls_summariesdir pg_current_logfile pg_relation_filepath lo_import lo_export
        pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings
        """,
        "connection",
    ),
    **_acts(
        Action.SELECT, "lo_get lo_open loread lo_lseek lo_lseek64 lo_tell lo_tell64 lo_close", "large_object"
    ),
    **_acts(Action.INSERT, "lo_creat lo_create lo_from_bytea", "large_object"),
    **_acts(Action.UPDATE, "lo_put lowrite lo_truncate lo_truncate64", "large_object"),
    **_acts(Action.DELETE, "lo_unlink", "large_object"),
    **_acts(Action.TERMINATE, "pg_terminate_backend pg_cancel_backend", "connection"),
    **_acts(Action.NOTIFY, "pg_notify"),
    **_acts(
        Action.LOCK,
        """
        pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared
        pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock
        pg_try_advisory_xact_lock_shared pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all
        """,
    ),
    **_acts(None, "pg_sleep pg_sleep_for pg_sleep_until setseed"),
    **_acts(
        Action.MAINTAIN,
        """
        brin_summarize_new_values brin_summarize_range brin_desummarize_range gin_clean_pending_list
        pg_stat_reset pg_stat_reset_shared pg_stat_reset_slru pg_stat_reset_single_table_counters
        pg_stat_reset_single_function_counters pg_stat_reset_replication_slot pg_stat_reset_subscription_stats
        pg_stat_reset_backend_stats pg_stat_force_next_flush pg_clear_relation_stats pg_clear_attribute_stats
        pg_restore_relation_stats pg_restore_attribute_stats pg_import_system_collations
        """,
    ),
    **_acts(
        Action.CONFIGURE_SERVER,
        """
        pg_reload_conf pg_rotate_logfile pg_rotate_logfile_old pg_switch_wal pg_create_restore_point
        pg_backup_start pg_backup_stop pg_promote pg_wal_replay_pause pg_wal_replay_resume
        pg_log_backend_memory_contexts pg_log_standby_snapshot
        """,
        "connection",
    ),
    **_acts(
        Action.REPLICATE,
        """
        pg_create_physical_replication_slot pg_create_logical_replication_slot pg_drop_replication_slot
        pg_copy_physical_replication_slot pg_copy_logical_replication_slot pg_replication_slot_advance
        pg_logical_slot_get_changes pg_logical_slot_get_binary_changes pg_logical_slot_peek_changes
        pg_logical_slot_peek_binary_changes pg_logical_emit_message pg_sync_replication_slots
        pg_replication_origin_create pg_replication_origin_drop pg_replication_origin_advance
        pg_replication_origin_session_setup pg_replication_origin_session_reset
        pg_replication_origin_xact_setup pg_replication_origin_xact_reset
        """,
        "connection",
    ),
}
"""Functions of pg_catalog that do more than compute; each other one that is not listed as computing is refused."""


OF_ANY_ROW = listed(
    """
    any_value array_agg array_to_json concat count first_value format hash_record json_agg json_agg_strict
    json_build_array json_build_object jsonb_agg jsonb_agg_strict jsonb_build_array jsonb_build_object lag
    last_value lead max min num_nonnulls num_nulls pg_column_compression pg_column_size
    pg_column_toast_chunk_id pg_typeof quote_literal quote_nullable record_out record_send row_to_json to_json
    to_jsonb
    """
)
"""Functions of pg_catalog that take one argument which may be a row of any relation."""


def behaviour(name: str) -> Behaviour | None:
    """What the function of pg_catalog with this name does; None where it is not known."""
    if name in catalogue.FUNCTIONS:
        return COMPUTES
    return BEHAVIOURS.get(name)


def returns_set(overloads: tuple[Function, ...]) -> bool:
    return any(function.returns_set for function in overloads)


def only_computes(overloads: tuple[Function, ...]) -> bool:
    """Every overload is information_schema's, or belongs to an extension that only computes."""
    return all(_is_information_schemas(each) or _is_of_computing_extension(each) for each in overloads)


def _is_information_schemas(function: Function) -> bool:
    """As initdb made it: what it reads are the catalogs."""
    is_made_by_initdb = function.oid < catalogue.FIRST_USER_OID
    return is_made_by_initdb and function.schema == "information_schema" and function.volatility != "v"


def _is_of_computing_extension(function: Function) -> bool:
    return (
        function.extension in catalogue.COMPUTING_EXTENSIONS
        and function.name not in catalogue.RUNS_SQL
        and function.language in ("c", "internal", "sql")
        and (function.volatility in ("i", "s") or function.name in VOLATILE_COMPUTING)
    )


VARYING = listed(
    """
    array_sample array_shuffle clock_timestamp currval gen_random_uuid lastval pg_blocking_pids
    pg_collation_actual_version pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn
    pg_database_collation_actual_version pg_database_size pg_export_snapshot pg_get_sequence_data
    pg_indexes_size pg_is_in_recovery
    pg_is_wal_replay_paused pg_jit_available pg_last_wal_receive_lsn pg_last_wal_replay_lsn
    pg_last_xact_replay_timestamp pg_notification_queue_usage pg_partition_ancestors pg_partition_tree
    pg_relation_size pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_stat_clear_snapshot pg_table_size
    pg_tablespace_size pg_total_relation_size pg_xact_commit_timestamp pg_xact_status random random_normal
    timeofday txid_status uuidv4 uuidv7
    """
)
"""Functions of pg_catalog that only compute, and may give another value each time."""

VOLATILE_COMPUTING = listed(
    """
    gen_salt gen_random_bytes gen_random_uuid uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4
    pgp_sym_encrypt pgp_sym_encrypt_bytea pgp_pub_encrypt pgp_pub_encrypt_bytea
    """
)
