-- The guard: what it knows of each table, what it captured, and what an undo did with it.
CREATE SCHEMA IF NOT EXISTS clearance_guard;
REVOKE ALL ON SCHEMA clearance_guard FROM PUBLIC;

CREATE TABLE IF NOT EXISTS clearance_guard.snapshots (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    snapshot_id text NOT NULL UNIQUE,
    kind text NOT NULL,                      -- captured: by triggers. saved: read beforehand
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    complete boolean NOT NULL DEFAULT true,  -- false: the engine counted more than was captured
    settled boolean NOT NULL DEFAULT true,   -- false: saved, and how things stand after is not known
    irreversible text[] NOT NULL DEFAULT '{}',
    undone_by text
);

-- One row for every list of columns that a table has had; its images live in image_<shape>.
CREATE TABLE IF NOT EXISTS clearance_guard.shapes (
    shape bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relid oid NOT NULL,                      -- the topmost table of a partition tree
    columns text NOT NULL,
    UNIQUE (relid, columns)
);

CREATE TABLE IF NOT EXISTS clearance_guard.covered (
    relid oid PRIMARY KEY,
    shape bigint NOT NULL REFERENCES clearance_guard.shapes
);

CREATE TABLE IF NOT EXISTS clearance_guard.events (
    snapshot bigint NOT NULL,
    shape bigint NOT NULL,
    relid oid NOT NULL,                      -- the table whose trigger fired
    operation text NOT NULL,
    olds bigint NOT NULL,
    news bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS events_snapshot ON clearance_guard.events (snapshot);

-- Which rows a snapshot of kind `saved` speaks of: the keys asked for, or every row where keys is null.
CREATE TABLE IF NOT EXISTS clearance_guard.scopes (
    snapshot bigint NOT NULL,
    shape bigint NOT NULL,
    relid oid NOT NULL,
    keys text[]
);
CREATE INDEX IF NOT EXISTS scopes_snapshot ON clearance_guard.scopes (snapshot);

-- Columns as they are now, in order. Virtual generated columns have no value of their own.
CREATE OR REPLACE FUNCTION clearance_guard.shape_of(target oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(
        format('%s %I %s%s', a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
                 THEN format(' COLLATE %I.%I', n.nspname, c.collname) ELSE '' END),
        E'\x1f' ORDER BY a.attnum)
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation c ON c.oid = a.attcollation
    LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
$$;

CREATE OR REPLACE FUNCTION clearance_guard.coverable(target oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = target AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
          AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'clearance_guard')
          AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
                      AND NOT a.attisdropped AND a.attgenerated <> 'v'))
$$;

