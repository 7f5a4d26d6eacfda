-- Functions that a call of this name could reach: those of one schema, or those visible by the search path.
SELECT p.oid::bigint
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.proname = %(name)s
  AND CASE
        WHEN %(schema)s::text IS NULL THEN pg_catalog.pg_function_is_visible(p.oid)
        WHEN %(schema)s = 'pg_temp' THEN p.pronamespace = pg_catalog.pg_my_temp_schema()
        ELSE n.nspname = %(schema)s
      END
