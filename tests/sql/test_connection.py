"""Guarded connections on every engine: what is cleared is committed, what is not leaves nothing."""

from __future__ import annotations

import pytest

from clearance import ClearanceError, Client, PolicyViolationError
from clearance.core.drafts import ActionBody
from clearance.core.model import Effect, Record, RecordKind, Reversibility
from clearance.errors import ApprovalRequiredError, ConfigurationError, StoreError
from clearance.sql import Connection, connect
from tests.answering import approve
from tests.sql.conftest import ROWS, Database

pytestmark = pytest.mark.servers

UPDATE = "UPDATE orders SET state = 'done' WHERE id <= 5"


def statements(client: Client) -> list[Record]:
    """The records of every guarded statement so far, in order."""
    [run] = client.runs(limit=1)
    return [record for record in client.trace(run.run_id) if record.tool == "sql.execute"]


def block(client: Client, **condition: object) -> None:
    client.policies.create({"name": "stop", "rule": "block", "condition": condition})


def test_what_was_cleared_is_committed_with_its_count_and_can_be_undone(
    database: Database, client: Client, orders: Connection
) -> None:
    before = database.states()
    assert orders.execute(UPDATE).rowcount == 5
    assert database.states() == before, "seen by others before COMMIT"
    orders.commit()
    assert database.states() == ["done"] * 5 + ["open"] * (ROWS - 5)
    intent, outcome = statements(client)
    body = intent.decoded_as(ActionBody)
    assert body.facts["record_count"].value == 5
    assert body.facts["record_count"].source == "counted"
    assert body.radius[0].reversibility is Reversibility.EXACT
    assert (outcome.status, outcome.decoded()["result"]) == ("succeeded", {"rows": 5})
    assert client.undo(intent.action_id).systems["shop"].verified
    assert database.states() == before


def test_what_was_refused_leaves_the_transaction_as_it_was(
    database: Database, client: Client, orders: Connection
) -> None:
    block(client, action="update", record_count_exceeds=5)
    orders.execute(UPDATE)
    with pytest.raises(PolicyViolationError) as refused:
        orders.execute("UPDATE orders SET state = 'lost'")
    assert refused.value.reason_code == "policy_block"
    assert orders.execute("SELECT count(*) FROM orders WHERE state = 'lost'").fetchone()[0] == 0
    orders.commit()
    assert database.states() == ["done"] * 5 + ["open"] * (ROWS - 5)
    refusal = next(record for record in statements(client) if record.kind is RecordKind.REFUSAL)
    assert refusal.decoded_as(ActionBody).radius[0].count == ROWS


def test_a_statement_that_no_count_could_save_is_refused_without_running(
    database: Database, client: Client, orders: Connection
) -> None:
    block(client, tool="sql.execute", operation="delete")
    with pytest.raises(PolicyViolationError):
        orders.execute("DELETE FROM orders")
    [refusal] = statements(client)
    assert refusal.decoded_as(ActionBody).radius == ()


def test_a_statement_that_fails_raises_what_the_driver_raises_and_the_rest_stands(
    database: Database, orders: Connection
) -> None:
    orders.execute(UPDATE)
    with pytest.raises(database.error):
        orders.execute("UPDATE no_such_table SET state = 'x'")
    with pytest.raises(database.error):
        orders.execute("INSERT INTO orders (id, state) VALUES (1, 'twice')")
    orders.commit()
    assert database.states()[:6] == ["done"] * 5 + ["open"]


def test_a_rollback_takes_everything_back_and_is_told_to_the_trace(
    database: Database, client: Client, orders: Connection
) -> None:
    orders.execute(UPDATE)
    orders.execute("UPDATE orders SET state = 'lost' WHERE id = 9")
    orders.rollback()
    assert set(database.states()) == {"open"}
    outcomes = [record for record in statements(client) if record.kind is RecordKind.OUTCOME]
    assert [record.status for record in outcomes] == ["failed", "failed"]
    assert outcomes[0].decoded()["error"] == "rolled back"


def test_closing_without_a_commit_keeps_nothing(database: Database, client: Client) -> None:
    connection = connect(database.dsn, client=client, name="shop")
    connection.execute(UPDATE)
    connection.close()
    connection.close()
    assert set(database.states()) == {"open"}
    with pytest.raises(ClearanceError):
        connection.execute(UPDATE)


def test_autocommit_makes_each_statement_real_at_once(database: Database, client: Client) -> None:
    with connect(database.dsn, client=client, name="shop", autocommit=True) as connection:
        connection.execute(UPDATE)
        assert database.states().count("done") == 5


