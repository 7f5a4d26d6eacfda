"""Circuit breakers, fed by what happens: here, elsewhere, before a restart; they trip once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clearance import Client
from clearance.core.drafts import ADMINISTRATION_RUN, AdministrationBody
from clearance.core.model import Stop, StopKind, StopLevel
from clearance.runtime.brake import Brake
from clearance.sdk.embedded import EmbeddedBackend

NO_DELETES = {"name": "no deletes", "rule": "block", "condition": {"operation": "delete"}}


def fuse(**more: Any) -> dict[str, Any]:
    return {
        "name": "fuse",
        "rule": "circuit_breaker",
        "trips": {"violations": 3, "within_seconds": 600},
        "then": "pause",
        **more,
    }


def brake(client: Client) -> Brake:
    assert isinstance(client.backend, EmbeddedBackend)
    return client.backend.assembly.brake


def refused(client: Client, times: int) -> list[str]:
    return [client.check("delete", "sandbox.x").reason_code for _ in range(times)]


def soon(condition: Callable[[], bool]) -> bool:
    ends = time.monotonic() + 2.0
    while not condition() and time.monotonic() < ends:
        time.sleep(0.01)
    return condition()


def recorded(client: Client, act: str) -> list[AdministrationBody]:
    bodies = [r.decoded_as(AdministrationBody) for r in client.trace(ADMINISTRATION_RUN) if r.tool == act]
    return [body for body in bodies if body.act == act]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Client, Client]]:
    """Two control points on one store, as two processes would be."""
    with Client(tmp_path / "s", agent="a") as one, Client(tmp_path / "s", agent="a") as two:
        yield one, two


def test_it_trips_once_says_the_numbers_and_stops_the_agent(client: Client) -> None:
    client.policies.create(NO_DELETES)
    client.policies.create(fuse(message="Too many refusals"))
    assert refused(client, 5) == ["policy_block"] * 3 + ["paused"] * 2
    [stop] = brake(client).stops()
    assert (stop.kind, stop.level, stop.by, stop.policy) == (
        StopKind.AGENT,
        StopLevel.PAUSED,
        "policy:fuse",
        "fuse",
    )
    assert stop.reason == "Too many refusals (3 violations within 600 seconds)"
    assert stop.until is None
    assert len(recorded(client, "brake.set")) == 1
    assert client.check("read", "sandbox.x").reason_code == "paused"


def test_after_it_was_lifted_it_counts_anew(client: Client) -> None:
    client.policies.create(NO_DELETES)
    client.policies.create(fuse())
    refused(client, 4)
    [stop] = brake(client).stops()
    brake(client).lift(stop.kind, stop.name, by="person:o")
    assert refused(client, 4) == ["policy_block"] * 3 + ["paused"]


def test_it_stops_for_as_long_as_it_says(client: Client) -> None:
    client.policies.create(NO_DELETES)
    client.policies.create(fuse(for_seconds=0.2, then="quarantine"))
    assert refused(client, 4)[-1] == "quarantined"
    time.sleep(0.25)
    assert refused(client, 1) == ["policy_block"]


def test_refusals_by_the_brake_and_others_breakers_do_not_count(client: Client) -> None:
    client.policies.create(NO_DELETES)
    client.policies.create(fuse())
    brake(client).set(StopKind.AGENT, "b", StopLevel.PAUSED, reason="odd", by="person:o")
    with client.run(agent="b") as run:
        for _ in range(5):
            assert run.check("delete", "sandbox.x").reason_code == "paused"
    assert [stop.name for stop in brake(client).stops()] == ["b"]


def test_in_shadow_it_only_records_what_it_would_have_done(client: Client) -> None:
    client.policies.create(NO_DELETES)
    client.policies.create(fuse(mode="shadow"))
    assert set(refused(client, 5)) == {"policy_block"}
    assert brake(client).stops() == []
    [would] = recorded(client, "brake.shadow")
    assert would.details["policy"] == "fuse"


def test_failed_actions_trip_by_their_outcomes(client: Client) -> None:
    client.policies.create(fuse(trips={"errors": 2, "within_seconds": 600}, per="tool"))
    for _ in range(2):
        client.report(client.check("send_email").action_id, error="no such host")
    assert soon(lambda: bool(brake(client).stops()))
    assert [(stop.kind, stop.name) for stop in brake(client).stops()] == [(StopKind.TOOL, "send_email")]
    with client.run(agent="another") as run:
        assert run.check("sendEmail").reason_code == "paused"


def test_spend_is_added_up_over_runs(client: Client) -> None:
    trips = {"spend": 100, "within_seconds": 600, "argument": "amount"}
    client.policies.create(fuse(trips=trips, then="hold", condition={"tool": "pay"}))
    for amount in (40, 59):
        with client.run() as run:
            assert run.check("pay", arguments={"amount": amount}).allowed
    assert client.check("pay", arguments={"amount": 1}).allowed
    assert client.check("pay", arguments={"amount": 1}).reason_code in (
        "approval_required",
        "approval_unavailable",
    )


async def test_the_async_door_trips_too(client: Client) -> None:
    client.policies.create(NO_DELETES)
    client.policies.create(fuse())
    codes = [(await client.acheck("delete", "sandbox.x")).reason_code for _ in range(4)]
    assert codes == ["policy_block"] * 3 + ["paused"]


def test_it_counts_what_another_control_point_refused(pair: tuple[Client, Client]) -> None:
    one, two = pair
    one.policies.create(NO_DELETES)
    one.policies.create(fuse())
    assert refused(one, 1) + refused(two, 1) + refused(one, 1) == ["policy_block"] * 3
    assert refused(two, 1) + refused(one, 1) == ["paused"] * 2
    assert len(recorded(one, "brake.set")) == 1


def test_what_one_answered_the_other_counts_anew(pair: tuple[Client, Client]) -> None:
    one, two = pair
    one.policies.create(NO_DELETES)
    one.policies.create(fuse())
    refused(two, 1)
    refused(one, 2)
    [stop] = brake(one).stops()
    brake(one).lift(stop.kind, stop.name, by="person:o")
    assert refused(two, 2) == ["policy_block"] * 2
    assert brake(two).stops() == []


def test_a_restart_reads_the_window_back(tmp_path: Path) -> None:
    with Client(tmp_path / "s", agent="a") as client:
        client.policies.create(NO_DELETES)
        client.policies.create(fuse())
        refused(client, 2)
    with Client(tmp_path / "s", agent="a") as client:
        assert refused(client, 2) == ["policy_block", "paused"]
    with Client(tmp_path / "s", agent="a") as client:
        brake(client).lift(StopKind.AGENT, "a", by="person:o")
        assert refused(client, 2) == ["policy_block"] * 2, "what was answered is not counted again"


def test_a_new_breaker_counts_what_was_before_it(client: Client) -> None:
    client.policies.create(NO_DELETES)
    refused(client, 2)
    client.policies.create(fuse())
    assert refused(client, 2) == ["policy_block", "paused"]


def test_a_persons_stricter_stop_stays(client: Client) -> None:
    client.policies.create(NO_DELETES)
    client.policies.create(fuse(then="hold", per="tool", trips={"violations": 2, "within_seconds": 60}))
    refused(client, 1)
    strict = brake(client).set(
        StopKind.TOOL, "delete", StopLevel.PAUSED, reason="odd", by="person:o", seconds=0.05
    )
    time.sleep(0.06)
    refused(client, 1)
    stops: list[Stop] = brake(client).stops()
    assert strict not in stops
    assert [stop.level for stop in stops] == [StopLevel.HELD]
