-- Functions by number. An aggregate that did not come with the server is replaced by the functions it is made of.
-- 16384 is the first number that the server gives to what is made after initdb (FirstNormalObjectId).
WITH wanted AS (
    SELECT p.oid AS asked, p.oid
    FROM pg_catalog.pg_proc AS p
    WHERE p.oid = ANY (%(oids)s::oid[]) AND (p.prokind <> 'a' OR p.oid < 16384)
    UNION
    SELECT a.aggfnoid::oid, part.oid
    FROM pg_catalog.pg_aggregate AS a
    CROSS JOIN LATERAL pg_catalog.unnest(ARRAY[
        a.aggtransfn::oid, a.aggfinalfn::oid, a.aggcombinefn::oid, a.aggserialfn::oid,
        a.aggdeserialfn::oid, a.aggmtransfn::oid, a.aggminvtransfn::oid, a.aggmfinalfn::oid
    ]) AS part(oid)
    WHERE a.aggfnoid = ANY (%(oids)s::oid[]) AND a.aggfnoid >= 16384 AND part.oid <> 0
)
SELECT
    w.asked::bigint,
    n.nspname,
    p.proname,
    l.lanname,
    p.oid < 16384 AND n.nspname IN ('pg_catalog', 'information_schema')
        AND l.lanname IN ('internal', 'c', 'sql'),
    COALESCE((
        SELECT x.extname
        FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_extension AS x ON x.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
    ), ''),
    CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
    CASE WHEN p.oid >= 16384 AND l.lanname IN ('sql', 'plpgsql') AND p.prokind <> 'a'
        THEN pg_catalog.pg_get_functiondef(p.oid) ELSE '' END,
    ARRAY(SELECT pg_catalog.split_part(setting, '=', 1) FROM pg_catalog.unnest(p.proconfig) AS setting)
FROM wanted AS w
JOIN pg_catalog.pg_proc AS p ON p.oid = w.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
