"""What every journal must prove of itself, record by record, in constant memory. Pure.

A finding is a sentence that names run, number and file, and never a stored value.
"""

from __future__ import annotations

from typing import Final

from clearance.core.model import Draft, Record
from clearance.core.model.record import GENESIS, digest, link

_LISTED: Final = 100


class Problems:
    """Sentences in the order they were found. Beyond a hundred they are only counted."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._more = 0

    def add(self, sentence: str) -> None:
        if len(self._sentences) < _LISTED:
            self._sentences.append(sentence)
        else:
            self._more += 1

    def all(self) -> tuple[str, ...]:
        more = (f"{self._more} further problems are not listed.",) if self._more else ()
        return (*self._sentences, *more)


class ChainCheck:
    """The journal as a whole, in order of position: no place missing, each link made of the one before."""

    def __init__(self, problems: Problems, *, position: int = 0, chain: str = GENESIS) -> None:
        self.position = position
        self.chain = chain
        self.records = 0
        self._problems = problems

    def add(self, record: Record, file: str) -> None:
        self.records += 1
        if record.position != self.position + 1:
            self._problems.add(
                f"{named(record, file)} stands at position {record.position}, not {self.position + 1}:"
                " records before it were removed or moved."
            )
        if record.chain != link(self.chain, record.hash):
            self._problems.add(f"{named(record, file)} does not follow on the journal's chain.")
        self.position, self.chain = record.position, record.chain


class RunCheck:
    """One run, in order of number: no gap, each record as it was sealed, each after the one before.

    `after` is number and hash of the record before the first one added; None when that one was dropped.
    """

    def __init__(self, problems: Problems, *, after: tuple[int, str] | None = (0, GENESIS)) -> None:
        self.after = after
        self.records = 0
        self._problems = problems

    def add(self, record: Record, file: str) -> None:
        self.records += 1
        if self.after is not None:
            seq, last_hash = self.after
            if record.seq != seq + 1:
                self._problems.add(
                    f"{named(record, file)} comes after seq {seq}: numbers are missing or moved."
                )
            elif record.prev_hash != last_hash:
                self._problems.add(f"{named(record, file)} does not follow on the record before it.")
        if digest(_draft(record), seq=record.seq, prev_hash=record.prev_hash) != record.hash:
            self._problems.add(f"{named(record, file)} was changed after it was written.")
        self.after = (record.seq, record.hash)


def named(record: Record, file: str) -> str:
    """How a finding names a record."""
    return f"Run {record.run_id}, seq {record.seq} ({file})"


def _draft(record: Record) -> Draft:
    return Draft(
        run_id=record.run_id,
        kind=record.kind,
        at=record.at,
        agent=record.agent,
        node=record.node,
        action_id=record.action_id,
        tool=record.tool,
        operation=record.operation,
        effect=record.effect,
        status=record.status,
        body=record.body,
    )
