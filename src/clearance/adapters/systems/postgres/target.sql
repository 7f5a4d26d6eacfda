-- The tables of one snapshot as they are now: may their images be put back, by which key, and how.
WITH used AS (
    SELECT shape FROM clearance_guard.events WHERE snapshot = %(number)s
    UNION
    SELECT shape FROM clearance_guard.scopes WHERE snapshot = %(number)s
)
SELECT s.relid, s.shape, coalesce(c.relkind::text, ''),
    CASE WHEN c.oid IS NULL THEN 'relation ' || s.relid ELSE pg_catalog.format('%%I.%%I', n.nspname, c.relname) END,
    coalesce(s.columns = clearance_guard.shape_of(s.relid), false),
    ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = s.relid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
          ORDER BY a.attnum),
    ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = s.relid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
          ORDER BY a.attnum),
    coalesce(k.columns, '{}'), coalesce(k.operators, '{}'),
    coalesce(c.relhasrules, false),
    (SELECT coalesce(pg_catalog.sum(greatest(e.olds, e.news)), 0)::bigint FROM clearance_guard.events e
     WHERE e.snapshot = %(number)s AND e.shape = s.shape)
FROM used u
JOIN clearance_guard.shapes s USING (shape)
LEFT JOIN pg_catalog.pg_class c ON c.oid = s.relid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    -- The primary key, or else the narrowest unique index that every row is in.
    SELECT pg_catalog.array_agg(pg_catalog.quote_ident(a.attname) ORDER BY place) AS columns,
        pg_catalog.array_agg(pg_catalog.format('OPERATOR(%%I.%%s)', o_n.nspname, o.oprname) ORDER BY place) AS operators
    FROM (
        SELECT i.* FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        JOIN pg_catalog.pg_am am ON am.oid = ic.relam
        WHERE i.indrelid = s.relid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND am.amname = 'btree'
          AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = i.indrelid AND NOT a.attnotnull
                AND a.attnum = ANY ((i.indkey::smallint[])[0:i.indnkeyatts - 1]))
        ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1
    ) i
    CROSS JOIN LATERAL pg_catalog.generate_series(0, i.indnkeyatts - 1) place
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[place]
    JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[place]
    JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
        AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
    JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
    JOIN pg_catalog.pg_namespace o_n ON o_n.oid = o.oprnamespace
) k ON true
ORDER BY s.relid
