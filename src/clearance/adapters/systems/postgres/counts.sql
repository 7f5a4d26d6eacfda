-- What this transaction has written so far, by the engine's own counters, and which locks it holds. Locks of
-- tables that were dropped have no name any more.
WITH held AS (
    SELECT relation, pg_catalog.bool_or(mode = 'AccessExclusiveLock') AS exclusive
    FROM pg_catalog.pg_locks
    WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND granted
      AND database = %(database)s
      AND mode NOT IN ('AccessShareLock', 'RowShareLock')
    GROUP BY relation
), seen AS (
    SELECT relation, exclusive FROM held
    UNION ALL
    SELECT known, NULL FROM pg_catalog.unnest(%(known)s::oid[]) known
    WHERE known NOT IN (SELECT relation FROM held)
)
SELECT s.relation, coalesce(r.oid, s.relation),
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(coalesce(r.relname, c.relname)),
    coalesce(c.relkind, ''), coalesce(c.relpersistence, ''), s.exclusive,
    pg_catalog.pg_stat_get_xact_tuples_inserted(s.relation),
    pg_catalog.pg_stat_get_xact_tuples_updated(s.relation),
    pg_catalog.pg_stat_get_xact_tuples_deleted(s.relation),
    -- Functions of its triggers that may act outside the transaction: by their language, or by what they name.
    ARRAY(
        SELECT pg_catalog.quote_ident(p.proname)
        FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
        JOIN pg_catalog.pg_language l ON l.oid = p.prolang
        WHERE t.tgrelid = s.relation AND NOT t.tgisinternal
          AND p.pronamespace <> coalesce(pg_catalog.to_regnamespace('clearance_guard'), 0)
          AND (l.lanname NOT IN ('sql', 'plpgsql', 'internal')
               OR p.prosrc ~* 'notify|dblink|http|copy\M.*\mprogram|pg_terminate|pg_cancel|logical_emit|advisory')
    )
FROM seen s
LEFT JOIN pg_catalog.pg_class c ON c.oid = s.relation
LEFT JOIN pg_catalog.pg_class r ON r.oid = pg_catalog.pg_partition_root(c.oid)
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(r.relnamespace, c.relnamespace)
WHERE (c.oid IS NULL OR c.relkind IN ('r', 'p', 'm', 'f', 'S', 'v'))
  AND coalesce(n.nspname, '') NOT IN ('clearance_guard', 'pg_toast', 'pg_catalog', 'information_schema')
