"""Drives one action's machine: command -> port -> event, sync or async. Decides nothing itself."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from clearance.core.commands import Command, Execute, Finish, Gather, Write
from clearance.core.events import Event, Gathered, GatherFailed, Unavailable, WriteFailed, Written
from clearance.core.mediation import Judge, Mediation, begin, step
from clearance.core.model import Draft, Durability, Effect, Record, Request, Verdict
from clearance.core.policy import History, PolicySet
from clearance.errors import StoreError
from clearance.ports import Journal
from clearance.runtime.memory import Memory

Clock = Callable[[], datetime]
AsyncAppend = Callable[[list[Draft], Durability], Awaitable[list[Record]]]


class Mediator:
    """Carries an action from its request to EXECUTING, where the door runs it, or to DONE.

    Nobody can be asked and nothing can be snapshotted through it yet: both are answered `Unavailable`,
    and the machine refuses.
    """

    def __init__(self, journal: Journal, memory: Memory, *, clock: Clock) -> None:
        self._journal = journal
        self._memory = memory
        self._clock = clock
        self._lock = threading.Lock()  # decide and count as one, or two calls pass where one may

    def clear(self, request: Request, policies: PolicySet) -> Mediation:
        """Decide, and make the decision durable. Ends in EXECUTING (the caller runs it now) or DONE."""
        mediation, command = begin(request)
        while not isinstance(command, (Execute, Finish)):
            is_written = False
            if isinstance(command, Write):
                with suppress(StoreError):
                    self._journal.append([command.draft], durability=command.durability)
                    is_written = True
            mediation, command = self._next(mediation, command, policies, is_written=is_written)
        return mediation

    async def aclear(self, request: Request, policies: PolicySet, append: AsyncAppend) -> Mediation:
        """The same, with the event loop free while the store writes."""
        mediation, command = begin(request)
        while not isinstance(command, (Execute, Finish)):
            is_written = False
            if isinstance(command, Write):
                with suppress(StoreError):
                    await append([command.draft], command.durability)
                    is_written = True
            mediation, command = self._next(mediation, command, policies, is_written=is_written)
        return mediation

    def _next(
        self, mediation: Mediation, command: Command | None, policies: PolicySet, *, is_written: bool
    ) -> tuple[Mediation, Command | None]:
        if isinstance(command, Gather):
            return self._decide(mediation, policies)
        at = self._clock()
        event: Event = Unavailable(at=at)
        if isinstance(command, Write):
            event = Written(at=at) if is_written else WriteFailed(at=at)
        return step(mediation, event, _NO_RULES)

    def _decide(self, mediation: Mediation, policies: PolicySet) -> tuple[Mediation, Command | None]:
        with self._lock:
            try:
                history = self._memory.history(policies, mediation.request)
            except StoreError:
                return step(mediation, GatherFailed(at=self._clock()), _NO_RULES)
            judge = _Rules(policies, history)
            mediation, command = step(mediation, Gathered(at=self._clock()), judge)
            if mediation.decision is not None and mediation.decision.effect is Effect.ALLOW:
                self._memory.cleared(mediation.request)
            return mediation, command


class _Rules(Judge):
    """One policy set and the history of one moment, as the machine asks for them."""

    __slots__ = ("_history", "_policies", "version")

    def __init__(self, policies: PolicySet, history: History) -> None:
        self.version = policies.version
        self._policies = policies
        self._history = history

    def verdicts(self, request: Request) -> list[Verdict]:
        return self._policies.evaluate(request, self._history)


_NO_RULES = _Rules(PolicySet.empty(), History(PolicySet.empty()))
