-- One table by the name that the configuration gives it (without a schema: in public), and how a record id finds
-- its row.
SELECT r.oid, pg_catalog.format('%%I.%%I', n.nspname, r.relname), r.relkind::text,
    pg_catalog.quote_ident(a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod),
    coalesce(i.indnkeyatts, 0)
FROM (SELECT pg_catalog.to_regclass(%(name)s)::oid AS given) g
JOIN pg_catalog.pg_class r ON r.oid = coalesce(pg_catalog.pg_partition_root(g.given), g.given)
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = r.oid AND i.indisprimary
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = i.indkey[0]
WHERE r.relkind IN ('r', 'p') AND r.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'clearance_guard')
