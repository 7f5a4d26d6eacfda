"""What an event loop's writers share: who waits for which drafts, and how they are told."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from clearance.core.model import Draft, Durability, Record
from clearance.errors import StoreError
from clearance.ports import Journal


class Entry(Struct, frozen=True):
    """One caller's drafts."""

    drafts: list[Draft]
    durability: Durability
    done: asyncio.Future[list[Record]]


def write(journal: Journal, group: list[Entry]) -> list[Record]:
    """Commit a group as one append. Raises StoreError, also for a bug below: it must refuse, not hang."""
    power = any(entry.durability is Durability.POWER for entry in group)
    drafts = [draft for entry in group for draft in entry.drafts]
    try:
        return journal.append(drafts, durability=Durability.POWER if power else Durability.PROCESS)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(f"The store failed unexpectedly ({type(error).__name__}).") from error


def resolve(group: list[Entry], written: list[Record]) -> None:
    """Hand everyone who still waits the records of its own drafts."""
    start = 0
    for entry in group:
        end = start + len(entry.drafts)
        if not entry.done.done():
            entry.done.set_result(written[start:end])
        start = end


def fail(group: list[Entry], error: StoreError) -> None:
    """Refuse everyone who still waits."""
    for entry in group:
        if not entry.done.done():
            entry.done.set_exception(error)
