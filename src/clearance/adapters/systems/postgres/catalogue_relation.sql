-- One relation: what it is, and the numbers of the functions that touching it runs. Nothing is followed.
-- A stored expression names its functions by number (`:funcid 1574`), whatever the search path is or was.
WITH RECURSIVE it AS (
    SELECT c.oid, c.relname, c.relkind, c.relrowsecurity, n.nspname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass(%(name)s)
),
kinds (oid) AS (  -- the types of its columns, and those they are made of
    SELECT a.atttypid FROM pg_catalog.pg_attribute AS a JOIN it ON a.attrelid = it.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
    UNION
    SELECT part.oid
    FROM kinds
    JOIN pg_catalog.pg_type AS t ON t.oid = kinds.oid
    CROSS JOIN LATERAL (
        SELECT t.typelem UNION SELECT t.typbasetype
        UNION SELECT a.atttypid FROM pg_catalog.pg_attribute AS a
        WHERE t.typrelid <> 0 AND a.attrelid = t.typrelid AND a.attnum > 0
        UNION SELECT r.rngsubtype FROM pg_catalog.pg_range AS r
        WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
    ) AS part(oid)
    WHERE part.oid >= 16384
),
policies (events, tree) AS (
    SELECT CASE p.polcmd WHEN 'a' THEN ARRAY['insert'] WHEN 'w' THEN ARRAY['insert', 'update']
               WHEN 'd' THEN ARRAY['delete'] ELSE ARRAY['read', 'insert', 'update', 'delete'] END,
           COALESCE(p.polqual::text, '') || COALESCE(p.polwithcheck::text, '')
    FROM pg_catalog.pg_policy AS p JOIN it ON p.polrelid = it.oid
    WHERE it.relrowsecurity
),
trees (events, tree) AS (
    SELECT CASE WHEN a.attgenerated = 'v' THEN ARRAY['read', 'insert', 'update', 'delete', 'define']
                WHEN a.attgenerated = 's' THEN ARRAY['insert', 'update', 'define']
                ELSE ARRAY['insert'] END, d.adbin::text
    FROM pg_catalog.pg_attrdef AS d
    JOIN it ON d.adrelid = it.oid
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    UNION ALL
    SELECT ARRAY['insert', 'update', 'define'], c.conbin::text
    FROM pg_catalog.pg_constraint AS c
    WHERE c.contype = 'c' AND (c.conrelid IN (SELECT oid FROM it) OR c.contypid IN (SELECT oid FROM kinds))
    UNION ALL
    SELECT ARRAY['insert', 'update', 'define'], COALESCE(i.indexprs::text, '') || COALESCE(i.indpred::text, '')
    FROM pg_catalog.pg_index AS i JOIN it ON i.indrelid = it.oid
    UNION ALL
    SELECT ARRAY['insert', 'update'], p.partexprs::text
    FROM pg_catalog.pg_partitioned_table AS p JOIN it ON p.partrelid = it.oid
    UNION ALL
    SELECT ARRAY['define'], s.stxexprs::text
    FROM pg_catalog.pg_statistic_ext AS s JOIN it ON s.stxrelid = it.oid
    UNION ALL
    SELECT events, tree FROM policies
),
triggers (events, oid, condition) AS (
    SELECT ARRAY_REMOVE(ARRAY[
               CASE WHEN (t.tgtype & 4) <> 0 THEN 'insert' END,
               CASE WHEN (t.tgtype & 8) <> 0 THEN 'delete' END,
               CASE WHEN (t.tgtype & 16) <> 0 THEN 'update' END,
               CASE WHEN (t.tgtype & 32) <> 0 THEN 'truncate' END
           ], NULL), t.tgfoid, t.tgqual::text
    FROM pg_catalog.pg_trigger AS t
    JOIN it ON t.tgrelid = it.oid
    JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND n.nspname <> 'clearance_guard'
),
expressions (events, tree) AS (
    SELECT events, tree FROM trees UNION ALL SELECT events, condition FROM triggers
),
runs (events, oid) AS (
    SELECT events, oid FROM triggers
    UNION ALL
    SELECT e.events, (found.match)[1]::oid
    FROM expressions AS e
    CROSS JOIN LATERAL pg_catalog.regexp_matches(
        e.tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS found(match)
    UNION ALL
    SELECT e.events, o.oprcode::oid
    FROM expressions AS e
    CROSS JOIN LATERAL pg_catalog.regexp_matches(e.tree, ':opno (\d+)', 'g') AS found(match)
    JOIN pg_catalog.pg_operator AS o ON o.oid = (found.match)[1]::oid
    UNION ALL
    SELECT ARRAY['insert'], 'pg_catalog.nextval(regclass)'::pg_catalog.regprocedure::oid
    WHERE EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS a JOIN it ON a.attrelid = it.oid WHERE a.attidentity <> '')
    UNION ALL
    SELECT ARRAY['insert', 'update', 'define'], part.oid
    FROM kinds
    JOIN pg_catalog.pg_type AS t ON t.oid = kinds.oid
    LEFT JOIN pg_catalog.pg_range AS r ON r.rngtypid = t.oid
    CROSS JOIN LATERAL (
        SELECT t.typinput::oid UNION SELECT t.typoutput::oid UNION SELECT r.rngcanonical::oid
    ) AS part(oid)
    WHERE part.oid >= 16384
),
reaches (event, schema, name, operation, columns) AS (
    SELECT what.event, n.nspname, c.relname, what.operation,
           ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
                 WHERE a.attrelid = f.confrelid AND a.attnum > 0 AND (a.attnum = ANY (f.confkey) OR EXISTS (
                     SELECT FROM pg_catalog.pg_attribute AS g  -- a generated key moves with any column
                     WHERE g.attrelid = f.confrelid AND g.attnum = ANY (f.confkey) AND g.attgenerated <> '')))
    FROM pg_catalog.pg_constraint AS f
    JOIN it ON f.confrelid = it.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_constraint AS above ON above.oid = f.conparentid
    CROSS JOIN LATERAL (
        SELECT 'delete', CASE f.confdeltype WHEN 'c' THEN 'delete' ELSE 'update' END
        WHERE f.confdeltype IN ('c', 'n', 'd')
        UNION ALL SELECT 'update', 'update' WHERE f.confupdtype IN ('c', 'n', 'd')
        UNION ALL SELECT 'truncate', 'delete'
    ) AS what(event, operation)
    WHERE f.contype = 'f' AND (above.oid IS NULL OR above.conrelid = f.conrelid)
    UNION ALL
    SELECT event, n.nspname, c.relname, 'read', '{}'
    FROM policies AS p
    CROSS JOIN LATERAL pg_catalog.unnest(p.events) AS event
    CROSS JOIN LATERAL pg_catalog.regexp_matches(p.tree, ':relid (\d+)', 'g') AS found(match)
    JOIN pg_catalog.pg_class AS c ON c.oid = (found.match)[1]::oid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
)
SELECT
    it.nspname,
    it.relname,
    it.relkind,
    it.oid < 16384 AND it.nspname IN ('pg_catalog', 'information_schema'),
    CASE WHEN it.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(it.oid) ELSE '' END,
    ARRAY(SELECT pg_catalog.pg_get_ruledef(r.oid) FROM pg_catalog.pg_rewrite AS r
          WHERE r.ev_class = it.oid AND r.rulename <> '_RETURN' AND r.ev_enabled <> 'D'),
    COALESCE((SELECT pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_array(event, runs.oid::bigint))
              FROM runs CROSS JOIN LATERAL pg_catalog.unnest(runs.events) AS event
              WHERE runs.oid <> 0), '[]'),
    COALESCE((SELECT pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_array(
                  event, schema, name, operation, columns)) FROM reaches), '[]'),
    COALESCE((SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(n.nspname, c.relname))
              FROM pg_catalog.pg_inherits AS h
              JOIN pg_catalog.pg_class AS c ON c.oid = h.inhrelid
              JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
              WHERE h.inhparent = it.oid AND c.relkind NOT IN ('i', 'I')), '[]')
FROM it
