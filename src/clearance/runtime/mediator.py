"""Drives one action's machine: command -> port -> event, sync or async. Decides nothing itself."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime

from msgspec.structs import replace

from clearance.core.commands import AskApproval, Command, Count, Execute, Finish, TakeSnapshot, Write
from clearance.core.events import (
    Approved,
    Braked,
    Counted,
    CountFailed,
    Event,
    Gathered,
    GatherFailed,
    SnapshotFailed,
    SnapshotTaken,
    Spent,
    Unavailable,
    WriteFailed,
    Written,
)
from clearance.core.mediation import Judge, Mediation, State, begin, step
from clearance.core.model import (
    Draft,
    Durability,
    Effect,
    Reason,
    ReasonCode,
    Record,
    RecordKind,
    Request,
    Rule,
    Verdict,
)
from clearance.core.policy import History, PolicySet
from clearance.core.policy.posture import Posture, standing
from clearance.core.verdicts import verdicts
from clearance.errors import ClearanceError, StoreError
from clearance.ports import Approvals, Journal, Target
from clearance.runtime.memory import Memory
from clearance.runtime.names import snapshot_of
from clearance.runtime.systems import operation_of, radii_of, understood

Clock = Callable[[], datetime]
AsyncAppend = Callable[[list[Draft], Durability], Awaitable[list[Record]]]
CallHash = Callable[[], str]
Step = tuple[Mediation, Command | None]


def _no_hash() -> str:
    return ""


_LOG = logging.getLogger("clearance")
_ASKS_THE_WORLD = (Count, AskApproval, TakeSnapshot)
_UNKNOWN_BRAKE = "The store could not say whether the brake is on, so nothing was run."
_ABOUT_TO_RUN = frozenset({State.DECIDED, State.SAVING})


class Mediator:
    """Carries an action from its request to EXECUTING, where the door runs it, or to DONE.

    Nobody can be asked without `approvals`, and nothing counted or saved without a target: that is answered
    `Unavailable`, and the machine refuses.
    """

    def __init__(
        self,
        journal: Journal,
        memory: Memory,
        *,
        clock: Clock,
        approvals: Approvals | None = None,
        posture: Callable[[], Posture] = Posture,
    ) -> None:
        self._journal = journal
        self._memory = memory
        self._clock = clock
        self._approvals = approvals
        self._posture = posture
        self._lock = threading.Lock()  # decide and count as one, or two calls pass where one may

    def clear(
        self,
        request: Request,
        policies: PolicySet,
        target: Target | None = None,
        *,
        hold_id: str = "",
        ending: Event | None = None,
        call_hash: CallHash = _no_hash,
    ) -> Mediation:
        """Decide, and make the decision durable. Ends in EXECUTING (the caller runs it now), HELD or DONE.

        `hold_id` is the hold that the action takes up; `ending` why it cannot, which refuses it at once. The
        `call_hash` is asked for only where somebody has to say yes.
        """
        mediation, command = _begin(request, hold_id, ending)
        while not isinstance(command, (Execute, Finish)):
            if isinstance(command, Write):
                if self._was_taken(mediation, command):
                    mediation, command = step(mediation, Spent(at=self._clock()), _NO_RULES)
                    continue
                is_written = False
                with suppress(StoreError):
                    self._journal.append([command.draft], durability=command.durability)
                    is_written = True
                mediation, command = self._written(mediation, is_written=is_written)
            elif isinstance(command, _ASKS_THE_WORLD):
                asking = _bound(mediation, command, call_hash)
                mediation, command = self._told(mediation, self._ask(command, asking, target), policies)
            else:
                mediation, command = self._gather(mediation, policies)
        if _leaves(mediation, ending):
            self._leave(mediation)
        return mediation

    async def aclear(
        self,
        request: Request,
        policies: PolicySet,
        append: AsyncAppend,
        target: Target | None = None,
        *,
        hold_id: str = "",
        ending: Event | None = None,
        call_hash: CallHash = _no_hash,
    ) -> Mediation:
        """The same, with the event loop free while the store writes and the systems are asked."""
        mediation, command = _begin(request, hold_id, ending)
        while not isinstance(command, (Execute, Finish)):
            if isinstance(command, Write):
                if bool(mediation.hold_id) and await asyncio.to_thread(self._was_taken, mediation, command):
                    mediation, command = step(mediation, Spent(at=self._clock()), _NO_RULES)
                    continue
                is_written = False
                with suppress(StoreError):
                    await append([command.draft], command.durability)
                    is_written = True
                mediation, command = self._written(mediation, is_written=is_written)
            elif isinstance(command, _ASKS_THE_WORLD):
                asking = _bound(mediation, command, call_hash)
                event = await asyncio.to_thread(self._ask, command, asking, target)
                mediation, command = self._told(mediation, event, policies)
            else:
                mediation, command = self._gather(mediation, policies)
        if _leaves(mediation, ending):
            await asyncio.to_thread(self._leave, mediation)
        return mediation

    def settled(self, action_id: str, measured: Mapping[str, float]) -> None:
        """What an action reserved came out otherwise."""
        with self._lock:
            self._memory.settled(action_id, measured)

    def _was_taken(self, mediation: Mediation, command: Write) -> bool:
        """Allowed without the yes that it waited for: its hold is closed first, or two calls run it twice."""
        if not mediation.hold_id or command.draft.kind is not RecordKind.INTENT or mediation.approved_by:
            return False
        return not self._leave(mediation)

    def _leave(self, mediation: Mediation) -> bool:
        with suppress(ClearanceError):
            return self._approvals is not None and self._approvals.leave(mediation)
        return False

    def _written(self, mediation: Mediation, *, is_written: bool) -> Step:
        at = self._clock()
        if not is_written:
            return step(mediation, WriteFailed(at=at), _NO_RULES)
        stopped = self._stopped(mediation, at)
        return step(mediation, Written(at=at) if stopped is None else stopped, _NO_RULES)

    def _stopped(self, mediation: Mediation, at: datetime) -> Braked | None:
        """Whether somebody pulled the brake since it was decided: asked at the last moment before it runs."""
        if mediation.state not in _ABOUT_TO_RUN or mediation.refused:
            return None
        request = mediation.request
        now = replace(request, context=replace(request.context, at=at))
        try:
            verdict = standing(now, self._posture())
        except StoreError:
            return Braked(at=at, reason=Reason(code=ReasonCode.STORE_UNAVAILABLE, message=_UNKNOWN_BRAKE))
        if verdict is None or verdict.rule is not Rule.BLOCK:
            return None
        return Braked(at=at, reason=Reason(code=verdict.code, message=verdict.message))

    def _gather(self, mediation: Mediation, policies: PolicySet) -> Step:
        return self._judge(mediation, Gathered(at=self._clock()), policies)

    def _told(self, mediation: Mediation, event: Event, policies: PolicySet) -> Step:
        if isinstance(event, Counted | Approved):
            return self._judge(mediation, event, policies)
        return step(mediation, event, _NO_RULES)

    def _judge(self, mediation: Mediation, event: Event, policies: PolicySet) -> Step:
        with self._lock:
            try:
                posture = self._posture()
                history = self._memory.history(policies, mediation.request)
            except StoreError:
                return step(mediation, GatherFailed(at=self._clock()), _NO_RULES)
            mediation, command = step(mediation, event, _Rules(policies, history, posture))
            if mediation.decision is not None and mediation.decision.effect is Effect.ALLOW:
                self._memory.cleared(mediation.request)
            return mediation, command

    def _ask(self, command: Command, mediation: Mediation, target: Target | None) -> Event:
        """What a real system or a person says. Blocks for as long as they take."""
        match command:
            case Count(request=request) if target is not None:
                return self._counted(request, target)
            case TakeSnapshot(request=request) if target is not None:
                return self._saved(request, target)
            case AskApproval() if self._approvals is not None:
                return self._approved(mediation, self._approvals, target)
            case _:
                return Unavailable(at=self._clock())

    def _counted(self, request: Request, target: Target) -> Event:
        try:
            measured = target.measure(request)
        except ClearanceError as error:
            _say(request, error)
            return CountFailed(at=self._clock())
        return Counted(
            at=self._clock(),
            radii=radii_of(measured),
            operation=operation_of(measured),
            resources=understood(request, measured, target),
        )

    def _saved(self, request: Request, target: Target) -> Event:
        snapshot_id = snapshot_of(request.context.action_id)
        try:
            saved = target.save(request, snapshot_id=snapshot_id)
        except ClearanceError as error:
            _say(request, error)
            return SnapshotFailed(at=self._clock())
        return SnapshotTaken(at=self._clock(), snapshot_id=snapshot_id, saved=saved)

    def _approved(self, mediation: Mediation, approvals: Approvals, target: Target | None) -> Event:
        try:
            if target is not None:
                target.let_go()
            return approvals.ask(mediation)
        except ClearanceError as error:
            _say(mediation.request, error)
            return Unavailable(at=self._clock())


def _begin(request: Request, hold_id: str, ending: Event | None) -> Step:
    if ending is None:
        return begin(request, hold_id=hold_id)
    held = Mediation(state=State.HELD, request=request, arguments=request.action.arguments, hold_id=hold_id)
    return step(held, ending, _NO_RULES)


def _bound(mediation: Mediation, command: Command, call_hash: CallHash) -> Mediation:
    """What is asked of a person is bound to the call as it came."""
    if not isinstance(command, AskApproval) or mediation.request.context.call_hash:
        return mediation
    context = replace(mediation.request.context, call_hash=call_hash())
    return replace(mediation, request=replace(mediation.request, context=context))


def _leaves(mediation: Mediation, ending: Event | None) -> bool:
    """Refused for another reason than its hold: nobody needs to answer that one any more."""
    return bool(mediation.hold_id) and ending is None and mediation.state is State.DONE


def _say(request: Request, error: ClearanceError) -> None:
    """The cause is for the operator; its message names no value."""
    _LOG.warning("action %s: %s: %s", request.context.action_id, error.code, error)


class _Rules(Judge):
    """One policy set, the history and the posture of one moment, as the machine asks for them."""

    __slots__ = ("_history", "_policies", "_posture", "version")

    def __init__(self, policies: PolicySet, history: History, posture: Posture) -> None:
        self.version = policies.version
        self._policies = policies
        self._history = history
        self._posture = posture

    def verdicts(self, request: Request) -> list[Verdict]:
        return verdicts(request, self._policies, self._history, self._posture)


_NO_RULES = _Rules(PolicySet.empty(), History(PolicySet.empty()), Posture())
