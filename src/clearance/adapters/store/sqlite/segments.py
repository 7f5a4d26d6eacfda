"""The journal's files, one per UTC day: which there are, how one is sealed and how the next one is made.

Rotation has two steps, each atomic and repeatable: `seal` writes into the old segment what the next one is
called; `create_after` makes exactly that one. Whoever finds a sealed segment without its next makes it.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from clearance.adapters.store.sqlite import schema
from clearance.adapters.store.sqlite.files import connect, create, remove
from clearance.adapters.store.sqlite.meta import Meta, insert_meta, read_meta, update_sealed
from clearance.core.model.record import GENESIS

_NAME: Final = re.compile(r"\d{4}-\d{2}-\d{2}\.db")


def name_for(at: datetime) -> str:
    """The segment that a record of this time belongs to."""
    return f"{at.astimezone(UTC).date().isoformat()}.db"


def end_of(name: str) -> datetime:
    """The first moment that is too late for a segment."""
    day = date.fromisoformat(name.removesuffix(".db"))
    return datetime.combine(day, time(), UTC) + timedelta(days=1)


def last_link(connection: sqlite3.Connection, meta: Meta) -> tuple[int, str]:
    """Position and chain of the newest record, or of the genesis in an empty segment."""
    row = connection.execute("SELECT position, chain FROM records ORDER BY position DESC LIMIT 1").fetchone()
    return (row[0], row[1].hex()) if row else (meta.genesis_position, meta.genesis_chain)


class Segments:
    """The directory of segment files. Names sort by day."""

    def __init__(self, directory: Path, *, busy_seconds: float) -> None:
        self.directory = directory
        self._busy_seconds = busy_seconds

    def names(self) -> list[str]:
        """Oldest first."""
        return sorted(entry.name for entry in self.directory.iterdir() if _NAME.fullmatch(entry.name))

    def path(self, name: str) -> Path:
        return self.directory / name

    def connect(self, name: str) -> sqlite3.Connection:
        return connect(self.path(name), busy_seconds=self._busy_seconds)

    def create_first(self, name: str) -> None:
        """Make the segment that begins a journal, if it is not there."""
        self._create(Meta(name=name, genesis_chain=GENESIS), [])

    def seal(self, name: str, *, following: str) -> Meta:
        """Let a segment take no more records. One that is sealed already keeps the `next` it has."""
        with closing(self.connect(name)) as connection:
            # Also makes power-safe what was committed here for PROCESS only.
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            meta = read_meta(connection)
            if not meta.is_sealed:
                position, chain = last_link(connection, meta)
                meta = replace(meta, next=following, final_position=position, final_chain=chain)
                update_sealed(connection, meta)
            connection.execute("COMMIT")
        return meta

    def create_after(self, sealed: Meta) -> None:
        """Make the next segment of a sealed one, if none is there. Open actions are carried over."""
        if self.names()[-1] > sealed.name:
            return
        with closing(self.connect(sealed.name)) as connection:
            carried = connection.execute(
                "SELECT run_id, action_id, kind, position FROM open_actions"
            ).fetchall()
        meta = Meta(
            name=sealed.next,
            previous=sealed.name,
            genesis_position=sealed.final_position,
            genesis_chain=sealed.final_chain,
        )
        self._create(meta, carried)

    def drop_before(self, day: date) -> list[str]:
        """Remove whole segments older than the day, never the newest. Returns their names, oldest first."""
        dropped = [name for name in self.names()[:-1] if name < f"{day.isoformat()}.db"]
        for name in dropped:
            remove(self.path(name))
        return dropped

    def _create(self, meta: Meta, carried: list[tuple[str, str, str, int]]) -> None:
        def fill(connection: sqlite3.Connection) -> None:
            for statement in schema.SEGMENT:
                connection.execute(statement)
            insert_meta(connection, meta)
            connection.executemany("INSERT INTO open_actions VALUES (?, ?, ?, ?)", carried)

        create(self.path(meta.name), fill)
