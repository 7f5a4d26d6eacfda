"""Which run a model call belongs to, told by the conversation that it goes on with. Keeps hashes, no text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from clearance.core.dialects.turns import Chain, first_answer
from clearance.core.model import RecordKind
from clearance.gateway.model_proxy.proposals import DOOR, Proposal
from clearance.ports import RecordQuery
from clearance.runtime.control_point import ControlPoint
from clearance.runtime.recent import Recent
from clearance.runtime.runs import Run

_KEPT = 65_536  # places in conversations
_READ_BACK = 2_000  # outcomes of model calls, newest first, that are read when a process starts
_MOST_GOAL = 500  # characters


class Known(Struct, frozen=True):
    """A place in a conversation: in whose run it stands, and how many messages that run's trace holds."""

    run_id: str
    messages: int


class _Kept(Struct):
    """What the outcome of a model call says of its conversation."""

    conversation: tuple[str, ...] = ()
    messages: int = 0
    id: str = ""
    tool_calls: tuple[Proposal, ...] = ()


class _Outcome(Struct):
    result: _Kept | None = None


class Conversations:
    """Belongs to one event loop. What it forgets begins a new run: never an action in another agent's."""

    def __init__(self) -> None:
        self._known: Recent[Known] = Recent(_KEPT)

    def find(self, agent: str, items: Sequence[Any], chain: Chain, *, is_retry: bool) -> Known | None:
        """The longest known part of this conversation that the model has answered; of a retry, all of it.

        A conversation in which the model has not spoken yet begins a run, however often it begins like that.
        """
        least = first_answer(items)
        for at in range(len(items) - 1, least - 2, -1):
            if at < 0 or (at < least and not (is_retry or least < len(items))):
                break
            known = self._known.get(_key(agent, chain.marks[at]))
            if known is not None:
                return Known(known.run_id, min(at + 1, known.messages))
        return None

    def held(self, agent: str, chain: Chain) -> Known | None:
        """The run in which exactly this request waits for a person."""
        return self._known.get(_key(agent, f"held:{chain.marks[-1]}")) if chain.marks else None

    def remember(self, run: Run, mark: str, messages: int) -> None:
        """Up to this mark, so many messages are in the run's trace."""
        self._known.put(_key(run.agent, mark), Known(run.run_id, messages))

    def remember_held(self, run: Run, chain: Chain) -> None:
        """The same request, sent again, belongs to this run: there it is held."""
        if chain.marks:
            self.remember(run, f"held:{chain.marks[-1]}", 0)

    def answered(self, run: Run, answer_id: str) -> None:
        """An answer that the provider keeps under this id was given in this run."""
        self.remember(run, f"answer:{answer_id}", 0)

    def run_of_answer(self, agent: str, answer_id: str) -> str:
        """The run in which this agent was given that answer; empty where it was not."""
        known = self._known.get(_key(agent, f"answer:{answer_id}"))
        return "" if known is None else known.run_id

    def read_back(self, point: ControlPoint) -> list[tuple[str, Sequence[Proposal]]]:
        """What earlier processes remembered, from the outcomes of the newest model calls. May block.

        The tool calls that those asked for, by run. What agents tell of model calls of their own is not ours.
        """
        proposals: list[tuple[str, Sequence[Proposal]]] = []
        query = RecordQuery(operation="model_call", kind=RecordKind.OUTCOME.value, limit=_READ_BACK)
        for record in reversed(point.journal.search(query)):
            if point.came_by(record.action_id).door != DOOR:
                continue
            try:
                kept = record.decoded_as(_Outcome).result
            except msgspec.ValidationError:
                continue
            if kept is None:
                continue
            run = Run(run_id=record.run_id, agent=record.agent)
            for mark in kept.conversation:
                self.remember(run, mark, kept.messages)
            if kept.id:
                self.answered(run, kept.id)
            proposals.append((record.run_id, kept.tool_calls))
        return proposals


def goal_of(text: str) -> str:
    """A run that begins with a conversation has its first words as its goal."""
    return " ".join(text[: _MOST_GOAL * 2].split())[:_MOST_GOAL]


def _key(agent: str, mark: str) -> str:
    return f"{agent}\0{mark}"
