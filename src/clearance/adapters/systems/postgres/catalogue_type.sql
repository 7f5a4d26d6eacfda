-- What making a value of a type runs: the checks of every domain in it, the input of a type of its own.
-- One row where the type exists; its numbers may be none.
WITH RECURSIVE kinds (oid) AS (
    SELECT pg_catalog.to_regtype(%(name)s)::oid
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
trees (tree) AS (
    SELECT c.conbin::text FROM pg_catalog.pg_constraint AS c
    WHERE c.contype = 'c' AND c.contypid IN (SELECT oid FROM kinds)
),
runs (oid) AS (
    SELECT (found.match)[1]::oid
    FROM trees
    CROSS JOIN LATERAL pg_catalog.regexp_matches(
        tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') AS found(match)
    UNION
    SELECT o.oprcode::oid
    FROM trees
    CROSS JOIN LATERAL pg_catalog.regexp_matches(tree, ':opno (\d+)', 'g') AS found(match)
    JOIN pg_catalog.pg_operator AS o ON o.oid = (found.match)[1]::oid
    UNION
    SELECT part.oid
    FROM kinds
    JOIN pg_catalog.pg_type AS t ON t.oid = kinds.oid
    LEFT JOIN pg_catalog.pg_range AS r ON r.rngtypid = t.oid
    CROSS JOIN LATERAL (
        SELECT t.typinput::oid UNION SELECT t.typoutput::oid UNION SELECT r.rngcanonical::oid
    ) AS part(oid)
    WHERE part.oid >= 16384
    UNION  -- a cast to or from it, made by CREATE CAST
    SELECT c.castfunc::oid FROM pg_catalog.pg_cast AS c
    WHERE c.oid >= 16384 AND c.castfunc <> 0
      AND (c.casttarget IN (SELECT oid FROM kinds) OR c.castsource IN (SELECT oid FROM kinds))
)
SELECT ARRAY(SELECT oid::bigint FROM runs WHERE oid <> 0)
FROM kinds
WHERE oid IS NOT NULL
LIMIT 1
