"""The guarded session: nothing is kept before its word, and nothing moves the ground under it."""

# ruff: noqa: E501  statements are read more easily on one line

from __future__ import annotations

import threading

import psycopg
import pytest
from msgspec.structs import replace

from clearance.adapters.systems.postgres import install, uninstall
from clearance.core.model import EffectClass, RestoreStatus, Reversibility
from clearance.errors import RecoveryError, SystemUnavailableError
from tests.adapters.systems.postgres.conftest import Guarded, counted

pytestmark = pytest.mark.servers

REFUSED = {
    "begin": "BEGIN",
    "commit": "/* now */ COMMIT",
    "rollback": "ROLLBACK",
    "savepoint": "SAVEPOINT clearance_attempt",
    "prepare transaction": "PREPARE TRANSACTION 'x'",
    "two statements": "SELECT 1; DELETE FROM notes",
    "a commit after a comment": "-- x\nSELECT 1; COMMIT",
    "the guard's tables": "DELETE FROM clearance_guard.events",
    "the guard's tables, quoted": 'DROP TABLE "clearance_guard"."snapshots"',
    "the guard from code": "DO $$ BEGIN DELETE FROM clearance_guard.events; END $$",
    "the guard's function": "SELECT clearance_guard.arm('x')",
    "triggers off": "ALTER TABLE notes DISABLE TRIGGER ALL",
    "one trigger off": "ALTER TABLE notes DISABLE TRIGGER clearance_update",
    "replica role": "SET session_replication_role = replica",
    "disarming": "SELECT set_config('clearance.snapshot', '', true)",
    "copying to the client": "COPY notes TO STDOUT",
    "copying from the client": "COPY notes FROM STDIN",
    "an empty statement": "",
    "reset all": "RESET ALL",
    "discard all": "DISCARD ALL",
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED)
def test_a_statement_against_the_guard_is_never_run(shop: Guarded, statement: str) -> None:
    before, session = shop.dump(), shop.session()
    with pytest.raises(SystemUnavailableError):
        session.attempt(statement, None, snapshot_id="s")
    assert not session.in_transaction
    assert shop.dump() == before


MOVED = {
    "the search path": "SELECT set_config('search_path', 'pg_temp', false)",
    "the search path by SET": "SET search_path = pg_temp",
    "what a backslash means": "SET standard_conforming_strings = off",
    "the role": "SET ROLE pg_monitor",
    "the time limit": "SET statement_timeout = 0",
    "how dates look": "SET LOCAL datestyle = 'SQL, DMY'",
    "by code that hides it": "DO $$ BEGIN EXECUTE 'SET LOCAL lock' || '_timeout = 0'; END $$",
    "replica role by code that hides it": "DO $$ BEGIN EXECUTE 'SET LOCAL session_repl' || 'ication_role = replica'; END $$",
}


@pytest.mark.parametrize("statement", MOVED.values(), ids=MOVED)
def test_a_setting_that_the_guard_rests_on_stays_as_it_was(shop: Guarded, statement: str) -> None:
    session = shop.session()
    with pytest.raises(SystemUnavailableError, match="rests on"):
        session.attempt(statement, None, snapshot_id="s")
        session.complete()
    session.commit()
    session.attempt("UPDATE notes SET body = 'x' WHERE id = 1", None, snapshot_id="t")
    assert session.saved().reversibility is Reversibility.EXACT


def test_code_that_hides_how_it_disarms_the_capture_is_told_apart(shop: Guarded) -> None:
    session = shop.session()
    code = (
        """DO $$ BEGIN PERFORM set_config('clear' || 'ance.snapshot', '', true); DELETE FROM notes; END $$"""
    )
    radius = session.attempt(code, None, snapshot_id="s").radius
    assert radius.count is None
    session.complete()
    session.commit()
    assert shop.dump()["public.notes"] == []
    with pytest.raises(RecoveryError, match="captured"):
        shop.undo("s")
    with pytest.raises(RecoveryError):
        session.saved()


def test_code_that_hides_how_it_drops_a_trigger_is_told_apart(shop: Guarded) -> None:
    session = shop.session()
    code = """DO $$ BEGIN EXECUTE 'DROP TRIGGER clear' || 'ance_delete ON notes'; DELETE FROM notes; END $$"""
    radius = session.attempt(code, None, snapshot_id="s").radius
    assert radius.reversibility is Reversibility.NONE
    with pytest.raises(RecoveryError):
        session.saved()


def test_nothing_that_was_attempted_is_seen_by_others_before_the_commit(shop: Guarded) -> None:
    before, session = shop.dump(), shop.session()
    session.attempt("DELETE FROM notes", None, snapshot_id="s")
    assert shop.dump() == before
    session.complete()
    assert shop.dump() == before
    session.commit()
    assert shop.dump()["public.notes"] == []


