"""The reviewed words of SQLite: functions, table functions and pragmas. What is not here is unknown."""

from __future__ import annotations

from typing import Final

from clearance.core.model import EffectClass


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Reviewed against sqlite.org/lang_corefunc, lang_datefunc, lang_mathfunc, lang_aggfunc, windowfunctions,
# json1 and fts5 of SQLite 3.54. Left out on purpose: load_extension and fts3_tokenizer, which run code.
FUNCTIONS: Final = words(
    """
    abs changes char coalesce concat concat_ws format glob hex if ifnull iif instr last_insert_rowid
    length like likelihood likely lower ltrim max min nullif octet_length printf quote random
    randomblob replace round rtrim sign soundex sqlite_compileoption_get sqlite_compileoption_used
    sqlite_source_id sqlite_version substr substring total_changes trim typeof unhex unicode unistr
    unistr_quote unlikely upper zeroblob subtype date time datetime julianday unixepoch strftime
    timediff current_date current_time current_timestamp acos acosh asin asinh atan atan2 atanh ceil
    ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power radians sin sinh sqrt tan
    tanh trunc avg count group_concat string_agg sum total median percentile percentile_cont
    percentile_disc row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value
    last_value nth_value json jsonb json_array jsonb_array json_array_insert jsonb_array_insert
    json_array_length json_error_position json_extract jsonb_extract json_insert jsonb_insert
    json_object jsonb_object json_patch jsonb_patch json_pretty json_remove jsonb_remove json_replace
    jsonb_replace json_set jsonb_set json_type json_valid json_quote json_group_array jsonb_group_array
    json_group_object jsonb_group_object -> ->> match bm25 highlight snippet offsets matchinfo raise
    cast
    """
)

TABLE_FUNCTIONS: Final = words(
    """
    json_each json_tree jsonb_each jsonb_tree generate_series dbstat sqlite_stmt bytecode tables_used
    """
)

# Pragmas that only read, whatever stands in their brackets.
_READ = words(
    """
    table_info table_xinfo table_list index_list index_info index_xinfo foreign_key_list
    foreign_key_check integrity_check quick_check database_list collation_list function_list
    module_list pragma_list compile_options data_version freelist_count page_count
    """
)
# Pragmas that read while they are given no value, and change this connection alone when they are.
_SESSION = words(
    """
    analysis_limit automatic_index busy_timeout cache_size cache_spill case_sensitive_like
    defer_foreign_keys hard_heap_limit soft_heap_limit reverse_unordered_selects temp_store threads
    query_only mmap_size
    """
)
# Pragmas that read while they are given no value; with one they change the file, or what guards it.
_ADMIN = words(
    """
    application_id auto_vacuum cell_size_check checkpoint_fullfsync encoding foreign_keys fullfsync
    ignore_check_constraints journal_mode journal_size_limit legacy_alter_table locking_mode
    max_page_count page_size recursive_triggers schema_version secure_delete synchronous trusted_schema
    user_version wal_autocheckpoint writable_schema
    """
)
# Pragmas that act without being given a value.
_ACTING = words(
    """
    incremental_vacuum optimize shrink_memory wal_checkpoint
    """
)


def pragma_effect(name: str, value: str | None) -> EffectClass:
    """What `PRAGMA name`, `PRAGMA name = value` or `PRAGMA name(value)` would do."""
    name = name.lower()
    if name in _READ or (value is None and name in _SESSION | _ADMIN):
        return EffectClass.READ
    if name in _SESSION:
        return EffectClass.SESSION
    if name in _ADMIN | _ACTING:
        return EffectClass.ADMIN
    return EffectClass.UNKNOWN


def is_table_function(name: str) -> bool:
    """A reviewed eponymous table, or the table form of a pragma; SQLite has it for reading pragmas alone."""
    name = name.lower()
    if name.startswith("pragma_"):
        return pragma_effect(name.removeprefix("pragma_"), None) is EffectClass.READ
    return name in TABLE_FUNCTIONS
