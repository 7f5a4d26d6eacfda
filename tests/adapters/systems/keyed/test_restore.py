"""Putting back when something goes wrong midway: a crash at every step, a late refusal, a lost answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.systems.keyed import Images, KeyedRecovery, Landed, Promise, RefusedError, Scope, Spot
from clearance.adapters.systems.keyed import disk as disk_module
from clearance.adapters.systems.keyed.things import State
from clearance.adapters.systems.memory import MemoryThings, Tables
from clearance.core.model import ItemState, RestoreMode, RestoreStatus, Reversibility
from clearance.errors import NotFoundError, RecoveryError, SystemUnavailableError

pytestmark = pytest.mark.servers

ALL, FREE, PLAN = RestoreMode.ALL, RestoreMode.FREE, RestoreMode.PLAN
BEFORE = {"t": {"1": "a", "2": "b", "3": "c"}}
AFTER = {"t": {"1": "A", "3": "c", "4": "d", "5": "e"}}
PROMISE = Promise(reversibility=Reversibility.EXACT)


class PowerCut(BaseException):
    """Nothing after this ran; nobody catches it."""


class FaultyThings(MemoryThings):
    """Rows, with something that runs before or after each write, and may raise."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.before_put: Callable[[Spot], None] = lambda spot: None
        self.after_put: Callable[[Spot], None] = lambda spot: None
        self.puts: list[str] = []

    def put(self, spot: Spot, want: State, *, now: State, images: Images) -> Landed:
        self.before_put(spot)
        landed = super().put(spot, want, now=now, images=images)
        self.puts.append(spot.key)
        self.after_put(spot)
        return landed


