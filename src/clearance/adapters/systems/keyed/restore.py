"""Putting back what was saved by key: compared first, kept before it is replaced, resumable, read back after.

It writes only what stands as the action left it. What anybody changed since is a conflict, and stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from clearance.adapters.systems.keyed import record
from clearance.adapters.systems.keyed.disk import Images
from clearance.adapters.systems.keyed.record import Manifest, Progress, Step
from clearance.adapters.systems.keyed.things import Landed, RefusedError, Spot, State, Things
from clearance.core.model import MOST_ITEMS, Item, ItemState, Restored, RestoreMode, RestoreStatus
from clearance.errors import RecoveryError

if TYPE_CHECKING:
    from clearance.adapters.systems.keyed.recovery import KeyedRecovery

_UNSETTLED: Final = "how it stood when the action ended was never noted, so this may be another's change"
_ONCE: Final = "an earlier attempt may have created it: look for it, and create it by hand if it is not there"
_ABSENT: Final = State()
Items = dict[Spot, Item]


class Restore:
    """One restore of one snapshot. The caller holds its lock."""

    def __init__(self, recovery: KeyedRecovery, things: Things, images: Images, kept: Manifest) -> None:
        self._recovery = recovery
        self._things = things
        self._images = images
        self._kept = kept
        self._after = record.after(images)
        self._want = dict.fromkeys(self._after or (), _ABSENT) | {each.spot: each.state for each in kept.kept}

    def run(self, *, as_snapshot: str, mode: RestoreMode) -> Restored:
        under_way = record.progress(self._images)
        if under_way is not None and under_way.report is not None:
            if under_way.report.status is RestoreStatus.RESTORED:
                return self._already_undone()
            if under_way.as_snapshot == as_snapshot and mode is not RestoreMode.PLAN:
                return under_way.report
            under_way = None
        if mode is RestoreMode.PLAN:
            return self._report(RestoreStatus.PLANNED, self._compare())
        if under_way is None:
            return self._begin(as_snapshot, mode)
        if under_way.as_snapshot != as_snapshot:
            raise RecoveryError(
                f"a restore of `{self._kept.snapshot_id}` was interrupted: "
                f"call it again with as_snapshot `{under_way.as_snapshot}` to finish it"
            )
        found = self._compare()
        others = {spot: item for spot, item in found.items() if spot not in set(under_way.spots)}
        return self._carry_on(under_way, others)

    def _compare(self) -> Items:
        """What would become of each thing, by how it stands now."""
        spots = set(self._want)
        if self._after is None and not self._kept.is_checkpoint:
            spots |= self._recovery.spots(self._kept.scopes)
        now = self._recovery.looked(spots)
        return {spot: self._judge(spot, state) for spot, state in now.items()}

    def _judge(self, spot: Spot, now: State) -> Item:
        want = self._want.get(spot, _ABSENT)
        if now.digest == want.digest:
            return _item(spot, ItemState.ALREADY)
        if self._after is None:
            if self._kept.is_checkpoint:
                return _item(spot, ItemState.RESTORED)
            return _item(spot, ItemState.CONFLICT, _UNSETTLED)
        if now.digest == self._after[spot].digest:
            return _item(spot, ItemState.RESTORED)
        return _item(spot, ItemState.CONFLICT, _changed(self._after[spot], now))

    def _begin(self, as_snapshot: str, mode: RestoreMode) -> Restored:
        found = self._compare()
        plan = _in_state(found, ItemState.RESTORED)
        if self._hopeless(found, mode):
            return self._report(RestoreStatus.CONFLICT, found)
        self._recovery.check_images(self._images, {spot: self._want[spot] for spot in plan})
        replaced = self._recovery.keep_replaced(self._kept, as_snapshot, plan)
        for each in replaced.kept:  # it was read again to keep it: what changed in between is a conflict too
            if self._after is not None and each.state.digest != self._after[each.spot].digest:
                why = _changed(self._after[each.spot], each.state)
                found[each.spot] = _item(each.spot, ItemState.CONFLICT, why)
        if self._hopeless(found, mode):
            self._recovery.drop_replaced(as_snapshot)
            return self._report(RestoreStatus.CONFLICT, found)
        plan = _in_state(found, ItemState.RESTORED)
        record.clear_progress(self._images)
        begun = Progress(as_snapshot=as_snapshot, mode=mode, spots=tuple(plan))
        record.write_progress(self._images, begun)
        return self._carry_on(begun, {spot: item for spot, item in found.items() if spot not in set(plan)})

    def _hopeless(self, found: Items, mode: RestoreMode) -> bool:
        conflicts = _in_state(found, ItemState.CONFLICT)
        return bool(conflicts) and (mode is RestoreMode.ALL or not _in_state(found, ItemState.RESTORED))

    def _carry_on(self, begun: Progress, others: Items) -> Restored:
        """Write what is not written yet; take everything back where ALL was asked for and one refused."""
        replaced = self._recovery.replaced(begun.as_snapshot)
        expected = {each.spot: each.state for each in record.manifest(replaced).kept}
        steps = record.steps(self._images)
        if begun.backing:
            return self._take_back(begun, others, expected)
        outcomes = self._recovery.each(
            lambda spot: self._write(spot, expected[spot], steps.get(spot)), begun.spots
        )
        refused = {item.spot: item.item for item in outcomes if item is not None}
        if refused and begun.mode is RestoreMode.ALL:
            backing = replace(begun, backing=True)
            record.write_progress(self._images, backing)
            return self._take_back(backing, others | refused, expected)
        return self._finish(begun, others | refused, expected)

    def _write(self, spot: Spot, expected: State, step: Step | None) -> _Refusal | None:
        """Put one thing back, once. A refusal is an answer, not an error."""
        if step is not None and step.landed is not None:
            return None
        want, now = self._want[spot], self._things.look(spot)
        if now.digest == want.digest:  # written before a crash that came before its note
            record.add_step(self._images, Step(spot=spot, landed=Landed(spot=spot, state=now)))
            return None
        if step is not None:
            return _Refusal(spot, _item(spot, ItemState.SKIPPED, _ONCE))
        if now.digest != expected.digest:
            return _Refusal(spot, _item(spot, ItemState.CONFLICT, _changed(expected, now)))
        if self._things.makes_anew and want.exists and not now.exists:
            record.add_step(self._images, Step(spot=spot))
        try:
            landed = self._things.put(spot, want, now=now, images=self._images)
        except RefusedError as refusal:
            return _Refusal(spot, _item(spot, refusal.state, refusal.why))
        record.add_step(self._images, Step(spot=spot, landed=landed))
        return None

    def _take_back(self, begun: Progress, others: Items, expected: dict[Spot, State]) -> Restored:
        """Undo what this restore wrote. What cannot be undone any more is reported as restored."""
        written = {spot: step.landed for spot, step in record.steps(self._images).items() if step.landed}
        images = self._recovery.replaced(begun.as_snapshot)
        pairs = list(written.items())
        stays = self._recovery.each(
            lambda pair: self._back_one(pair[0], pair[1], expected[pair[0]], images), pairs
        )
        found = {
            spot: _item(spot, ItemState.SKIPPED, "taken back, because another one is in conflict")
            for spot in begun.spots
        }
        found |= others
        if not any(stays):
            record.clear_progress(self._images)
            self._recovery.drop_replaced(begun.as_snapshot)
            return self._report(RestoreStatus.CONFLICT, found)
        left = [spot for (spot, _), stay in zip(pairs, stays, strict=True) if stay]
        found |= {spot: _item(spot, ItemState.RESTORED, "could not be taken back") for spot in left}
        return self._end(begun, found, expected, status=RestoreStatus.PARTIAL)

    def _back_one(self, spot: Spot, landed: Landed, expected: State, images: Images) -> bool:
        """Whether it stays as the restore left it."""
        now = self._things.look(landed.spot)
        want = expected if landed.spot == spot else _ABSENT
        if now.digest != landed.state.digest:
            return False  # as it was before the restore, or changed again by somebody: not ours any more
        try:
            self._things.put(landed.spot, want, now=now, images=images)
        except RefusedError:
            return True
        return False

    def _finish(self, begun: Progress, others: Items, expected: dict[Spot, State]) -> Restored:
        """Read everything again and say what holds."""
        found = dict(others)
        landed = {spot: step.landed for spot, step in record.steps(self._images).items()}
        waiting = [spot for spot in begun.spots if spot not in found]
        now = self._recovery.looked([*waiting, *(each.spot for each in landed.values() if each)])
        for spot in waiting:
            found[spot] = self._read_back(spot, landed.get(spot), now)
        bad = [item for item in found.values() if item.state in (ItemState.CONFLICT, ItemState.SKIPPED)]
        status = RestoreStatus.PARTIAL if bad else RestoreStatus.RESTORED
        return self._end(begun, found, expected, status=status)

    def _read_back(self, spot: Spot, landed: Landed | None, now: dict[Spot, State]) -> Item:
        if landed is None:
            good = now[spot].digest == self._want[spot].digest
            return _item(spot, ItemState.RESTORED if good else ItemState.CONFLICT, "" if good else _LATE)
        if landed.differs:
            return _item(spot, ItemState.CONFLICT, landed.differs)
        if now[landed.spot].digest != landed.state.digest:
            return _item(spot, ItemState.CONFLICT, _LATE)
        moved = landed.spot != spot
        return _item(spot, ItemState.RESTORED, f"new identity: {landed.spot.key}" if moved else "")

    def _end(
        self, begun: Progress, found: Items, expected: dict[Spot, State], *, status: RestoreStatus
    ) -> Restored:
        """Settle what was replaced, so that this restore can be undone; then it has ended."""
        landed = [step.landed for step in record.steps(self._images).values() if step.landed]
        states = self._recovery.looked([*expected, *(each.spot for each in landed)])
        record.write_after(self._recovery.replaced(begun.as_snapshot), states)
        report = self._report(status, found)
        record.write_progress(self._images, replace(begun, report=report))
        return report

    def _already_undone(self) -> Restored:
        return Restored(
            snapshot_id=self._kept.snapshot_id,
            status=RestoreStatus.ALREADY_UNDONE,
            already=len(self._kept.kept),
            irreversible=self._kept.promise.irreversible,
        )

    def _report(self, status: RestoreStatus, found: Items) -> Restored:
        order = (ItemState.CONFLICT, ItemState.SKIPPED, ItemState.RESTORED, ItemState.ALREADY)
        items = sorted(found.values(), key=lambda item: (order.index(item.state), item.resource, item.key))
        count = {state: sum(item.state is state for item in items) for state in ItemState}
        return Restored(
            snapshot_id=self._kept.snapshot_id,
            status=status,
            restored=count[ItemState.RESTORED],
            already=count[ItemState.ALREADY],
            conflicts=count[ItemState.CONFLICT],
            skipped=count[ItemState.SKIPPED],
            items=tuple(items[:MOST_ITEMS]),
            verified=status is RestoreStatus.RESTORED,
            irreversible=self._kept.promise.irreversible,
        )


class _Refusal:
    """One thing that was not written, and the line of the report that says why."""

    __slots__ = ("item", "spot")

    def __init__(self, spot: Spot, item: Item) -> None:
        self.spot = spot
        self.item = item


_LATE: Final = "it does not read back as it was saved: somebody changed it while it was put back"


def _changed(left: State, now: State) -> str:
    match (left.exists, now.exists):
        case (True, False):
            return "it was deleted since the action"
        case (False, True):
            return "it was created again since the action"
        case _:
            return "it was changed since the action"


def _item(spot: Spot, state: ItemState, why: str = "") -> Item:
    return Item(resource=spot.resource, key=spot.key, state=state, why=why)


def _in_state(found: Items, state: ItemState) -> Sequence[Spot]:
    return [spot for spot, item in found.items() if item.state is state]
