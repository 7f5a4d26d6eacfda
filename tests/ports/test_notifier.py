"""What every notifier promises, over the webhook with a real receiver and over its twin."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from clearance.adapters.approvals import MemoryNotifier, open_webhook
from clearance.config.notices import NoticeReceiver
from clearance.errors import SystemUnavailableError
from clearance.ports import Notice, Notifier
from tests.servers.receiver import receiving

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
NOTICE = Notice(
    notice_id="note_1",
    kind="hold_opened",
    at=datetime(2026, 3, 14, 12, 0, tzinfo=UTC),
    body={"hold_id": "hold_1", "shown": {"tool": "send_email", "arguments": {"to": "é"}}},
)


@dataclass
class Driven:
    """One notifier, what came out at its other end, and the switch that makes the receiver refuse."""

    notifier: Notifier
    received: Callable[[], list[tuple[str, str, dict[str, object]]]]
    go_down: Callable[[], None]


@pytest.fixture(params=["webhook", "memory"])
def driven(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driven]:
    if request.param == "memory":
        twin = MemoryNotifier("ops")

        def refuse() -> None:
            twin.is_down = True

        yield Driven(twin, lambda: [(one.notice_id, one.kind, one.body) for one in twin.sent], refuse)
        return
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with receiving() as receiver:
        settings = NoticeReceiver(name="ops", url=receiver.url, secret_env="HOOK_SECRET")
        webhook = open_webhook(settings, clock=lambda: datetime.now(UTC))

        def received() -> list[tuple[str, str, dict[str, object]]]:
            read = [(headers["webhook-id"], json.loads(body)) for headers, body in receiver.got]
            return [(notice_id, body["type"], body["data"]) for notice_id, body in read]

        def answer_503() -> None:
            receiver.status = 503

        yield Driven(webhook, received, answer_503)
        webhook.close()


def test_a_notice_arrives_whole_and_under_its_id(driven: Driven) -> None:
    assert driven.notifier.name == "ops"
    driven.notifier.send(NOTICE)
    assert driven.received() == [("note_1", "hold_opened", NOTICE.body)]


def test_a_notice_that_is_not_taken_is_an_error_that_tells_nothing_of_it(driven: Driven) -> None:
    driven.go_down()
    with pytest.raises(SystemUnavailableError) as caught:
        driven.notifier.send(NOTICE)
    assert "hold_1" not in str(caught.value)
    assert "send_email" not in str(caught.value)


def test_the_same_notice_can_be_sent_again(driven: Driven) -> None:
    driven.notifier.send(NOTICE)
    driven.notifier.send(NOTICE)
    assert [notice_id for notice_id, _, _ in driven.received()] == ["note_1", "note_1"]
