"""The one service behind every door: clearances and outcomes. Doors translate; they decide nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from clearance.core import drafts
from clearance.core.binding import call_hash
from clearance.core.decide import is_liftable
from clearance.core.events import Event
from clearance.core.hold_words import reasons_of_held
from clearance.core.mediation import Mediation
from clearance.core.model import (
    ActionCall,
    CheckResult,
    Context,
    Draft,
    Durability,
    Hold,
    Judged,
    OutcomeReport,
    OutcomeStatus,
    Principal,
    Reason,
    Record,
    Request,
    ResultRules,
)
from clearance.core.policy import PolicySet
from clearance.core.policy.posture import stopping
from clearance.errors import ForbiddenError, NotFoundError, RequestError
from clearance.ports import Journal, Target
from clearance.runtime.mediator import AsyncAppend, CallHash, Clock, Mediator
from clearance.runtime.memory import Memory
from clearance.runtime.names import NewId, snapshot_of
from clearance.runtime.open_actions import CameBy, OpenActions
from clearance.runtime.policy_book import PolicyBook
from clearance.runtime.proposals import PROPOSING, Proposals
from clearance.runtime.reading import read_call
from clearance.runtime.results import Results
from clearance.runtime.runs import Run, Runs
from clearance.runtime.standing import Standing
from clearance.runtime.systems import Systems


class _Asked(NamedTuple):
    """One call as it will be judged, and the hold that it names, with why it cannot go on from there."""

    request: Request
    policies: PolicySet
    target: Target | None
    hold_id: str
    ending: Event | None
    call_hash: CallHash


_Held = tuple[Hold | None, Event | None]


class ControlPoint:
    """Thread-safe. What it acknowledges is durable.

    Methods that end in `_draft` make a record and leave it to a door on an event loop to append it.
    """

    def __init__(
        self,
        journal: Journal,
        policies: PolicyBook,
        *,
        clock: Clock,
        new_id: NewId,
        systems: Systems | None = None,
        standing: Standing | None = None,
    ) -> None:
        standing = Standing() if standing is None else standing
        self.journal = journal
        self.policies = policies
        self.systems = Systems() if systems is None else systems
        self._clock = clock
        self._new_id = new_id
        self._breakers = standing.breakers
        self._memory = Memory(journal, standing.breakers)
        self._registry = standing.registry
        self._posture = standing.posture
        self._approvals = standing.approvals
        self._mediator = Mediator(
            journal, self._memory, clock=clock, approvals=standing.approvals, posture=standing.posture
        )
        self.runs = Runs(
            journal,
            self._memory,
            clock=clock,
            new_id=new_id,
            seen=None if standing.registry is None else standing.registry.seen,
        )
        self._proposals = Proposals()
        self._open = OpenActions(journal, self.systems)
        self._results = Results(policies, self.runs, self._open)

    def clear(
        self, call: ActionCall, principal: Principal, *, door: str, target: Target | None = None
    ) -> CheckResult:
        """Decide one action and make the decision durable. On `allowed` the caller runs it, then reports.

        `target` is what the door itself will touch; without one the configured systems are looked through.

        Raises RequestError, NotFoundError, ForbiddenError, StoreError; then, too, the action may not run.
        """
        return self._answer(self._decided(self._read(call, principal, door=door, target=target)))

    async def aclear(
        self,
        call: ActionCall,
        principal: Principal,
        *,
        door: str,
        append: AsyncAppend,
        already_recorded: int = 0,
        written: bytes = b"",
    ) -> CheckResult:
        """The same, for a door on an event loop.

        Of a model call the first `already_recorded` messages are in the trace; `written` is the JSON of the
        arguments, where the door has it at hand.
        """
        held: _Held = (None, None)
        if self._approvals is not None and self._approvals.may_continue(call):
            held = await asyncio.to_thread(self._held, call, principal)
        run, draft = self._run_of(call, principal, held, door=door)
        if draft is not None:
            await append([draft], Durability.PROCESS)
        asked = self._understood(
            call, principal, run, held, door=door, already_recorded=already_recorded, written=written
        )
        mediation = await self._mediator.aclear(
            asked.request,
            asked.policies,
            append,
            asked.target,
            hold_id=asked.hold_id,
            ending=asked.ending,
            call_hash=asked.call_hash,
        )
        if self._breakers is not None and (tripped := self._breakers.decided(mediation)):
            await asyncio.to_thread(self._breakers.trip, tripped)
        return self._answer(mediation)

    def snapshot(self, call: ActionCall, principal: Principal, *, door: str) -> str:
        """Clear a request to save state, save it, and give back the snapshot's id.

        Raises what `clear` does, NotFoundError when no configured system holds the resource,
        PolicyViolationError, RecoveryError, SystemUnavailableError.
        """
        asked = self._read(call, principal, door=door)
        if asked.target is None:
            raise NotFoundError("No configured system holds this resource; map it under `resources:`.")
        result = self._answer(self._decided(asked))
        result.raise_if_blocked()
        snapshot_id = snapshot_of(result.action_id)
        try:
            saved = asked.target.save(asked.request, snapshot_id=snapshot_id)
        except BaseException as error:
            told = OutcomeReport(status=OutcomeStatus.FAILED, error=f"{type(error).__name__}: {error}")
            self.report(result.action_id, told)
            raise
        kept = OutcomeReport(status=OutcomeStatus.SUCCEEDED, result=[part.count for part in saved])
        self.report(result.action_id, kept)
        return snapshot_id

    def report(self, action_id: str, report: OutcomeReport, *, agent: str = "") -> Judged:
        """Record how an action ended; what of its result may be shown.

        Raises NotFoundError, ConflictError, ForbiddenError, StoreError.
        """
        draft, judged = self.judged_outcome(action_id, report, agent=agent)
        self.settle(action_id)
        self.journal.append([draft], durability=Durability.PROCESS)
        return judged

    def judged_outcome(
        self, action_id: str, report: OutcomeReport, *, agent: str = ""
    ) -> tuple[Draft, Judged]:
        """The record that closes an action, and what of its result may be shown."""
        judged = Judged(value=report.result)
        if report.status is OutcomeStatus.SUCCEEDED:
            judged = self.judge_result(action_id, report.result)
        seen = replace(report, result=judged.value)
        return self.outcome_draft(action_id, seen, agent=agent, judged=judged), judged

    def has_saved(self, action_id: str) -> bool:
        """Whether state was saved for an open action, so that `settle` has something to do."""
        return self._open.has_saved(action_id)

    def settle(self, action_id: str) -> None:
        """Let the systems that saved state for it note how it left them. Before its outcome is told."""
        self._open.settle(action_id)

    def outcome_draft(
        self,
        action_id: str,
        report: OutcomeReport,
        *,
        agent: str = "",
        measured: Mapping[str, float] | None = None,
        judged: Judged | None = None,
    ) -> Draft:
        """The record that closes an action. `agent`, if given, must be the action's own.

        Of a judged result, `report` tells what was shown.

        `measured` are facts that were reserved, as they came out: a door's word, never a remote caller's.
        """
        intent = self._open.unreported(action_id)
        if agent and intent.agent != agent:
            raise ForbiddenError("This action belongs to another agent.")
        self._open.forget_restorations(action_id)
        if measured:
            self._mediator.settled(action_id, measured)
        if self._breakers is not None and (tripped := self._breakers.ended(action_id, report.status.value)):
            # Not here: the caller may stand on an event loop, and a stop is written before it holds.
            threading.Thread(target=self._breakers.trip, args=(tripped,), daemon=True).start()
        told = drafts.told(
            report.status, result=report.result, error=report.error, measured=measured, judged=judged
        )
        return drafts.outcome(intent, at=self._clock(), status=report.status, told=told)

    def restorations(self, action_id: str) -> Mapping[str, str]:
        """Which value each placeholder in a cleared call stands for; until its outcome is told.

        For the door that shows the answer to the agent whose values these are. Never stored, never sent on.
        """
        return self._open.restorations(action_id)

    def result_rules(self, action_id: str) -> ResultRules:
        """What to watch for while the result of a cleared action flows. Raises NotFoundError, StoreError."""
        return self._results.rules(action_id)

    def judge_result(self, action_id: str, result: Any) -> Judged:
        """What of a cleared action's result the agent may see, asked before its outcome is told.

        Raises NotFoundError, StoreError; then none of it.
        """
        return self._results.judge(action_id, result)

    def proposal_run(self, call: ActionCall, principal: Principal) -> str:
        """The run in which a model proposed this call, for one that names no run; "" if none or several."""
        return self._proposals.run_of(call, principal.agent, at=self._clock().timestamp())

    def known_as(self, principal: Principal) -> Principal:
        """With what the registry says of it."""
        return principal if self._registry is None else self._registry.known(principal)

    def stopping(self, call: ActionCall, principal: Principal) -> Reason | None:
        """Why an action that runs already has to end; None: it may go on. Raises StoreError."""
        return stopping(self.known_as(principal), call.action, self._posture(), at=self._clock())

    def came_by(self, action_id: str) -> CameBy:
        """The door of a cleared action, and who tells its end. Raises NotFoundError, StoreError."""
        return self._open.came_by(action_id)

    def intent(self, action_id: str) -> Record:
        """The record that a cleared action was written with before it ran. Raises NotFoundError."""
        return self._open.stored_intent(action_id)

    def _held(self, call: ActionCall, principal: Principal) -> _Held:
        """The hold that a call takes up, or names, and why it cannot go on from there."""
        if self._approvals is None:
            if call.hold_id:
                raise NotFoundError("There is no hold of this id.")
            return None, None
        hold = self._approvals.continuing(call, principal, call.run_id)
        if hold is None:
            return None, None
        return hold, self._approvals.objection(hold, call_hash(call, principal))

    def _run_of(
        self, call: ActionCall, principal: Principal, held: _Held, *, door: str
    ) -> tuple[Run, Draft | None]:
        """Named, or that of the hold it goes on from, or that of the model that asked for it."""
        _judgeable(call)
        run_id = call.run_id if held[0] is None else held[0].run_id
        if not run_id and door != PROPOSING:
            run_id = self.proposal_run(call, principal)
        if run_id:
            return self.runs.get(run_id, agent=principal.agent), None
        return self.runs.draft(agent=principal.agent, goal=call.goal)

    def _read(
        self, call: ActionCall, principal: Principal, *, door: str, target: Target | None = None
    ) -> _Asked:
        """A call as it will be judged, in its run, which is begun where the call names none."""
        held = self._held(call, principal)
        run, draft = self._run_of(call, principal, held, door=door)
        if draft is not None:
            self.journal.append([draft], durability=Durability.PROCESS)  # the intent's fsync covers it
        return self._understood(call, principal, run, held, door=door, target=target)

    def _understood(
        self,
        call: ActionCall,
        principal: Principal,
        run: Run,
        held: _Held,
        *,
        door: str,
        target: Target | None = None,
        already_recorded: int = 0,
        written: bytes = b"",
    ) -> _Asked:
        """What goes on from a hold is the held action; what cannot is refused as an action of its own."""
        policies, (hold, ending) = self.policies.current(), held
        goes_on = hold is not None and ending is None
        at = self._clock()
        takes_up = self._proposals.take(call, principal.agent, run.run_id, door=door, at=at.timestamp())
        cannot = hold.action_id if hold is not None and not goes_on else ""
        context = Context(
            run_id=run.run_id,
            action_id=hold.action_id if hold is not None and goes_on else self._new_id("act"),
            at=at,
            goal=run.goal,
            door=door,
            takes_up=takes_up,
            parent_id=takes_up or call.parent_id or cannot,
            honours=call.honours,
            already_recorded=already_recorded,
        )
        request = read_call(call, self.known_as(principal), context, policies, written=written)
        request, target = self._targeted(request, target)
        hold_id = hold.hold_id if hold is not None else ""
        return _Asked(request, policies, target, hold_id, ending, partial(call_hash, call, principal))

    def _decided(self, asked: _Asked) -> Mediation:
        mediation = self._mediator.clear(
            asked.request,
            asked.policies,
            asked.target,
            hold_id=asked.hold_id,
            ending=asked.ending,
            call_hash=asked.call_hash,
        )
        if self._breakers is not None and (tripped := self._breakers.decided(mediation)):
            self._breakers.trip(tripped)
        return mediation

    def _targeted(self, request: Request, target: Target | None) -> tuple[Request, Target | None]:
        target = target or self.systems.target(request)
        if target is None:
            return request, None
        return replace(request, context=replace(request.context, systems=target.systems)), target

    def _answer(self, mediation: Mediation) -> CheckResult:
        assert mediation.decision is not None
        context = mediation.request.context
        self._open.put(mediation)
        self._proposals.decided(mediation)
        return CheckResult(
            action_id=context.action_id,
            run_id=context.run_id,
            effect=mediation.decision.effect,
            reasons=_reasons(mediation),
            obligations=mediation.decision.obligations,
            arguments=mediation.arguments if mediation.redacted else None,
            policy_version=mediation.decision.policy_version,
            radius=mediation.radii,
            snapshot_id=mediation.snapshot_id,
            hold_id=mediation.hold_id,
            hold_expires_at=mediation.hold_expires_at,
        )


def _reasons(mediation: Mediation) -> tuple[Reason, ...]:
    decision, until = mediation.decision, mediation.hold_expires_at
    assert decision is not None
    if until is None or not is_liftable(decision):
        return decision.reasons
    return reasons_of_held(decision, mediation.hold_id, until)


def _judgeable(call: ActionCall) -> None:
    """Raises RequestError for a call that names no action."""
    if not call.action.strip():
        raise RequestError(
            "`action` is empty: name a verb (update) or a tool (send_email).", reason="empty_action"
        )
