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


def most_of(group: list[Entry]) -> Durability:
    """What the group has to survive so that each gets what it asked for."""
    power = any(entry.durability is Durability.POWER for entry in group)
    return Durability.POWER if power else Durability.PROCESS


def write(journal: Journal, group: list[Entry], durability: Durability) -> list[tuple[Entry, list[Record]]]:
    """Commit a group as one append. Raises StoreError, also for a bug below: it must refuse, not hang."""
    drafts = [draft for entry in group for draft in entry.drafts]
    try:
        written = journal.append(drafts, durability=durability)
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(f"The store failed unexpectedly ({type(error).__name__}).") from error
    left = iter(written)
    return [(entry, [next(left) for _ in entry.drafts]) for entry in group]


def resolve(entry: Entry, records: list[Record]) -> None:
    """Hand a caller that still waits the records of its own drafts."""
    if not entry.done.done():
        entry.done.set_result(records)


def fail(group: list[Entry], error: StoreError) -> None:
    """Refuse everyone who still waits."""
    for entry in group:
        if not entry.done.done():
            entry.done.set_exception(error)
