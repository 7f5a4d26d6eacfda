-- What a statement must not change under the guard, and how often the catalogue itself was written.
SELECT
    ARRAY(SELECT pg_catalog.current_setting(name, true) FROM pg_catalog.unnest(%(settings)s::text[])
          WITH ORDINALITY AS given (name, place) ORDER BY place) || current_user::text,
    (SELECT coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t)
        + pg_catalog.pg_stat_get_xact_tuples_updated(t)
        + pg_catalog.pg_stat_get_xact_tuples_deleted(t)), 0)::bigint
     FROM pg_catalog.unnest(%(catalogue)s::oid[]) t WHERE t <> 'pg_catalog.pg_class'::regclass),
    (SELECT coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t)
        + pg_catalog.pg_stat_get_xact_tuples_updated(t)
        + pg_catalog.pg_stat_get_xact_tuples_deleted(t)), 0)::bigint
     FROM pg_catalog.unnest(ARRAY['pg_catalog.pg_class'::regclass]) t)