-- The columns that an image holds, each with a prefix; by the order of the topmost table.
CREATE OR REPLACE FUNCTION clearance_guard.columns_of(target oid, prefix text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(prefix || quote_ident(r.attname), ', ' ORDER BY r.attnum)
    FROM pg_attribute r
    JOIN pg_attribute a ON a.attrelid = target AND a.attname = r.attname AND NOT a.attisdropped
    WHERE r.attrelid = coalesce(pg_partition_root(target), target)
      AND r.attnum > 0 AND NOT r.attisdropped AND r.attgenerated <> 'v'
$$;

-- The four triggers stand, fire always, and write the shape that the table has now.
CREATE OR REPLACE FUNCTION clearance_guard.is_covered(target oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM clearance_guard.covered k JOIN clearance_guard.shapes s USING (shape)
        WHERE k.relid = target AND s.relid = coalesce(pg_partition_root(target), target)
          AND s.columns = clearance_guard.shape_of(s.relid)
          AND clearance_guard.columns_of(target, '') = clearance_guard.columns_of(s.relid, '')
          AND (SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
               WHERE t.tgrelid = target AND t.tgenabled = 'A'
                 AND p.pronamespace = 'clearance_guard'::regnamespace) = 4)
$$;

-- The shape of a table as it is now, with a type and a table for its images.
CREATE OR REPLACE FUNCTION clearance_guard.shape_for(root oid) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- A unit separator divides the columns: unlike a line feed or a comma it is in nobody's column name.
    listed text := clearance_guard.shape_of(root);
    found_shape bigint;
BEGIN
    SELECT shape INTO found_shape FROM clearance_guard.shapes WHERE relid = root AND columns = listed;
    IF found_shape IS NOT NULL THEN
        RETURN found_shape;
    END IF;
    INSERT INTO clearance_guard.shapes (relid, columns) VALUES (root, listed) RETURNING shape INTO found_shape;
    EXECUTE format('CREATE TYPE clearance_guard.row_%s AS (%s)', found_shape,
        (SELECT string_agg(regexp_replace(line, '^\d+ ', ''), ', ') FROM string_to_table(listed, E'\x1f') line));
    EXECUTE format('CREATE TABLE clearance_guard.image_%s (snapshot bigint NOT NULL, sign smallint NOT NULL, '
        'rows clearance_guard.row_%s[] NOT NULL)', found_shape, found_shape);
    EXECUTE format('ALTER TABLE clearance_guard.image_%s ALTER rows SET STORAGE EXTERNAL', found_shape);
    EXECUTE format('CREATE INDEX ON clearance_guard.image_%s (snapshot)', found_shape);
    RETURN found_shape;
END
$$;

-- Make every change of a table leave images while a snapshot is armed. Idempotent.
CREATE OR REPLACE FUNCTION clearance_guard.cover(target oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known bigint;
    armed constant text := $when$(coalesce(current_setting('clearance.snapshot', true), '') <> '')$when$;
    each text;
BEGIN
    IF NOT clearance_guard.coverable(target) OR clearance_guard.is_covered(target) THEN
        RETURN;
    END IF;
    PERFORM set_config('clearance.covering', 'yes', true);
    known := clearance_guard.shape_for(coalesce(pg_partition_root(target), target));
    EXECUTE clearance_guard.capture_source(target, known);
    FOREACH each IN ARRAY ARRAY[
        'insert AFTER INSERT ON %s REFERENCING NEW TABLE AS clearance_new',
        'update AFTER UPDATE ON %s REFERENCING OLD TABLE AS clearance_old NEW TABLE AS clearance_new',
        'delete AFTER DELETE ON %s REFERENCING OLD TABLE AS clearance_old',
        'truncate BEFORE TRUNCATE ON %s']
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER clearance_' || each, target::regclass)
            || format(' FOR EACH STATEMENT WHEN %s EXECUTE FUNCTION clearance_guard.capture_%s()', armed, target);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER clearance_%s', target::regclass, split_part(each, ' ', 1));
    END LOOP;
    INSERT INTO clearance_guard.covered VALUES (target, known)
        ON CONFLICT (relid) DO UPDATE SET shape = excluded.shape;
    PERFORM set_config('clearance.covering', '', true);
END
$$;

-- The trigger function of one table, as text. Its columns are always written alias.column, so that no name of
-- a column can be taken for anything else. One array per statement costs less than one row per image; beyond
-- 160 MB (twice that is held while it is built) images are written one by one.
CREATE OR REPLACE FUNCTION clearance_guard.capture_source(target oid, known bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    packed text := format('ROW(%s)::clearance_guard.row_%s', clearance_guard.columns_of(target, 'o.'), known);
    keep constant text := $keep$
    IF {count} > 0 THEN
        wide := 0;
        IF {count} > 100 THEN
            SELECT avg(pg_column_size(%1$s)) INTO wide FROM (SELECT * FROM {source} LIMIT 50) o;
        END IF;
        IF wide * {count} < 160e6 THEN
            INSERT INTO clearance_guard.image_%3$s SELECT armed, {sign}, array_agg(%1$s) FROM {source} o;
        ELSE
            INSERT INTO clearance_guard.image_%3$s SELECT armed, {sign}, ARRAY[%1$s] FROM {source} o;
        END IF;
    END IF;$keep$;
    body constant text := $body$
CREATE OR REPLACE FUNCTION clearance_guard.capture_%4$s() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $capture$
#variable_conflict use_variable
DECLARE
    armed bigint := current_setting('clearance.snapshot');
    most bigint := coalesce(nullif(current_setting('clearance.most_rows', true), ''), '9223372036854775807');
    olds bigint := 0;
    news bigint := 0;
    wide numeric;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        SELECT count(*) INTO olds FROM ONLY %2$s o;
    END IF;
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        SELECT count(*) INTO olds FROM clearance_old o;
    END IF;
    IF TG_OP IN ('UPDATE', 'INSERT') THEN
        SELECT count(*) INTO news FROM clearance_new o;
    END IF;
    IF greatest(olds, news) > most THEN
        RAISE EXCEPTION 'the statement touches more than %% rows', most USING ERRCODE = 'CLG01';
    END IF;
    IF TG_OP = 'TRUNCATE' THEN{truncated}
    ELSIF TG_OP = 'INSERT' THEN{new}
    ELSIF TG_OP = 'DELETE' THEN{old}
    ELSE{old}{new}
    END IF;
    IF olds + news > 0 OR TG_OP = 'TRUNCATE' THEN
        INSERT INTO clearance_guard.events VALUES (armed, %3$s, TG_RELID, TG_OP, olds, news);
    END IF;
    RETURN NULL;
END
$capture$
$body$;
    made text;
BEGIN
    made := replace(body, '{old}', replace(replace(replace(keep, '{source}', 'clearance_old'), '{count}', 'olds'), '{sign}', '-1'));
    made := replace(made, '{new}', replace(replace(replace(keep, '{source}', 'clearance_new'), '{count}', 'news'), '{sign}', '1'));
    made := replace(made, '{truncated}', replace(replace(replace(keep, '{source}', 'ONLY %2$s'), '{count}', 'olds'), '{sign}', '-1'));
    -- Names come last and at once, so that none is taken for a place to fill.
    RETURN format(made, packed, target::regclass, known, target);
END
$$;

CREATE OR REPLACE FUNCTION clearance_guard.coverable_tables() RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND clearance_guard.coverable(oid) ORDER BY oid
$$;

-- Fired by DDL: covers what was made or changed. It never lets a DDL command fail: a table that it could not
-- cover is noticed where rows are counted, since fewer are captured than the engine counts.
CREATE OR REPLACE FUNCTION clearance_guard.on_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target oid;
BEGIN
    IF coalesce(current_setting('clearance.covering', true), '') <> '' THEN
        RETURN;
    END IF;
    FOR target IN
        SELECT DISTINCT coalesce(tree.relid, made.objid)
        FROM pg_event_trigger_ddl_commands() made
        LEFT JOIN LATERAL pg_partition_tree(made.objid) tree ON true
        WHERE made.classid = 'pg_class'::regclass AND made.object_type = 'table'
    LOOP
        PERFORM clearance_guard.cover(target);
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'clearance could not watch a table: %', SQLSTATE;
END
$$;

CREATE OR REPLACE FUNCTION clearance_guard.arm(snapshot_id text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO clearance_guard.snapshots (snapshot_id, kind) VALUES ($1, 'captured') RETURNING number
$$;

-- What was captured under a snapshot, by table (the topmost of a partition tree) and kind of trigger event.
CREATE OR REPLACE FUNCTION clearance_guard.captured(snap bigint)
RETURNS TABLE (relid oid, operation text, olds bigint, news bigint, sound boolean)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.relid, e.operation, sum(e.olds)::bigint, sum(e.news)::bigint,
        bool_and(s.columns = clearance_guard.shape_of(s.relid)
            AND coalesce(pg_partition_root(e.relid), e.relid) = s.relid)
    FROM clearance_guard.events e JOIN clearance_guard.shapes s USING (shape)
    WHERE e.snapshot = $1 GROUP BY 1, 2
$$;

-- A captured snapshot's own honesty: what it lacks. It can only become worse.
CREATE OR REPLACE FUNCTION clearance_guard.note(snap bigint, is_complete boolean, lost text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE clearance_guard.snapshots
    SET complete = complete AND $2, irreversible = irreversible || $3
    WHERE number = $1 AND kind = 'captured'
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA clearance_guard FROM PUBLIC;
