-- User-made code that runs without its name in a statement: operators, row functions, casts, event triggers.
SELECT 'operator', o.oprname::text, o.oprcode::oid::bigint
FROM pg_catalog.pg_operator AS o
WHERE o.oid >= 16384 AND o.oprcode <> 0
UNION ALL
SELECT 'attribute', p.proname::text, p.oid::bigint
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_type AS t ON t.oid = p.proargtypes[0]
WHERE p.oid >= 16384 AND p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1 AND t.typtype IN ('c', 'p')
UNION ALL
SELECT 'cast', '', c.castfunc::oid::bigint
FROM pg_catalog.pg_cast AS c
WHERE c.oid >= 16384 AND c.castfunc >= 16384
  AND (c.castcontext IN ('i', 'a') OR c.casttarget IN ('pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.jsonb'::pg_catalog.regtype))  -- to_json uses the latter
UNION ALL
SELECT 'event trigger', '', e.evtfoid::oid::bigint
FROM pg_catalog.pg_event_trigger AS e
JOIN pg_catalog.pg_proc AS p ON p.oid = e.evtfoid
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE e.evtenabled <> 'D' AND e.evtevent <> 'login' AND n.nspname <> 'clearance_guard'