@pytest.mark.parametrize("text", ["COMMIT", "BEGIN", "ROLLBACK", "SAVEPOINT a", "; ;", ""])
def test_a_transaction_is_ended_by_the_connection_and_not_by_a_text(
    database: Database, orders: Connection, text: str
) -> None:
    orders.execute(UPDATE)
    with pytest.raises((ClearanceError, database.error)):
        orders.execute(text)
    orders.rollback()
    assert set(database.states()) == {"open"}


def test_two_statements_in_one_text_are_refused(database: Database, orders: Connection) -> None:
    with pytest.raises((ClearanceError, database.error)):
        orders.execute("SELECT 1; DELETE FROM orders")
    orders.commit()
    assert len(database.states()) == ROWS


def test_parameters_go_to_the_driver_and_results_come_back(database: Database, orders: Connection) -> None:
    cursor = orders.cursor()
    cursor.execute(f"SELECT id, state FROM orders WHERE id > {database.mark} ORDER BY id", (17,))
    assert [column[0] for column in cursor.description] == ["id", "state"]
    assert tuple(cursor.fetchone()) == (18, "open")
    assert [tuple(row) for row in cursor.fetchmany(1)] == [(19, "open")]
    assert [tuple(row) for row in cursor.fetchall()] == [(20, "open")]
    cursor.executemany(f"UPDATE orders SET state = 'x' WHERE id = {database.mark}", [(1,), (2,), (99,)])
    assert cursor.rowcount == 2
    orders.commit()
    assert database.states()[:3] == ["x", "x", "open"]


def test_a_read_is_recorded_with_the_rows_it_gave(client: Client, orders: Connection) -> None:
    orders.execute("SELECT * FROM orders").fetchall()
    intent = statements(client)[0]
    assert (intent.operation, intent.decoded_as(ActionBody).facts["record_count"].value) == ("read", ROWS)


def test_a_store_that_is_down_keeps_the_statement_from_running(
    database: Database, client: Client, orders: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.execute("SELECT 1")

    def down(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(client.backend.assembly.journal, "append", down)  # type: ignore[attr-defined]
    with pytest.raises(PolicyViolationError) as refused:
        orders.execute(UPDATE)
    assert refused.value.reason_code == "store_unavailable"
    orders.commit()
    assert set(database.states()) == {"open"}


def held(client: Client, orders: Connection, statement: str) -> str:
    """The hold of a statement that needs a yes; whatever it locked is free by now."""
    client.policies.create({"name": "ask", "rule": "require_approval", "condition": {"action": "update"}})
    with pytest.raises(ApprovalRequiredError) as refused:
        orders.execute(statement)
    return refused.value.hold_id


def shown_count(client: Client, hold_id: str) -> int | None:
    return client.backend.assembly.holds.hold(hold_id).shown.radius[0].count  # type: ignore[attr-defined]


def test_an_approval_for_fewer_rows_than_match_at_execution_is_refused(
    database: Database, client: Client, orders: Connection
) -> None:
    database.plain("UPDATE orders SET state = 'old' WHERE id <= 10")
    statement = "UPDATE orders SET state = 'gone' WHERE state = 'old'"
    hold_id = held(client, orders, statement)
    assert shown_count(client, hold_id) == 10
    database.plain("UPDATE orders SET state = 'old'")  # blocks for ever where the held statement keeps a lock
    approve(client.backend.assembly, hold_id)  # type: ignore[attr-defined]
    with pytest.raises(PolicyViolationError) as refused:
        orders.execute(statement)
    orders.commit()
    assert refused.value.reason_code == "radius_changed"
    assert set(database.states()) == {"old"}


def test_an_approval_for_what_is_still_true_runs_once(
    database: Database, client: Client, orders: Connection
) -> None:
    hold_id = held(client, orders, UPDATE)
    assert shown_count(client, hold_id) == 5
    database.plain("UPDATE orders SET state = 'x' WHERE id = 20")
    approve(client.backend.assembly, hold_id)  # type: ignore[attr-defined]
    orders.execute(UPDATE)
    orders.commit()
    assert database.states().count("done") == 5
    with pytest.raises(ApprovalRequiredError) as anew:
        orders.execute(UPDATE)
    assert anew.value.hold_id != hold_id
    intents = [record for record in statements(client) if record.kind is RecordKind.INTENT]
    assert [record.effect for record in intents] == [Effect.ALLOW.value]


def test_a_dsn_that_leads_nowhere_says_so_without_its_password(client: Client) -> None:
    with pytest.raises(ConfigurationError, match="no configured system"):
        connect("crm", client=client)
    for dsn in ("postgresql://u:s3cr3t@127.0.0.1:1/x", "mysql://u:s3cr3t@127.0.0.1:1/x"):
        with pytest.raises(ClearanceError) as failed:
            connect(dsn, client=client).execute("SELECT 1")
        assert "s3cr3t" not in str(failed.value)
