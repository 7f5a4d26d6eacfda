SELECT
    (SELECT system_identifier FROM pg_catalog.pg_control_system()),
    (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
    -- Only what is kept for the database counts: a session can fake its own setting.
    (SELECT pg_catalog.split_part(setting, '=', 2)
     FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase,
          pg_catalog.unnest(s.setconfig) setting
     WHERE s.setrole = 0 AND d.datname = pg_catalog.current_database()
       AND setting LIKE 'clearance.environment=%'),
    pg_catalog.current_setting('session_authorization') || '/' || current_user,
    pg_catalog.current_setting('search_path'),
    pg_catalog.current_setting('track_counts') = 'on',
    pg_catalog.to_regclass('clearance_guard.events') IS NOT NULL
        AND pg_catalog.has_schema_privilege('clearance_guard', 'USAGE'),
    ARRAY(
        SELECT 'the role is a superuser' FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper
        UNION ALL
        SELECT 'the role is a member of ' || rolname FROM pg_catalog.pg_roles
        WHERE rolname IN ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files')
          AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER')
        UNION ALL
        SELECT 'the role may use the foreign server ' || srvname FROM pg_catalog.pg_foreign_server
        WHERE pg_catalog.has_server_privilege(oid, 'USAGE')
        UNION ALL
        SELECT DISTINCT 'functions in the language ' || l.lanname || ' may do anything'
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
        WHERE NOT l.lanpltrusted AND l.lanname NOT IN ('internal', 'c')
          AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
        UNION ALL
        -- C code outside this list of reviewed extensions, none of which leaves the database, may do anything.
        SELECT DISTINCT 'C functions of ' || coalesce(e.extname, 'no extension') || ' may do anything'
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
        LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
            AND d.deptype = 'e'
        LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        WHERE l.lanname = 'c' AND p.pronamespace <> 'pg_catalog'::regnamespace
          AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')
          AND coalesce(e.extname, '') NOT IN ('btree_gin', 'btree_gist', 'citext', 'cube', 'earthdistance',
              'fuzzystrmatch', 'hstore', 'intarray', 'isn', 'ltree', 'pg_stat_statements', 'pg_trgm', 'pgcrypto',
              'seg', 'tablefunc', 'tsm_system_rows', 'tsm_system_time', 'unaccent', 'uuid-ossp', 'vector')
    ),
    ARRAY(SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r')
