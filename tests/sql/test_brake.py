"""The brake at the database door: what a stopped agent has not committed never becomes real."""

from __future__ import annotations

import threading
import time

import pytest

from clearance import Client, PolicyViolationError
from clearance.core.model import RecordKind, StopKind, StopLevel
from clearance.errors import StoreError
from clearance.sdk.embedded import EmbeddedBackend
from clearance.sql import Connection
from tests.sql.conftest import Database

pytestmark = pytest.mark.servers

UPDATE = "UPDATE orders SET state = 'done' WHERE id <= 5"
ENDLESS = "SELECT count(*) FROM " + ", ".join(f"orders {name}" for name in "abcdefgh")


def pull(client: Client, kind: StopKind = StopKind.AGENT, name: str = "tester") -> None:
    assert isinstance(client.backend, EmbeddedBackend)
    client.backend.assembly.brake.set(kind, name, StopLevel.PAUSED, reason="odd", by="person:o")


def lift(client: Client) -> None:
    assert isinstance(client.backend, EmbeddedBackend)
    client.backend.assembly.brake.lift(StopKind.AGENT, "tester", by="person:o")


def outcomes(client: Client) -> list[tuple[str, str]]:
    found = [record for run in client.runs() for record in client.trace(run.run_id)]
    records = [record for record in found if record.kind is RecordKind.OUTCOME]
    return [(record.status, record.decoded().get("error", "")) for record in records]


def test_a_stopped_agents_transaction_is_rolled_back_at_its_commit(
    database: Database, client: Client, orders: Connection
) -> None:
    before = database.states()
    orders.execute(UPDATE)
    pull(client)
    with pytest.raises(PolicyViolationError) as refused:
        orders.commit()
    assert refused.value.reason_code == "paused"
    assert not orders.in_transaction
    assert database.states() == before
    assert outcomes(client) == [("failed", "stopped by the brake")]
    lift(client)
    orders.execute(UPDATE)
    orders.commit()
    assert database.states() != before


def test_a_stopped_tool_commits_nothing_either(
    database: Database, client: Client, orders: Connection
) -> None:
    before = database.states()
    orders.execute(UPDATE)
    pull(client, StopKind.TOOL, "sql.execute")
    with pytest.raises(PolicyViolationError):
        orders.commit()
    assert database.states() == before


def test_with_autocommit_the_brake_is_asked_again_before_the_commit(
    database: Database, client: Client, orders: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, orders.autocommit = database.states(), True
    session = orders._session
    complete = session.complete

    def pulled_meanwhile(**bounds: object) -> object:
        done = complete(**bounds)  # type: ignore[arg-type]
        pull(client)
        return done

    monkeypatch.setattr(session, "complete", pulled_meanwhile)
    with pytest.raises(PolicyViolationError):
        orders.execute(UPDATE)
    assert database.states() == before
    assert not orders.in_transaction
    assert outcomes(client) == [("failed", "stopped by the brake")]


def test_a_brake_that_cannot_be_read_commits_nothing(
    database: Database, client: Client, orders: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = database.states()
    orders.execute(UPDATE)

    def gone(_: object) -> None:
        raise StoreError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(client.backend, "stopping", gone)
        with pytest.raises(StoreError):
            orders.commit()
    assert database.states() == before


def test_a_statement_that_runs_on_the_server_is_cancelled(
    database: Database, client: Client, orders: Connection
) -> None:
    before = database.states()
    orders.execute(UPDATE)
    pulled: list[float] = []

    def later() -> None:
        time.sleep(0.5)
        pull(client)
        pulled.append(time.perf_counter())

    threading.Thread(target=later).start()
    with pytest.raises(PolicyViolationError) as refused:
        orders.execute(ENDLESS)
    assert time.perf_counter() - pulled[0] < 1.0
    assert refused.value.reason_code == "paused"
    assert not orders.in_transaction, "its locks are free"
    assert database.states() == before
