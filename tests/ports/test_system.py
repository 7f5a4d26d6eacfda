"""What every system promises of its snapshots, whatever it is: run on each kind that has a driver."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearance.core.model import ItemState, Operation, RestoreMode, RestoreStatus
from clearance.errors import NotFoundError, RecoveryError
from tests.ports.system_drivers import DRIVERS, Driver, request

pytestmark = pytest.mark.servers

ALL, FREE, PLAN = RestoreMode.ALL, RestoreMode.FREE, RestoreMode.PLAN


# A client of boto3 takes half a second to make: the buckets' round is for `make test`.
SLOW = {"s3", "s3-versioned"}


@pytest.fixture(
    params=[pytest.param(kind, marks=[pytest.mark.servers] * (kind in SLOW)) for kind in sorted(DRIVERS)]
)
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    with DRIVERS[request.param](tmp_path) as made:
        yield made
        made.system.close()


def act(driver: Driver, snapshot_id: str = "snap") -> tuple[object, object]:
    """Save, let the action run, settle: the world before and after."""
    before = driver.dump()
    driver.system.save(request(**driver.arguments), driver.names, snapshot_id=snapshot_id)
    driver.change()
    driver.system.settle(snapshot_id)
    after = driver.dump()
    assert after != before
    return before, after


def test_what_an_action_changed_is_put_back_exactly(driver: Driver) -> None:
    before, _ = act(driver)
    report = driver.system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert driver.dump() == before
    assert report.status is RestoreStatus.RESTORED
    assert report.verified
    assert report.restored >= 2
    assert report.conflicts == report.skipped == 0


def test_a_snapshot_taken_by_hand_is_put_back_though_nobody_settled_it(driver: Driver) -> None:
    """Its own action only read: whatever differs came later, and is what was asked to be put back."""
    before = driver.dump()
    by_hand = request(Operation.READ, **driver.arguments)
    driver.system.save(by_hand, driver.names, snapshot_id="snap")
    driver.meddle()
    report = driver.system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert (report.status, report.restored) == (RestoreStatus.RESTORED, 1)
    assert driver.dump() == before


def test_a_snapshot_of_an_action_that_nobody_settled_is_in_conflict(driver: Driver) -> None:
    driver.system.save(request(**driver.arguments), driver.names, snapshot_id="snap")
    driver.change()
    changed = driver.dump()
    report = driver.system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert report.status is RestoreStatus.CONFLICT
    assert report.conflicts >= 2
    driver.system.settle("snap")
    assert driver.dump() == changed
    assert driver.system.restore("snap", as_snapshot="replaced", mode=ALL).status is RestoreStatus.RESTORED


def test_a_snapshot_says_what_it_holds(driver: Driver) -> None:
    saved = driver.system.save(request(**driver.arguments), driver.names, snapshot_id="snap")
    assert saved.count == driver.touched
    assert saved.system == driver.system.name
    assert saved.fingerprint == driver.system.info().fingerprint
    assert driver.system.verify("snap") == saved


def test_saving_twice_under_one_id_keeps_the_first(driver: Driver) -> None:
    before, _ = act(driver)
    first = driver.system.verify("snap")
    assert driver.system.save(request(**driver.arguments), driver.names, snapshot_id="snap") == first
    driver.system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert driver.dump() == before


def test_measuring_and_planning_change_nothing(driver: Driver) -> None:
    _, after = act(driver)
    radius = driver.system.measure(request(**driver.arguments), driver.names).radius
    assert radius.fingerprint == driver.system.info().fingerprint
    plan = driver.system.restore("snap", as_snapshot="replaced", mode=PLAN)
    assert plan.status is RestoreStatus.PLANNED
    assert plan.restored >= 2
    assert driver.dump() == after
    with pytest.raises(NotFoundError):
        driver.system.verify("replaced")


def test_what_somebody_changed_since_is_a_conflict_and_nothing_is_changed(driver: Driver) -> None:
    act(driver)
    key = driver.meddle()
    as_it_is = driver.dump()
    report = driver.system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert report.status is RestoreStatus.CONFLICT
    assert [item.key for item in report.items if item.state is ItemState.CONFLICT] == [key]
    assert report.items[0].why
    assert not report.verified
    assert driver.dump() == as_it_is


def test_what_is_free_of_conflict_is_restored_when_asked_for(driver: Driver) -> None:
    act(driver)
    driver.meddle()
    report = driver.system.restore("snap", as_snapshot="replaced", mode=FREE)
    assert report.status is RestoreStatus.PARTIAL
    assert report.conflicts == 1
    assert report.restored >= 1
    assert driver.system.restore("snap", as_snapshot="replaced", mode=FREE) == report
    again = driver.system.restore("snap", as_snapshot="replaced-again", mode=ALL)
    assert (again.status, again.conflicts, again.restored) == (RestoreStatus.CONFLICT, 1, 0)


def test_restoring_twice_is_already_undone(driver: Driver) -> None:
    before, _ = act(driver)
    driver.system.restore("snap", as_snapshot="replaced", mode=ALL)
    for other in ("replaced", "replaced-2"):
        again = driver.system.restore("snap", as_snapshot=other, mode=ALL)
        assert again.status is RestoreStatus.ALREADY_UNDONE
    assert driver.dump() == before


def test_an_undo_can_be_undone_and_that_again(driver: Driver) -> None:
    before, after = act(driver)
    driver.system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert driver.system.verify("replaced").snapshot_id == "replaced"
    redo = driver.system.restore("replaced", as_snapshot="once-more", mode=ALL)
    assert redo.status is RestoreStatus.RESTORED
    assert driver.dump() == after
    undo = driver.system.restore("once-more", as_snapshot="last", mode=ALL)
    assert undo.status is RestoreStatus.RESTORED
    assert driver.dump() == before


def test_two_overlapping_actions_are_undone_newest_first(driver: Driver) -> None:
    before, between = act(driver, "first")
    driver.system.save(request(**driver.arguments), driver.names, snapshot_id="second")
    driver.meddle()
    driver.system.settle("second")
    assert driver.system.restore("first", as_snapshot="r0", mode=ALL).status is RestoreStatus.CONFLICT
    assert driver.system.restore("second", as_snapshot="r2", mode=ALL).status is RestoreStatus.RESTORED
    assert driver.dump() == between
    assert driver.system.restore("first", as_snapshot="r1", mode=ALL).status is RestoreStatus.RESTORED
    assert driver.dump() == before


def test_a_damaged_image_is_noticed_and_not_put_back(driver: Driver) -> None:
    _, after = act(driver)
    driver.damage("snap")
    with pytest.raises(RecoveryError, match="damaged"):
        driver.system.verify("snap")
    with pytest.raises(RecoveryError):
        driver.system.restore("snap", as_snapshot="replaced", mode=ALL)
    assert driver.dump() == after


def test_a_forgotten_snapshot_is_gone_and_forgetting_again_is_fine(driver: Driver) -> None:
    act(driver)
    driver.system.forget("snap")
    driver.system.forget("snap")
    for gone in (driver.system.verify, lambda name: driver.system.restore(name, as_snapshot="r", mode=ALL)):
        with pytest.raises(NotFoundError):
            gone("snap")


def test_settling_what_does_not_exist_is_no_error(driver: Driver) -> None:
    driver.system.settle("never-saved")


def test_what_replaces_a_snapshot_needs_an_id_of_its_own(driver: Driver) -> None:
    _, after = act(driver)
    driver.system.save(request(**driver.arguments), driver.names, snapshot_id="taken")
    for unfit in ("snap", "taken"):
        with pytest.raises(RecoveryError):
            driver.system.restore("snap", as_snapshot=unfit, mode=ALL)
    assert driver.dump() == after


def test_two_threads_that_restore_one_snapshot_restore_it_once(driver: Driver) -> None:
    before, _ = act(driver)
    found: list[RestoreStatus] = []

    def work(number: int) -> None:
        report = driver.system.restore("snap", as_snapshot=f"replaced-{number}", mode=ALL)
        found.append(report.status)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [RestoreStatus.ALREADY_UNDONE] * 3 + [RestoreStatus.RESTORED]
    assert driver.dump() == before
