"""A statement that is held: with nothing locked, waited for, attempted anew, kept once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from clearance import ApprovalRequiredError, Client, PolicyViolationError
from clearance.cli.person_here import local_person
from clearance.core.drafts import ActionBody
from clearance.core.model import AnswerKind, RecordKind
from clearance.sdk.embedded import EmbeddedBackend
from clearance.sql import connect
from tests.sql.conftest import ROWS, Database

pytestmark = pytest.mark.servers

UPDATE = "UPDATE orders SET state = 'done' WHERE id <= 5"
ASKS = {"name": "ask_changes", "rule": "require_approval", "condition": {"operation": "update"}}


def answer(client: Client, hold_id: str, kind: AnswerKind = AnswerKind.APPROVE) -> None:
    assert isinstance(client.backend, EmbeddedBackend)
    holds = client.backend.assembly.holds
    holds.answer(hold_id, kind, person=local_person(), shown_hash=holds.hold(hold_id).shown_hash)


def test_a_held_statement_leaves_nothing_and_goes_on_when_it_is_sent_again(
    database: Database, client: Client
) -> None:
    client.policies.create(ASKS)
    with connect(database.dsn, client=client, name="shop", autocommit=True) as orders:
        with pytest.raises(ApprovalRequiredError) as caught:
            orders.execute(UPDATE)
        assert database.states() == ["open"] * ROWS
        [hold] = client.holds()
        assert [radius.count for radius in hold.shown.radius] == [5]
        answer(client, caught.value.hold_id)
        assert orders.execute(UPDATE).rowcount == 5
    assert database.states() == ["done"] * 5 + ["open"] * (ROWS - 5)


def test_a_statement_waits_for_the_yes_with_nothing_locked(database: Database, tmp_path: Path) -> None:
    with Client(tmp_path / "waits", agent="tester", wait_for_approval_seconds=30) as client:
        client.policies.create(ASKS)

        def watch() -> None:
            while not (found := client.holds(status="pending")):
                time.sleep(0.02)
            database.plain(
                "UPDATE orders SET state = 'mine' WHERE id = 20"
            )  # somebody else goes on meanwhile
            answer(client, found[0].hold_id)

        watching = threading.Thread(target=watch)
        watching.start()
        with connect(database.dsn, client=client, name="shop", autocommit=True) as orders:
            assert orders.execute(UPDATE).rowcount == 5
        watching.join()
        assert database.states() == ["done"] * 5 + ["open"] * (ROWS - 6) + ["mine"]
        [hold] = client.holds()
        kinds = [record.kind for record in client.trace(hold.run_id) if record.action_id == hold.action_id]
        assert kinds.count(RecordKind.INTENT) == 1
        [intent] = [r for r in client.trace(hold.run_id) if r.kind is RecordKind.INTENT]
        [said] = intent.decoded_as(ActionBody).approved_by
        assert said.by == local_person().name


def test_a_statement_that_waits_is_told_the_no_and_keeps_nothing(database: Database, tmp_path: Path) -> None:
    with Client(tmp_path / "waits", agent="tester", wait_for_approval_seconds=30) as client:
        client.policies.create(ASKS)

        def watch() -> None:
            while not (found := client.holds(status="pending")):
                time.sleep(0.02)
            answer(client, found[0].hold_id, AnswerKind.DENY)

        watching = threading.Thread(target=watch)
        watching.start()
        with connect(database.dsn, client=client, name="shop", autocommit=True) as orders:
            with pytest.raises(PolicyViolationError) as refused:
                orders.execute(UPDATE)
            assert refused.value.reason_code == "approval_refused"
        watching.join()
    assert database.states() == ["open"] * ROWS
