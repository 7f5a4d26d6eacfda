"""Tells people, through a durable outbox: kept before it is sent, sent at least once. Stops no action."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from clearance.config.notices import NoticeReceiver
from clearance.errors import ClearanceError, SystemUnavailableError
from clearance.ports import Notice, Notifier, Outbox
from clearance.runtime.mediator import Clock
from clearance.runtime.names import NewId

MOST_ATTEMPTS = 17  # with the pauses below: given up after about five hours
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 3600.0
_AT_ONCE = 200
_THREADS = 8
# For so long nobody else sends what was taken; what a killed process had taken is late by as much at most.
_LEASE = timedelta(seconds=120)
_LONGEST_SEND = timedelta(seconds=60)  # the longest `timeout_seconds` of a receiver
_LOG = logging.getLogger("clearance")


class Notices:
    """Thread-safe. `receivers` say who wants what; `notifiers` send, one for each of them."""

    def __init__(
        self,
        outbox: Outbox,
        notifiers: Sequence[Notifier] = (),
        receivers: Sequence[NoticeReceiver] = (),
        *,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._outbox = outbox
        self._notifiers = {notifier.name: notifier for notifier in notifiers}
        self._receivers = tuple(receivers)
        self._clock = clock
        self._new_id = new_id

    def tell(self, kind: str, body: dict[str, Any]) -> None:
        """Keep one notice for each receiver that wants it. One that cannot be kept is logged."""
        wanting = [receiver for receiver in self._receivers if receiver.wants(kind)]
        if not wanting:
            return
        notice_id, at = self._new_id("note"), self._clock()
        for receiver in wanting:
            link = receiver.link_to(str(body.get("hold_id", "")))
            told = {**body, "link": link} if link else body
            try:
                notice = Notice(notice_id=notice_id, kind=kind, at=at, body=told)
                self._outbox.add_notice(notice, to=receiver.name)
            except ClearanceError as error:
                _LOG.error("a notice (%s) to %s could not be kept (%s)", kind, receiver.name, error.code)

    def deliver_due(self) -> int:
        """Send what is due; how many were taken. Blocks as long as receivers take, each in its own thread.

        What a receiver does not take is tried again, later each time, and given up after MOST_ATTEMPTS.
        Other processes on this store leave alone what was taken here. Raises StoreError.
        """
        at = self._clock()
        due = self._outbox.claim_notices(at, until=at + _LEASE, limit=_AT_ONCE)
        until = at + _LEASE - _LONGEST_SEND
        by_receiver = [list(some) for _, some in groupby(sorted(due, key=_receiver), key=_receiver)]
        if len(by_receiver) < 2:
            return sum(self._deliver(some, until=until) for some in by_receiver)
        with ThreadPoolExecutor(min(len(by_receiver), _THREADS)) as threads:
            return sum(threads.map(lambda some: self._deliver(some, until=until), by_receiver))

    def close(self) -> None:
        """Let the connections go. What was not sent is kept."""
        for notifier in self._notifiers.values():
            notifier.close()

    def _deliver(self, due: list[tuple[str, int, Notice]], *, until: datetime) -> int:
        """One receiver's, in order. Where it does not take one, the others wait too: it is away.

        None is begun after `until`: the lease could end while it is sent.
        """
        notifier = self._notifiers.get(due[0][0])
        why = "" if notifier is not None else "it is not configured here"
        sent = 0
        for to, attempts, notice in due:
            if self._clock() >= until:
                break
            if notifier is not None and not why:
                try:
                    notifier.send(notice)
                except SystemUnavailableError as error:
                    why = str(error)
                else:
                    self._outbox.notice_sent(notice.notice_id, to=to)
                    sent += 1
                    continue
            self._postpone(to, attempts, notice, why=why)
        return sent

    def _postpone(self, to: str, attempts: int, notice: Notice, *, why: str) -> None:
        if attempts + 1 >= MOST_ATTEMPTS:
            _LOG.error("notice %s to %s is given up: %s", notice.notice_id, to, why)
            self._outbox.notice_failed(notice.notice_id, to=to, again_at=None)
            return
        again_at = self._clock() + timedelta(seconds=pause_seconds(attempts))
        self._outbox.notice_failed(notice.notice_id, to=to, again_at=again_at)


def pause_seconds(attempts: int) -> float:
    """How long to wait after so many attempts and one more.

    >>> [pause_seconds(attempts) for attempts in (0, 1, 5, 40)]
    [1.0, 2.0, 32.0, 3600.0]
    """
    return min(_FIRST_PAUSE_SECONDS * 2.0 ** min(attempts, 32), _LONGEST_PAUSE_SECONDS)


def _receiver(due: tuple[str, int, Notice]) -> str:
    return due[0]
