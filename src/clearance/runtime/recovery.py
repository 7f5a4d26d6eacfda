"""Snapshots on request, rollback and undo: each a cleared, journalled action of its own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from clearance.core.drafts import ActionBody
from clearance.core.model import (
    ActionCall,
    CheckResult,
    EffectClass,
    Exactness,
    Operation,
    OutcomeReport,
    OutcomeStatus,
    Principal,
    Radius,
    Record,
    RecordKind,
    Request,
    Resource,
    RestoreMode,
    RestoreStatus,
    Reversibility,
    Saved,
    Touch,
    Undone,
)
from clearance.errors import (
    ClearanceError,
    ForbiddenError,
    NotFoundError,
    RestoreConflictError,
)
from clearance.ports import Measured, System, SystemInfo
from clearance.runtime.control_point import ControlPoint
from clearance.runtime.names import action_of, snapshot_of
from clearance.runtime.systems import Systems

SNAPSHOT, UNDO = "clearance.snapshot", "clearance.undo"
_WORST_FIRST = (
    RestoreStatus.CONFLICT,
    RestoreStatus.PARTIAL,
    RestoreStatus.PLANNED,
    RestoreStatus.RESTORED,
    RestoreStatus.ALREADY_UNDONE,
    RestoreStatus.NOTHING_SAVED,
)


class Recovery:
    """Thread-safe. `agent`, where given, must be the one whose action it is."""

    def __init__(self, point: ControlPoint) -> None:
        self._point = point
        self._systems = point.systems

    def snapshot(
        self,
        resource: str | tuple[str, ...],
        principal: Principal,
        *,
        record_ids: Sequence[Any] | None = None,
        run_id: str = "",
        hold_id: str = "",
        door: str,
    ) -> str:
        """Save the state of records, or of the whole resource, and give back the snapshot's id.

        Raises NotFoundError when no configured system holds the resource, PolicyViolationError,
        RecoveryError, SystemUnavailableError.
        """
        arguments = {} if record_ids is None else {"record_ids": list(record_ids)}
        call = ActionCall(
            action=SNAPSHOT,
            operation=Operation.READ,
            resource=resource,
            arguments=arguments,
            run_id=run_id,
            hold_id=hold_id,
            agent=principal.agent,
        )
        return self._point.snapshot(call, principal, door=door)

    def undo(
        self,
        of: str,
        principal: Principal,
        *,
        mode: RestoreMode = RestoreMode.ALL,
        agent: str = "",
        run_id: str = "",
        hold_id: str = "",
        door: str,
    ) -> Undone:
        """Put back what one action changed, by its own id or its snapshot's. Twice is once.

        Raises NotFoundError when nothing was saved, RestoreConflictError when somebody changed it since (then
        nothing was restored), PolicyViolationError, ForbiddenError, RecoveryError, SystemUnavailableError.
        """
        action_id = action_of(of)
        intent, body = self._intent(action_id, agent)
        names = _systems_of(self._point.journal.action(action_id))
        target = UndoTarget(self._systems, action_id, names, changed=body.radius)
        if mode is RestoreMode.PLAN:
            return target.plan()
        call = ActionCall(
            action=UNDO,
            operation=Operation.RESTORE,
            resource=tuple(resource.id for resource in body.resources),
            arguments={"undo": action_id, "mode": mode.value},
            run_id=run_id,
            hold_id=hold_id,
            agent=principal.agent,
            goal="" if run_id else f"undo {action_id}",
            parent_id=intent.action_id,
        )
        result = self._point.clear(call, principal, door=door, target=target)
        result.raise_if_blocked()
        return self._restore(target, result, mode)

    def undo_run(
        self, run_id: str, principal: Principal, *, mode: RestoreMode, agent: str = "", door: str
    ) -> list[Undone]:
        """Undo every action of a run that changed a configured system, newest first.

        Stops at the first conflict: RestoreConflictError, whose `report` lists what was undone before it. An
        action for which nothing was saved is told as NOTHING_SAVED.
        """
        records = self._point.journal.run(run_id)
        if not records:
            raise NotFoundError("There is no run of this id.")
        done: list[Undone] = []
        for record in reversed(records):
            if not _changed_something(record):
                continue
            try:
                done.append(self.undo(record.action_id, principal, mode=mode, agent=agent, door=door))
            except NotFoundError:
                done.append(Undone(action_id=record.action_id, status=RestoreStatus.NOTHING_SAVED))
            except RestoreConflictError as error:
                report = [*done, error.report]
                raise RestoreConflictError(str(error), keys=error.keys, report=report) from None
        return done

    def verify(self, snapshot_id: str, *, agent: str = "") -> list[Saved]:
        """Read a snapshot whole, in every system that holds a part. Raises NotFoundError, RecoveryError."""
        action_id = action_of(snapshot_id)
        self._intent(action_id, agent)
        names = _systems_of(self._point.journal.action(action_id))
        return [self._systems.system(name).verify(snapshot_of(action_id)) for name in names]

    def settle_closed(self, closed: Sequence[Record]) -> None:
        """For actions whose report will never come: note how the systems stand now.

        A system that cannot be reached leaves its part unsettled: an undo then finds conflicts, and says so.
        """
        for record in closed if self._systems.names() else ():
            for earlier in self._point.journal.action(record.action_id):
                if earlier.kind is RecordKind.SNAPSHOT:
                    self._settle(earlier)

    def _settle(self, snapshot: Record) -> None:
        for saved in snapshot.decoded_as(ActionBody).saved:
            with suppress(ClearanceError):
                self._systems.system(saved.system).settle(saved.snapshot_id)

    def systems(self) -> list[tuple[str, SystemInfo | None, str]]:
        """Each configured system by name: what it is, or why it cannot be reached."""
        found: list[tuple[str, SystemInfo | None, str]] = []
        for name in self._systems.names():
            try:
                found.append((name, self._systems.system(name).info(), ""))
            except ClearanceError as error:
                found.append((name, None, str(error)))
        return found

    def _restore(self, target: UndoTarget, result: CheckResult, mode: RestoreMode) -> Undone:
        try:
            undone = target.restore(result.action_id, mode)
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
            self._point.report(result.action_id, OutcomeReport(status=OutcomeStatus.FAILED, error=told))
            raise
        if undone.status is RestoreStatus.CONFLICT:
            message = _in_conflict(undone)
            self._point.report(result.action_id, OutcomeReport(status=OutcomeStatus.FAILED, error=message))
            raise RestoreConflictError(message, keys=undone.conflicts, report=undone)
        report = OutcomeReport(status=OutcomeStatus.SUCCEEDED, result=_numbers(undone))
        self._point.report(result.action_id, report)
        is_new = undone.status is not RestoreStatus.ALREADY_UNDONE
        return undone if is_new else replace(undone, undo_id="")

    def _intent(self, action_id: str, agent: str) -> tuple[Record, ActionBody]:
        intent = self._point.intent(action_id)
        if agent and intent.agent != agent:
            raise ForbiddenError("This action belongs to another agent.")
        return intent, intent.decoded_as(ActionBody)


class UndoTarget:
    """The systems that one action touched, as the machine counts and the undo restores them."""

    def __init__(
        self, systems: Systems, action_id: str, names: Sequence[str], *, changed: Sequence[Radius]
    ) -> None:
        """`changed` is what the action was counted to touch. Raises NotFoundError where it touched none."""
        if not names:
            raise NotFoundError("Nothing was saved for this action: it touched no configured system.")
        self.systems = tuple(names)
        self._parts = [(name, systems.system(name)) for name in names]
        self._action_id = action_id
        self._snapshot_id = snapshot_of(action_id)
        self._changed = {radius.system: radius.count for radius in changed}

    def system_of(self, _: Resource) -> str:
        """The first of them, which says what environment all is judged in."""
        return self.systems[0]

    def plan(self) -> Undone:
        """What a restore would do, changing nothing."""
        return self._each("", RestoreMode.PLAN)

    def measure(self, _: Request) -> tuple[Measured, ...]:
        """At most what the action changed is put back: that was counted when it ran, and not again here."""
        return tuple(self._measured(name, part) for name, part in self._parts)

    def save(self, _: Request, *, snapshot_id: str) -> tuple[Saved, ...]:  # noqa: ARG002 - the port's
        """Nothing to do first: a restore keeps what it replaces by itself, under its own action's id."""
        return ()

    def let_go(self) -> None:
        """Nothing is held: a plan is taken back at once."""

    def restore(self, undo_id: str, mode: RestoreMode) -> Undone:
        """All systems or none, as far as a look at each before the first change can tell.

        One system alone needs no such look: it restores all or nothing by itself.
        """
        plan = self.plan() if mode is RestoreMode.ALL and len(self._parts) > 1 else None
        if plan is not None and plan.conflicts:
            return Undone(
                action_id=self._action_id,
                undo_id=undo_id,
                status=RestoreStatus.CONFLICT,
                systems=plan.systems,
            )
        return self._each(undo_id, mode)

    def _each(self, undo_id: str, mode: RestoreMode) -> Undone:
        as_snapshot = snapshot_of(undo_id) if undo_id else ""
        restored = {
            name: system.restore(self._snapshot_id, as_snapshot=as_snapshot, mode=mode)
            for name, system in self._parts
        }
        status = min((part.status for part in restored.values()), key=_WORST_FIRST.index)
        return Undone(action_id=self._action_id, undo_id=undo_id, status=status, systems=restored)

    def _measured(self, name: str, system: System) -> Measured:
        info = system.info()
        touch = Touch(
            resource=name,
            operation=Operation.UPDATE,
            count=self._changed.get(name),
            exactness=Exactness.BOUND,
        )
        radius = Radius(
            system=name,
            fingerprint=info.fingerprint,
            environment=info.environment,
            effects=frozenset({EffectClass.WRITE}),
            touches=(touch,),
            how="the action's own count",
            reversibility=Reversibility.EXACT,
        )
        return Measured(radius=radius)