class World:
    """One snapshot of three rows; the action has run and is settled."""

    def __init__(self, directory: Path, *, settled: bool = True) -> None:
        self.tables: Tables = {"t": dict(BEFORE["t"])}
        self.things = FaultyThings(self.tables)
        self.images = directory / "images"
        self.recovery = KeyedRecovery("twin", self.things, images=self.images)
        self.recovery.save_scopes("snap", [Scope(resource="t")], promise=PROMISE)
        self.tables["t"].clear()
        self.tables["t"].update(AFTER["t"])
        if settled:
            self.recovery.settle("snap")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def cut_after(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The power fails right before the `number`th time that anything is made durable."""
    left = [number]

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise PowerCut
            return real(*arguments)

        return run

    monkeypatch.setattr(disk_module, "_write", failing(disk_module._write))
    monkeypatch.setattr(disk_module, "_sync", failing(disk_module._sync))
    monkeypatch.setattr(disk_module.Images, "append", failing(disk_module.Images.append))


def crashes(act: Callable[[], object]) -> Iterator[int]:
    """Run `act` with a power cut at its first durable step, its second, … until it gets through."""
    for number in range(200):
        with pytest.MonkeyPatch.context() as patch:
            cut_after(patch, number)
            try:
                act()
            except PowerCut:
                yield number
            else:
                return
    raise AssertionError("it never got through")


def test_a_restore_that_crashes_at_every_durable_step_ends_as_if_it_had_not(tmp_path: Path) -> None:
    rounds = 0
    for number in range(200):
        world = World(tmp_path / str(number))
        with pytest.MonkeyPatch.context() as patch:
            cut_after(patch, number)
            try:
                world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
                break
            except PowerCut:
                rounds += 1
        report = world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
        assert report.status in (RestoreStatus.RESTORED, RestoreStatus.ALREADY_UNDONE)
        assert world.tables == BEFORE
        assert sorted(world.things.puts) == ["1", "2", "4", "5"]  # each was written once, in both lives
        again = world.recovery.restore("replaced", as_snapshot="back", mode=ALL)
        assert (again.status, world.tables) == (RestoreStatus.RESTORED, AFTER)
    assert rounds >= 15


def test_a_restore_that_crashes_at_every_step_of_every_retry_still_ends_right(world: World) -> None:
    rounds = list(crashes(lambda: world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)))
    assert len(rounds) >= 10
    assert world.tables == BEFORE
    assert sorted(world.things.puts) == ["1", "2", "4", "5"]


def test_a_crash_between_the_write_and_its_note_does_not_write_twice(world: World) -> None:
    def cut(spot: Spot) -> None:
        raise PowerCut

    world.things.after_put = cut
    for _ in range(4):
        with pytest.raises(PowerCut):
            world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    report = world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.restored) == (RestoreStatus.RESTORED, 4)
    assert sorted(world.things.puts) == ["1", "2", "4", "5"]
    assert world.tables == BEFORE


def test_a_save_that_crashes_anywhere_leaves_a_whole_snapshot_or_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    scopes = [Scope(resource="t")]
    for _ in crashes(lambda: world.recovery.save_scopes("second", scopes, promise=PROMISE)):
        try:
            assert world.recovery.verify("second").count == 4
        except NotFoundError:
            continue
    assert world.recovery.verify("second").count == 4


def test_a_settling_that_crashes_anywhere_is_done_again(tmp_path: Path) -> None:
    world = World(tmp_path, settled=False)
    assert list(crashes(lambda: world.recovery.settle("snap")))
    assert world.recovery.restore("snap", as_snapshot="replaced", mode=ALL).status is RestoreStatus.RESTORED


def test_an_interrupted_restore_goes_on_only_under_its_own_id(world: World) -> None:
    def fail(spot: Spot) -> None:
        if spot.key == "4":
            raise SystemUnavailableError("gone")

    world.things.before_put = fail
    with pytest.raises(SystemUnavailableError):
        world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    with pytest.raises(RecoveryError, match="as_snapshot `replaced`"):
        world.recovery.restore("snap", as_snapshot="another", mode=ALL)
    world.things.before_put = lambda spot: None
    assert world.recovery.restore("snap", as_snapshot="replaced", mode=ALL).restored == 4
    assert world.tables == BEFORE


@pytest.mark.parametrize("state", [ItemState.CONFLICT, ItemState.SKIPPED])
def test_one_late_refusal_takes_everything_back_when_all_was_asked_for(
    world: World, state: ItemState
) -> None:
    def refuse(spot: Spot) -> None:
        if spot.key == "4":
            raise RefusedError("no", state=state)

    world.things.before_put = refuse
    report = world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    assert report.status is RestoreStatus.CONFLICT
    assert [item.key for item in report.items if item.why == "no"] == ["4"]
    assert report.restored == 0
    assert world.tables == AFTER
    with pytest.raises(NotFoundError):
        world.recovery.verify("replaced")
    world.things.before_put = lambda spot: None
    assert world.recovery.restore("snap", as_snapshot="replaced", mode=ALL).status is RestoreStatus.RESTORED


def test_one_late_refusal_stays_alone_when_the_free_ones_were_asked_for(world: World) -> None:
    def refuse(spot: Spot) -> None:
        if spot.key == "4":
            raise RefusedError("no")

    world.things.before_put = refuse
    report = world.recovery.restore("snap", as_snapshot="replaced", mode=FREE)
    assert (report.status, report.restored, report.conflicts) == (RestoreStatus.PARTIAL, 3, 1)
    assert world.tables["t"] == {**BEFORE["t"], "4": "d"}
    world.things.before_put = lambda spot: None
    rest = world.recovery.restore("snap", as_snapshot="rest", mode=ALL)
    assert (rest.status, rest.restored, rest.already) == (RestoreStatus.RESTORED, 1, 4)


def test_a_crash_while_everything_is_taken_back_goes_on_taking_back(world: World) -> None:
    def refuse_then_fail(spot: Spot) -> None:
        if spot.key == "4":
            world.things.before_put = fail
            raise RefusedError("no")

    def fail(spot: Spot) -> None:
        if spot.key == "2":
            raise PowerCut

    world.things.before_put = refuse_then_fail
    with pytest.raises(PowerCut):
        world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    world.things.before_put = lambda spot: None
    report = world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    assert report.status is RestoreStatus.CONFLICT
    assert world.tables == AFTER


def test_what_was_written_right_before_a_crash_is_taken_back_too(world: World) -> None:
    def cut(spot: Spot) -> None:
        raise PowerCut

    def refuse(spot: Spot) -> None:
        if spot.key == "4":
            raise RefusedError("no")

    world.things.after_put = cut
    with pytest.raises(PowerCut):
        world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    assert world.tables["t"] == {**AFTER["t"], "1": "a"}
    world.things.after_put, world.things.before_put = (lambda spot: None), refuse
    report = world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.restored) == (RestoreStatus.CONFLICT, 0)
    assert world.tables == AFTER


def test_what_cannot_be_taken_back_is_reported_as_restored(world: World) -> None:
    def refuse(spot: Spot) -> None:
        if spot.key == "4" or ("1" in world.things.puts and spot.key == "1"):
            raise RefusedError("no")

    world.things.before_put = refuse
    report = world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.restored) == (RestoreStatus.PARTIAL, 1)
    assert world.tables["t"] == {**AFTER["t"], "1": "a"}


def test_without_a_note_of_how_the_action_left_it_every_difference_is_a_conflict(tmp_path: Path) -> None:
    world = World(tmp_path, settled=False)
    for mode in (ALL, FREE):
        report = world.recovery.restore("snap", as_snapshot="replaced", mode=mode)
        assert report.status is RestoreStatus.CONFLICT
        assert (report.conflicts, report.already) == (4, 1)
        assert "never noted" in report.items[0].why
    assert world.tables == AFTER


def test_what_was_made_after_the_action_is_not_removed(world: World) -> None:
    world.tables["t"]["6"] = "somebody else's"
    report = world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    assert report.status is RestoreStatus.RESTORED
    assert world.tables["t"] == {**BEFORE["t"], "6": "somebody else's"}


def test_a_conflict_says_what_happened_since(world: World) -> None:
    rows = world.tables["t"]
    rows["1"], rows["2"] = "changed", "created again"
    del rows["4"], rows["5"]
    rows["5"] = "e"
    report = world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    told = {item.key: item.why for item in report.items if item.state is ItemState.CONFLICT}
    assert told == {
        "1": "it was changed since the action",
        "2": "it was created again since the action",
    }


def test_a_change_between_comparing_and_keeping_is_a_conflict_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = world.things.keep

    def keep(spot: Spot, *, images: Images) -> State:
        if spot.key == "1":
            world.tables["t"]["1"] = "meanwhile"
        return real(spot, images=images)

    monkeypatch.setattr(world.things, "keep", keep)
    report = world.recovery.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.conflicts) == (RestoreStatus.CONFLICT, 1)
    assert world.tables["t"] == {**AFTER["t"], "1": "meanwhile"}


def test_a_snapshot_of_another_server_is_not_put_back(world: World) -> None:
    other = KeyedRecovery("twin", MemoryThings({"t": {}}), images=world.images)
    for use in (
        lambda: other.restore("snap", as_snapshot="replaced", mode=ALL),
        lambda: other.verify("snap"),
    ):
        with pytest.raises(RecoveryError, match="another system answers"):
            use()


def test_a_report_names_a_hundred_and_counts_all(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.recovery.save_scopes("many", [Scope(resource="t")], promise=PROMISE)
    world.tables["t"].update({f"new-{number:03}": "x" for number in range(150)})
    world.recovery.settle("many")
    world.tables["t"]["new-149"] = "meddled"
    plan = world.recovery.restore("many", as_snapshot="replaced", mode=PLAN)
    assert (plan.restored, plan.conflicts, len(plan.items)) == (149, 1, 100)
    assert plan.items[0].key == "new-149"


def test_an_action_that_changed_nothing_is_undone_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.recovery.save_scopes("idle", [Scope(resource="t")], promise=PROMISE)
    world.recovery.settle("idle")
    report = world.recovery.restore("idle", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.restored, report.already) == (RestoreStatus.RESTORED, 0, 4)
    assert world.recovery.verify("replaced").count == 0
