-- Every foreign key in which one of the tables takes part; a partition's copy is its parent's.
SELECT f.conname, f.conrelid, f.confrelid,
    f.conrelid::regclass::text, f.confrelid::regclass::text,
    ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY k (num, place)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.num ORDER BY place),
    ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY k (num, place)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.num ORDER BY place),
    ARRAY(SELECT pg_catalog.format('OPERATOR(%%I.%%s)', n.nspname, o.oprname)
          FROM pg_catalog.unnest(f.conpfeqop) WITH ORDINALITY k (op, place)
          JOIN pg_catalog.pg_operator o ON o.oid = k.op
          JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace ORDER BY place),
    -- Columns of newer servers, asked for in a way that an older one understands.
    coalesce((pg_catalog.to_jsonb(f) ->> 'conperiod')::boolean, false),
    coalesce((pg_catalog.to_jsonb(f) ->> 'conenforced')::boolean, true)
FROM pg_catalog.pg_constraint f
WHERE f.contype = 'f' AND f.conparentid = 0
  AND (coalesce(pg_catalog.pg_partition_root(f.conrelid), f.conrelid) = ANY (%(relids)s)
       OR coalesce(pg_catalog.pg_partition_root(f.confrelid), f.confrelid) = ANY (%(relids)s))
ORDER BY f.oid
