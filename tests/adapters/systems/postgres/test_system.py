"""The system: what a request would touch is counted, kept beforehand, and put back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from clearance.adapters.systems.postgres import open_system
from clearance.core.model import (
    Action,
    Context,
    EffectClass,
    Environment,
    Exactness,
    Operation,
    Principal,
    Request,
    Resource,
    RestoreMode,
    RestoreStatus,
    Reversibility,
)
from clearance.errors import ConfigurationError, NotFoundError, RecoveryError, SystemUnavailableError
from tests.adapters.systems.postgres.conftest import Guarded, counted

pytestmark = pytest.mark.servers


def _request(operation: Operation = Operation.UNKNOWN, **arguments: Any) -> Request:
    return Request(
        principal=Principal(agent="billing"),
        action=Action(tool="crm", operation=operation, arguments=arguments),
        resources=(Resource(kind="tool", name="crm"),),
        context=Context(run_id="r", action_id="a", at=datetime.now(UTC)),
    )


def test_sql_in_a_request_is_counted_by_trying_it(shop: Guarded) -> None:
    before = shop.dump()
    measured = shop.system().measure(_request(sql="DELETE FROM customers WHERE id <= 2"), [])
    assert counted(measured.radius)["delete public.lines"] == 60
    assert measured.operation is Operation.DELETE
    assert "postgres:crm/public.customers" in [resource.id for resource in measured.resources]
    assert shop.dump() == before
    assert shop.owner.execute("SELECT count(*) FROM clearance_guard.snapshots").fetchone() == (0,)


def test_sql_that_fails_is_unknown_and_no_value_of_it_is_told(shop: Guarded) -> None:
    radius = shop.system().measure(_request(sql="SELECT 'secret'::int"), []).radius
    assert radius.count is None
    assert "secret" not in repr(radius)


def test_a_deletion_of_records_counts_all_that_follows(shop: Guarded) -> None:
    before = shop.dump()
    request = _request(Operation.DELETE, record_ids=[1, 2, 9999])
    radius = shop.system().measure(request, ["public.customers"]).radius
    found = counted(radius)
    assert (found["delete public.customers"], found["delete public.orders"]) == (2, 20)
    assert radius.effects >= {EffectClass.DELETE}
    assert shop.dump() == before


def test_an_update_of_records_is_at_most_the_records_there_are(shop: Guarded) -> None:
    request = _request(Operation.UPDATE, record_ids=["1", "2", "9999"])
    radius = shop.system().measure(request, ["public.customers"]).radius
    assert [(t.count, t.exactness) for t in radius.touches] == [(2, Exactness.BOUND)]


def test_a_table_without_record_ids_is_counted_whole(shop: Guarded) -> None:
    radius = shop.system().measure(_request(Operation.READ), ["notes"]).radius
    assert [(t.resource, t.count) for t in radius.touches] == [("public.notes", 300)]


@pytest.mark.parametrize(("name", "ids"), [("nowhere", [1]), ("loose", [1]), ("customers", ["not a number"])])
def test_what_cannot_be_counted_is_unknown(shop: Guarded, name: str, ids: list[Any]) -> None:
    radius = shop.system().measure(_request(Operation.DELETE, record_ids=ids), [name]).radius
    assert radius.count is None
    assert "not a number" not in repr(radius)


@pytest.mark.parametrize("settled", ["settled", "not settled"])
def test_records_that_were_kept_are_put_back(shop: Guarded, settled: str) -> None:
    system, before = shop.system(exclude=("public.audit",)), shop.dump()
    saved = system.save(_request(Operation.UPDATE, record_ids=[1, 2, 3]), ["notes"], snapshot_id="kept")
    assert (saved.count, saved.resources) == (3, ("public.notes",))
    shop.owner.execute("UPDATE notes SET body = 'x' WHERE id = 1; DELETE FROM notes WHERE id = 2")
    if settled == "settled":
        system.settle("kept")
        system.settle("kept")
    assert system.verify("kept").count == 3
    done = system.restore("kept", as_snapshot="undo", mode=RestoreMode.ALL)
    assert (done.status, done.restored, done.verified) == (RestoreStatus.RESTORED, 2, True)
    assert shop.dump() == before
    assert (
        system.restore("kept", as_snapshot="more", mode=RestoreMode.ALL).status
        is RestoreStatus.ALREADY_UNDONE
    )


def test_a_later_change_by_others_is_a_conflict_once_settled(shop: Guarded) -> None:
    system = shop.system()
    system.save(_request(record_ids=[1, 2]), ["notes"], snapshot_id="kept")
    shop.owner.execute("UPDATE notes SET body = 'action' WHERE id = 1")
    system.settle("kept")
    shop.owner.execute("UPDATE notes SET body = 'somebody' WHERE id = 1")
    done = system.restore("kept", as_snapshot="undo", mode=RestoreMode.ALL)
    assert (done.status, done.items[0].key) == (RestoreStatus.CONFLICT, "1")


def test_a_record_made_by_the_action_goes_only_where_how_it_stood_after_is_known(shop: Guarded) -> None:
    system = shop.system()
    for name, settle in (("known", True), ("unknown", False)):
        system.save(_request(record_ids=[9001]), ["notes"], snapshot_id=name)
        shop.owner.execute("INSERT INTO notes VALUES (9001, 1, 'made')")
        if settle:
            system.settle(name)
        done = system.restore(name, as_snapshot=f"undo-{name}", mode=RestoreMode.ALL)
        assert done.status is (RestoreStatus.RESTORED if settle else RestoreStatus.CONFLICT)


def test_a_whole_table_is_kept_and_put_back(shop: Guarded) -> None:
    system, before = shop.system(), shop.dump()
    assert system.save(_request(), ["events", "loose"], snapshot_id="kept").count == 460
    shop.owner.execute("DELETE FROM loose WHERE n = 1; UPDATE events SET kind = 1 WHERE kind = 2")
    system.settle("kept")
    assert system.restore("kept", as_snapshot="undo", mode=RestoreMode.ALL).status is RestoreStatus.RESTORED
    assert shop.dump() == before


def test_keeping_twice_under_one_id_keeps_the_first(shop: Guarded) -> None:
    system = shop.system()
    system.save(_request(record_ids=[1]), ["notes"], snapshot_id="kept")
    assert system.save(_request(record_ids=[1, 2]), ["notes"], snapshot_id="kept").count == 1


def test_what_follows_from_a_kept_record_is_said_not_to_return(shop: Guarded) -> None:
    saved = shop.system().save(_request(record_ids=[1]), ["customers"], snapshot_id="kept")
    assert saved.reversibility is Reversibility.NONE
    assert any("cascade" in line for line in saved.irreversible)


def test_a_table_over_the_cap_is_not_kept(shop: Guarded) -> None:
    with pytest.raises(RecoveryError, match="most_rows"):
        shop.system(most_rows=10).save(_request(), ["notes"], snapshot_id="kept")
    with pytest.raises(NotFoundError):
        shop.system().verify("kept")


def test_a_snapshot_with_a_missing_image_does_not_verify(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("DELETE FROM notes WHERE id <= 5")
    assert shop.system().verify(snapshot_id).count == 5
    row = shop.owner.execute("SELECT shape FROM clearance_guard.events").fetchone()
    assert row is not None
    shop.owner.execute(f"DELETE FROM clearance_guard.image_{row[0]}")
    with pytest.raises(RecoveryError, match="missing"):
        shop.system().verify(snapshot_id)


def test_a_forgotten_snapshot_leaves_no_image(shop: Guarded) -> None:
    snapshot_id, _ = shop.act("DELETE FROM notes")
    row = shop.owner.execute("SELECT shape FROM clearance_guard.events").fetchone()
    assert row is not None
    shop.system().forget(snapshot_id)
    shop.system().forget(snapshot_id)
    assert shop.owner.execute(f"SELECT count(*) FROM clearance_guard.image_{row[0]}").fetchone() == (0,)
    with pytest.raises(NotFoundError):
        shop.system().verify(snapshot_id)


def test_the_environment_is_the_configurations_or_the_databases_or_unknown(shop: Guarded) -> None:
    info = shop.system().info()
    assert info.environment is Environment.UNKNOWN
    assert info.fingerprint.count(":") == 2
    name = shop.dsn.rsplit("/", 1)[1]
    shop.owner.execute(f"ALTER DATABASE {name} SET clearance.environment = 'sandbox'")
    assert shop.system().info().environment is Environment.SANDBOX
    assert (
        shop.system(environments={info.fingerprint: "production"}).info().environment
        is Environment.PRODUCTION
    )


def test_a_session_cannot_pretend_its_environment(shop: Guarded) -> None:
    pretending = f"{shop.dsn}?options=-c%20clearance.environment%3Dsandbox"
    assert shop.system(dsn=pretending).info().environment is Environment.UNKNOWN


def test_options_that_do_not_fit_are_told_together_and_without_the_dsn(tmp_path: Any) -> None:
    options = {"dsn": "postgresql://u:secret@h/d", "dsn_env": "NO_SUCH_VARIABLE", "most_rows": 0}
    with pytest.raises(ConfigurationError) as raised:
        open_system("crm", options, images=tmp_path)
    assert len(raised.value.problems) == 3
    assert "secret" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="dns"):
        open_system("crm", {"dns": "x"}, images=tmp_path)


def test_a_server_that_is_away_is_told_without_its_address(tmp_path: Any) -> None:
    system = open_system("crm", {"dsn": "postgresql://u:secret@127.0.0.1:1/d"}, images=tmp_path)
    with pytest.raises(SystemUnavailableError) as raised:
        system.info()
    assert "secret" not in str(raised.value)