def test_a_session_that_closes_keeps_nothing(shop: Guarded) -> None:
    before, session = shop.dump(), shop.session()
    session.attempt("DELETE FROM notes", None, snapshot_id="s")
    session.complete()
    session.close()
    assert shop.dump() == before


def test_a_failed_statement_raises_the_drivers_error_and_leaves_the_transaction_usable(shop: Guarded) -> None:
    session = shop.session()
    session.attempt("UPDATE notes SET body = 'x' WHERE id = 1", None, snapshot_id="one")
    session.complete()
    with pytest.raises(psycopg.errors.DivisionByZero):
        session.attempt("UPDATE notes SET id = 1 / 0", None, snapshot_id="two")
    with pytest.raises(psycopg.errors.SyntaxError):
        session.attempt("UPDTE notes", None, snapshot_id="three")
    with pytest.raises(psycopg.ProgrammingError):
        session.attempt("UPDATE notes SET body = %s", ("a", "b"), snapshot_id="four")
    session.attempt("UPDATE notes SET body = 'y' WHERE id = 2", None, snapshot_id="five")
    session.complete()
    session.commit()
    rows = shop.owner.execute("SELECT body FROM notes WHERE id < 3 ORDER BY id").fetchall()
    assert rows == [("x",), ("y",)]


def test_a_discarded_statement_leaves_what_was_kept_before_it(shop: Guarded) -> None:
    session = shop.session()
    session.attempt("UPDATE notes SET body = 'x' WHERE id = 1", None, snapshot_id="one")
    session.complete()
    session.attempt("DELETE FROM notes", None, snapshot_id="two")
    session.discard()
    session.commit()
    assert shop.owner.execute("SELECT body FROM notes WHERE id = 1").fetchone() == ("x",)


def test_letting_go_frees_every_lock(shop: Guarded) -> None:
    session = shop.session()
    session.attempt("UPDATE notes SET body = 'x'", None, snapshot_id="s")
    session.let_go()
    assert not session.in_transaction
    shop.owner.execute("SET lock_timeout = 1000; LOCK TABLE notes")


def test_letting_go_of_earlier_changes_is_refused(shop: Guarded) -> None:
    session = shop.session()
    session.attempt("UPDATE notes SET body = 'x' WHERE id = 1", None, snapshot_id="one")
    session.complete()
    session.attempt("DELETE FROM flags", None, snapshot_id="two")
    with pytest.raises(SystemUnavailableError, match="earlier changes"):
        session.let_go()
    session.discard()
    session.commit()
    assert shop.owner.execute("SELECT body FROM notes WHERE id = 1").fetchone() == ("x",)


def test_more_rows_than_were_approved_are_taken_back(shop: Guarded) -> None:
    session = shop.session()
    statement = "UPDATE notes SET body = 'x' WHERE customer <= 34"
    approved = session.attempt(statement, None, snapshot_id="s").radius
    session.let_go()
    shop.owner.execute("INSERT INTO notes SELECT 1000 + i, 1, 'more' FROM generate_series(1, 500) i")
    before = shop.dump()
    session.attempt(statement, None, snapshot_id="s")
    with pytest.raises(SystemUnavailableError, match="exceeds what was approved"):
        session.complete(at_most=approved)
    session.commit()
    assert shop.dump() == before


def test_rows_committed_by_others_while_the_statement_waited_are_counted_too(shop: Guarded) -> None:
    """At READ COMMITTED the statement sees them: the number approved is checked against what really ran."""
    shop.owner.execute("UPDATE notes SET body = 'old'")
    session = shop.session()
    statement = "UPDATE notes SET body = 'x' WHERE body = 'match' OR id <= 100"
    approved = session.attempt(statement, None, snapshot_id="s").radius
    assert approved.count == 100
    session.let_go()
    with psycopg.connect(shop.dsn) as other:
        other.execute("UPDATE notes SET body = 'match'")
        outcome: list[str] = []

        def run() -> None:
            try:
                session.attempt(statement, None, snapshot_id="s")
                session.complete(at_most=approved)
                outcome.append("kept")
            except SystemUnavailableError:
                outcome.append("refused")

        waiting = threading.Thread(target=run)
        waiting.start()
        waiting.join(0.3)
        other.commit()
        waiting.join()
    session.commit()
    row = shop.owner.execute("SELECT count(*) FROM notes WHERE body = 'x'").fetchone()
    assert row == ((100,) if outcome == ["kept"] else (0,))


def test_an_approval_for_another_server_approves_nothing(shop: Guarded) -> None:
    session = shop.session()
    radius = session.attempt("DELETE FROM notes WHERE id = 1", None, snapshot_id="s").radius
    with pytest.raises(SystemUnavailableError, match="another server"):
        session.complete(at_most=replace(radius, fingerprint="postgres:1:1"))


