"""Notices on their way."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from clearance.adapters.store.sqlite.rows import micros
from clearance.adapters.store.sqlite.state.body import Body, maybe_micros, written
from clearance.adapters.store.sqlite.state.database import Database
from clearance.ports import Notice

DUE: Final = (
    "SELECT receiver, attempts, body FROM outbox WHERE again_at <= ?"
    " ORDER BY again_at, notice_id, receiver LIMIT ?"
)
_ADD: Final = "INSERT INTO outbox VALUES (?, ?, 0, ?, ?) ON CONFLICT DO NOTHING"
_SENT: Final = "DELETE FROM outbox WHERE notice_id = ? AND receiver = ?"
_CLAIM: Final = "UPDATE outbox SET again_at = ? WHERE notice_id = ? AND receiver = ?"
_FAILED: Final = (
    "UPDATE outbox SET attempts = attempts + 1, again_at = ? WHERE notice_id = ? AND receiver = ?"
)
_BODY: Final = Body(Notice)


class SqliteOutbox:
    """Outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_notice(self, notice: Notice, *, to: str) -> None:
        values = (notice.notice_id, to, micros(notice.at), written(notice))
        with self._database.writing("store the notice") as connection:
            connection.execute(_ADD, values)

    def claim_notices(
        self, at: datetime, *, until: datetime, limit: int = 100
    ) -> list[tuple[str, int, Notice]]:
        due = (micros(at), max(limit, 0))
        if not self._database.rows(DUE, *due):
            return []  # as nearly always: without a transaction
        with self._database.writing("claim notices") as connection:
            rows = connection.execute(DUE, due).fetchall()
            claimed = [(to, attempts, _BODY.read(body)) for to, attempts, body in rows]
            keys = [(micros(until), notice.notice_id, to) for to, _, notice in claimed]
            connection.executemany(_CLAIM, keys)
            return claimed

    def notice_sent(self, notice_id: str, *, to: str) -> None:
        with self._database.writing("let go of the notice") as connection:
            connection.execute(_SENT, (notice_id, to))

    def notice_failed(self, notice_id: str, *, to: str, again_at: datetime | None) -> None:
        with self._database.writing("put off the notice") as connection:
            connection.execute(_FAILED, (maybe_micros(again_at), notice_id, to))
