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


def due(outbox: Outbox, at: datetime, *, limit: int = 100) -> list[tuple[str, int, Notice]]:
    """What is due, left so."""
    return outbox.claim_notices(at, until=at, limit=limit)


def test_a_notice_waits_for_each_of_its_receivers(outbox: Outbox) -> None:
    outbox.add_notice(notice("b"), to="ops")
    outbox.add_notice(notice("b"), to="chat")
    outbox.add_notice(notice("a", minutes=1), to="ops")
    assert due(outbox, NOON) == [("chat", 0, notice("b")), ("ops", 0, notice("b"))]
    assert due(outbox, NOON - MINUTE) == []
    assert due(outbox, NOON + MINUTE, limit=1) == [("chat", 0, notice("b"))]
    assert due(outbox, NOON + MINUTE)[0] == ("ops", 0, notice("b"))


def test_a_sent_notice_is_gone_for_that_receiver(outbox: Outbox) -> None:
    outbox.add_notice(notice("a"), to="ops")
    outbox.add_notice(notice("a"), to="chat")
    outbox.notice_sent("a", to="ops")
    outbox.notice_sent("a", to="nobody")
    assert due(outbox, NOON) == [("chat", 0, notice("a"))]


def test_a_failed_notice_comes_again_when_told(outbox: Outbox) -> None:
    outbox.add_notice(notice("a"), to="ops")
    outbox.notice_failed("a", to="ops", again_at=NOON + MINUTE)
    outbox.notice_failed("x", to="ops", again_at=NOON)
    assert due(outbox, NOON) == []
    assert due(outbox, NOON + MINUTE) == [("ops", 1, notice("a"))]
    outbox.notice_failed("a", to="ops", again_at=None)
    assert due(outbox, NOON + timedelta(days=9)) == []


def test_adding_a_notice_again_does_not_begin_it_anew(outbox: Outbox) -> None:
    outbox.add_notice(notice("a"), to="ops")
    outbox.notice_failed("a", to="ops", again_at=NOON + MINUTE)
    outbox.add_notice(notice("a"), to="ops")
    assert due(outbox, NOON) == []
    assert due(outbox, NOON + MINUTE) == [("ops", 1, notice("a"))]


def test_what_was_claimed_is_nobody_elses_until_its_time_is_over(outbox: Outbox) -> None:
    for name in ("a", "b"):
        outbox.add_notice(notice(name), to="ops")
    assert outbox.claim_notices(NOON, until=NOON + MINUTE, limit=1) == [("ops", 0, notice("a"))]
    assert outbox.claim_notices(NOON, until=NOON + MINUTE) == [("ops", 0, notice("b"))]
    assert outbox.claim_notices(NOON, until=NOON + MINUTE) == []
    outbox.notice_sent("b", to="ops")
    assert outbox.claim_notices(NOON + MINUTE, until=NOON + 2 * MINUTE) == [("ops", 0, notice("a"))]