def test_an_approval_for_another_table_approves_nothing(shop: Guarded) -> None:
    session = shop.session()
    approved = session.attempt("DELETE FROM flags WHERE id <= 5", None, snapshot_id="s").radius
    session.discard()
    session.attempt("DELETE FROM notes WHERE id <= 2", None, snapshot_id="t")
    with pytest.raises(SystemUnavailableError, match=r"public\.notes"):
        session.complete(at_most=approved)


def test_what_cannot_be_taken_back_is_not_run_before_it_is_completed(shop: Guarded) -> None:
    session = shop.session()
    radius = session.attempt("VACUUM notes", None, snapshot_id="s").radius
    assert radius.count is None
    assert radius.reversibility is Reversibility.NONE
    session.complete()
    radius = session.attempt(
        "SELECT nextval('lines_id_seq'), pg_notify('c', 'x')", None, snapshot_id="t"
    ).radius
    assert EffectClass.OUTBOUND in radius.effects
    session.discard()
    assert shop.owner.execute("SELECT last_value FROM lines_id_seq").fetchone() == (3000,)


def test_code_is_not_tried_where_the_role_could_leave_the_database(shop: Guarded) -> None:
    session = shop.session(trust_functions=False)
    before = shop.dump()
    radius = session.attempt("SELECT purge(1)", None, snapshot_id="s").radius
    assert radius.count is None
    assert any("superuser" in why for why in radius.unknown)
    session.discard()
    assert shop.dump() == before
    assert session.attempt("DELETE FROM notes WHERE id = 1", None, snapshot_id="t").radius.count == 1


def test_a_contained_role_may_try_code(shop: Guarded) -> None:
    shop.owner.execute("DROP ROLE IF EXISTS agent; CREATE ROLE agent LOGIN")
    shop.owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO agent")
    assert install({"dsn": shop.dsn}, roles=("agent",)) == ()
    before = shop.dump()
    options = {"dsn": shop.dsn.replace("postgres@", "agent@"), "trust_functions": False}
    snapshot_id, radius = shop.act("SELECT purge(2)", **options)
    assert radius.reversibility is Reversibility.EXACT
    with psycopg.connect(options["dsn"]) as agent, pytest.raises(psycopg.errors.InsufficientPrivilege):
        agent.execute("SELECT * FROM clearance_guard.image_1")
    assert shop.undo(snapshot_id).status is RestoreStatus.RESTORED
    assert shop.dump() == before
    shop.owner.execute("DROP OWNED BY agent; DROP ROLE agent")


def test_a_table_made_after_the_installation_is_captured(shop: Guarded) -> None:
    shop.owner.execute(
        "CREATE TABLE late (id int PRIMARY KEY, v text); INSERT INTO late VALUES (1, 'a'), (2, 'b')"
    )
    shop.owner.execute("ALTER TABLE late ADD COLUMN w int DEFAULT 5")
    shop.owner.execute("CREATE TABLE events_5 PARTITION OF events FOR VALUES IN (5)")
    before = shop.dump()
    first, radius = shop.act("UPDATE late SET w = w + id")
    second, moved = shop.act("UPDATE events SET kind = 5 WHERE kind = 1")
    assert {radius.reversibility, moved.reversibility} == {Reversibility.EXACT}
    shop.undo(second)
    shop.undo(first)
    assert shop.dump() == before


def test_a_column_that_the_guard_was_not_told_of_makes_nothing_reversible(shop: Guarded) -> None:
    shop.owner.execute("ALTER EVENT TRIGGER clearance_guard_ddl DISABLE")
    shop.owner.execute("ALTER TABLE notes ADD COLUMN extra int DEFAULT 1")
    session = shop.session()
    radius = session.attempt("DELETE FROM notes", None, snapshot_id="s").radius
    assert radius.reversibility is Reversibility.NONE
    session.rollback()
    install({"dsn": shop.dsn})
    radius = shop.session().attempt("DELETE FROM notes", None, snapshot_id="s").radius
    assert radius.reversibility is Reversibility.EXACT


def test_without_the_guard_rows_are_counted_and_not_reversible(shop: Guarded) -> None:
    uninstall({"dsn": shop.dsn})
    session = shop.session()
    radius = session.attempt("DELETE FROM notes WHERE id <= 4", None, snapshot_id="s").radius
    assert counted(radius) == {"delete public.notes": 4}
    assert radius.reversibility is Reversibility.NONE
    session.complete()
    session.commit()
    with pytest.raises(RecoveryError, match="not installed"):
        shop.undo("s")


def test_a_connection_that_breaks_is_told_as_such(shop: Guarded) -> None:
    session = shop.session()
    session.attempt("DELETE FROM notes", None, snapshot_id="s")
    shop.owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with pytest.raises(SystemUnavailableError):
        session.complete()
    session.close()


def test_a_lock_of_somebody_else_ends_the_wait(shop: Guarded) -> None:
    with psycopg.connect(shop.dsn) as other:
        other.execute("LOCK TABLE notes")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            shop.session(lock_timeout_seconds=0.2).attempt("DELETE FROM notes", None, snapshot_id="s")