def _systems_of(records: Sequence[Record]) -> tuple[str, ...]:
    """The systems that an action touched or that saved state for it, by its records."""
    names: dict[str, None] = {}
    for record in records:
        if record.kind in (RecordKind.INTENT, RecordKind.SNAPSHOT):
            body = record.decoded_as(ActionBody)
            names.update(dict.fromkeys(radius.system for radius in body.radius))
            names.update(dict.fromkeys(saved.system for saved in body.saved))
    return tuple(names)


def _changed_something(record: Record) -> bool:
    """An intent to change what a configured system holds; neither an undo nor a snapshot of its own."""
    if record.kind is not RecordKind.INTENT or record.tool in (SNAPSHOT, UNDO):
        return False
    return record.operation != Operation.READ and bool(record.decoded_as(ActionBody).radius)


def _in_conflict(undone: Undone) -> str:
    number = sum(restored.conflicts for restored in undone.systems.values())
    return (
        f"{number} of what this action changed was changed again since, so nothing was restored. "
        "Look at the conflicts, then restore what is free of them (mode `free`), or put it right by hand."
    )


def _numbers(undone: Undone) -> dict[str, Any]:
    """The report as the trace keeps it: numbers, no keys."""
    return {
        name: {
            "status": restored.status.value,
            "restored": restored.restored,
            "already": restored.already,
            "conflicts": restored.conflicts,
            "skipped": restored.skipped,
            "verified": restored.verified,
        }
        for name, restored in undone.systems.items()
    }
