"""Notices: kept before they are sent, tried again with growing pauses, given up in the end."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from clearance.adapters.approvals import MemoryNotifier
from clearance.adapters.store import MemoryState
from clearance.config.notices import NoticeReceiver
from clearance.errors import StoreError
from clearance.ports import Notice
from clearance.runtime.notices import MOST_ATTEMPTS, Notices


class Desk:
    """Notices with a clock that is set by hand."""

    def __init__(self, *notifiers: MemoryNotifier, **receiver: object) -> None:
        self.at = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
        self.outbox = MemoryState().outbox
        self.receivers = [
            NoticeReceiver(name=one.name, url="https://x.example", **receiver)  # type: ignore[arg-type]
            for one in notifiers
        ]
        numbers = itertools.count(1)
        self.notices = Notices(
            self.outbox,
            notifiers,
            self.receivers,
            clock=lambda: self.at,
            new_id=lambda kind: f"{kind}_{next(numbers)}",
        )

    def later(self, seconds: float) -> int:
        self.at += timedelta(seconds=seconds)
        return self.notices.deliver_due()


def test_a_notice_goes_once_to_each_receiver_under_one_id() -> None:
    ops, chat = MemoryNotifier("ops"), MemoryNotifier("chat")
    desk = Desk(ops, chat)
    desk.notices.tell("hold_opened", {"hold_id": "hold_1"})
    assert desk.notices.deliver_due() == 2
    assert desk.later(3600) == 0
    assert [one.notice_id for one in ops.sent] == [one.notice_id for one in chat.sent] == ["note_1"]


def test_a_receiver_is_told_only_of_the_kinds_that_it_wants() -> None:
    ops = MemoryNotifier("ops")
    desk = Desk(ops, events=("hold_closed",))
    desk.notices.tell("hold_opened", {"hold_id": "hold_1"})
    desk.notices.tell("hold_closed", {"hold_id": "hold_1"})
    assert desk.notices.deliver_due() == 1
    assert [one.kind for one in ops.sent] == ["hold_closed"]


def test_a_link_is_made_from_the_template_and_only_where_there_is_a_hold() -> None:
    ops = MemoryNotifier("ops")
    desk = Desk(ops, link="https://console.example/holds/{hold_id}")
    desk.notices.tell("hold_opened", {"hold_id": "hold_1"})
    desk.notices.tell("brake_set", {"name": "crm"})
    desk.notices.deliver_due()
    assert [one.body for one in ops.sent] == [
        {"hold_id": "hold_1", "link": "https://console.example/holds/hold_1"},
        {"name": "crm"},
    ]


def test_a_receiver_that_is_away_is_tried_again_later_each_time_and_holds_up_no_other() -> None:
    ops, away = MemoryNotifier("ops"), MemoryNotifier("away")
    away.is_down = True
    desk = Desk(ops, away)
    desk.notices.tell("hold_opened", {"hold_id": "hold_1"})
    desk.notices.tell("hold_closed", {"hold_id": "hold_1"})
    assert desk.notices.deliver_due() == 2
    assert desk.later(0.5) == 0
    assert desk.later(0.5) == 0  # tried, and still away
    away.is_down = False
    assert desk.later(1.9) == 0  # not tried: two seconds have to pass now
    assert desk.later(0.1) == 2
    assert [one.kind for one in away.sent] == ["hold_opened", "hold_closed"]


def test_what_is_never_taken_is_given_up_after_a_bounded_number_of_attempts() -> None:
    away = MemoryNotifier("away")
    away.is_down = True
    desk = Desk(away)
    desk.notices.tell("hold_opened", {})
    for _ in range(MOST_ATTEMPTS):
        assert len(desk.outbox.claim_notices(desk.at, until=desk.at)) == 1
        desk.notices.deliver_due()
        desk.at += timedelta(hours=1)
    assert desk.outbox.claim_notices(desk.at, until=desk.at) == []


def test_what_waits_for_a_receiver_that_is_configured_no_more_ends_too() -> None:
    ops = MemoryNotifier("ops")
    desk = Desk(ops)
    desk.notices.tell("hold_opened", {})
    bare = Notices(desk.outbox, clock=lambda: desk.at, new_id=str)
    assert bare.deliver_due() == 0
    assert desk.outbox.claim_notices(desk.at, until=desk.at) == []
    assert desk.later(1) == 1  # by the process that knows it


def test_a_store_that_cannot_keep_a_notice_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(MemoryNotifier("ops"))

    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    desk.outbox.add_notice = full  # type: ignore[method-assign]
    desk.notices.tell("hold_opened", {"hold_id": "hold_1"})
    assert "could not be kept" in caplog.text


def test_a_notice_outlives_the_process_that_told_it() -> None:
    desk = Desk(MemoryNotifier("ops"))
    desk.notices.tell("hold_opened", {"hold_id": "hold_1"})
    reborn = MemoryNotifier("ops")
    again = Notices(desk.outbox, [reborn], desk.receivers, clock=lambda: desk.at, new_id=str)
    assert again.deliver_due() == 1
    assert [one.body["hold_id"] for one in reborn.sent] == ["hold_1"]


def test_two_processes_on_one_store_send_each_notice_once() -> None:
    desk = Desk(MemoryNotifier("ops"))
    mine, theirs = MemoryNotifier("ops"), MemoryNotifier("ops")
    one, other = (
        Notices(desk.outbox, [it], desk.receivers, clock=lambda: desk.at, new_id=str) for it in (mine, theirs)
    )
    desk.notices.tell("hold_opened", {"hold_id": "hold_1"})
    send = mine.send

    def meanwhile(notice: Notice) -> None:
        assert other.deliver_due() == 0
        send(notice)

    mine.send = meanwhile  # type: ignore[method-assign]
    assert one.deliver_due() == 1
    assert (len(mine.sent), theirs.sent) == (1, [])


def test_what_a_killed_process_had_taken_is_sent_by_another_soon_after() -> None:
    desk = Desk(ops := MemoryNotifier("ops"))
    desk.notices.tell("hold_opened", {"hold_id": "hold_1"})
    kept, desk.outbox.notice_sent = desk.outbox.notice_sent, lambda *_, **__: killed()  # type: ignore[method-assign]

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.notices.deliver_due()
    desk.outbox.notice_sent = kept  # type: ignore[method-assign]
    assert desk.later(119) == 0
    assert desk.later(1) == 1
    assert len(ops.sent) == 2  # at least once


def test_no_sending_is_begun_that_could_outlast_the_lease() -> None:
    desk = Desk(ops := MemoryNotifier("ops"))
    for _ in range(3):
        desk.notices.tell("hold_opened", {})
    send = ops.send

    def slow(notice: Notice) -> None:
        desk.at += timedelta(seconds=31)
        send(notice)

    ops.send = slow  # type: ignore[method-assign]
    assert desk.notices.deliver_due() == 2
    assert desk.later(120) == 1
