"""What every outbox promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clearance.ports import Notice, Outbox, State

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def outbox(state: State) -> Outbox:
    return state.outbox


def notice(name: str, *, minutes: int = 0) -> Notice:
    return Notice(
        notice_id=name, kind="hold_opened", at=NOON + minutes * MINUTE, body={"hold": name, "n": [1, None]}
    )


def test_a_notice_waits_for_each_of_its_receivers(outbox: Outbox) -> None:
    outbox.add_notice(notice("b"), to="ops")
    outbox.add_notice(notice("b"), to="chat")
    outbox.add_notice(notice("a", minutes=1), to="ops")
    assert outbox.due_notices(NOON) == [("chat", 0, notice("b")), ("ops", 0, notice("b"))]
    assert outbox.due_notices(NOON + MINUTE)[2:] == [("ops", 0, notice("a", minutes=1))]
    assert outbox.due_notices(NOON + MINUTE, limit=1) == [("chat", 0, notice("b"))]
    assert outbox.due_notices(NOON - MINUTE) == []


def test_a_sent_notice_is_gone_for_that_receiver(outbox: Outbox) -> None:
    outbox.add_notice(notice("a"), to="ops")
    outbox.add_notice(notice("a"), to="chat")
    outbox.notice_sent("a", to="ops")
    outbox.notice_sent("a", to="nobody")
    assert outbox.due_notices(NOON) == [("chat", 0, notice("a"))]


def test_a_failed_notice_comes_again_when_told(outbox: Outbox) -> None:
    outbox.add_notice(notice("a"), to="ops")
    outbox.notice_failed("a", to="ops", again_at=NOON + MINUTE)
    outbox.notice_failed("x", to="ops", again_at=NOON)
    assert outbox.due_notices(NOON) == []
    assert outbox.due_notices(NOON + MINUTE) == [("ops", 1, notice("a"))]
    outbox.notice_failed("a", to="ops", again_at=None)
    assert outbox.due_notices(NOON + timedelta(days=9)) == []


def test_adding_a_notice_again_does_not_begin_it_anew(outbox: Outbox) -> None:
    outbox.add_notice(notice("a"), to="ops")
    outbox.notice_failed("a", to="ops", again_at=NOON + MINUTE)
    outbox.add_notice(notice("a"), to="ops")
    assert outbox.due_notices(NOON) == []
    assert outbox.due_notices(NOON + MINUTE) == [("ops", 1, notice("a"))]
