"""Stateful rules across restarts, processes, policy changes and threads: nothing is forgotten for good."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clearance import Client
from clearance.config import Settings
from clearance.core.model import ActionCall, Actor, Principal
from clearance.runtime import memory as memory_module
from clearance.runtime.control_point import ControlPoint
from clearance.wiring import assemble

THREE_PER_RUN = {
    "name": "three",
    "rule": "block",
    "condition": {
        "count_within": {"match": {"tool": "get_page"}, "of": "run", "seconds": 3600, "exceeds": 3}
    },
}
FIVE_PER_AGENT = {
    "name": "five",
    "rule": "block",
    "condition": {
        "count_within": {"match": {"tool": "get_page"}, "of": "agent", "seconds": 3600, "exceeds": 5}
    },
}


def allowed(client: Client, run_id: str, times: int) -> int:
    return sum(client.check("get_page", run_id=run_id).allowed for _ in range(times))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Client, Client]]:
    """Two control points on one store, as two processes would be."""
    with Client(tmp_path / "s", agent="a") as one, Client(tmp_path / "s", agent="a") as two:
        yield one, two


def test_a_count_holds_exactly_at_its_limit(client: Client) -> None:
    client.policies.create(THREE_PER_RUN)
    with client.run() as run:
        assert allowed(client, run.run_id, 10) == 3
    with client.run() as other:
        assert allowed(client, other.run_id, 10) == 3


def test_a_count_of_an_agent_spans_its_runs_and_a_restart(tmp_path: Path) -> None:
    with Client(tmp_path / "s", agent="a") as client:
        client.policies.create(FIVE_PER_AGENT)
        with client.run() as run:
            assert allowed(client, run.run_id, 3) == 3
    with Client(tmp_path / "s", agent="a") as client, client.run() as run:
        assert allowed(client, run.run_id, 10) == 2
    with Client(tmp_path / "s", agent="b") as client, client.run() as run:
        assert allowed(client, run.run_id, 10) == 5


def test_a_count_sees_what_another_control_point_cleared(pair: tuple[Client, Client]) -> None:
    one, two = pair
    one.policies.create(THREE_PER_RUN)
    run_id = one.check("get_page").run_id
    assert allowed(two, run_id, 1) == 1
    assert allowed(one, run_id, 1) == 1
    assert allowed(two, run_id, 5) == 0
    assert allowed(one, run_id, 5) == 0


def test_foreign_actions_are_counted_once(pair: tuple[Client, Client]) -> None:
    one, _ = pair
    one.policies.create(FIVE_PER_AGENT)
    run_id = one.check("get_page").run_id
    total = 1 + sum(allowed(client, run_id, 1) for _ in range(10) for client in pair)
    assert total == 5


def test_a_policy_added_in_mid_run_looks_back_at_the_whole_run(client: Client) -> None:
    with client.run() as run:
        assert allowed(client, run.run_id, 2) == 2
        client.policies.create(THREE_PER_RUN)
        assert allowed(client, run.run_id, 5) == 1


def test_a_run_that_was_let_go_is_read_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "_RUNS_KEPT", 2)
    client.policies.create(THREE_PER_RUN)
    runs = [client.check("get_page", run_id="").run_id for _ in range(1)]
    with client.run() as run:
        assert allowed(client, run.run_id, 2) == 2
        for _ in range(5):
            with client.run() as other:
                allowed(client, other.run_id, 1)
                client.check("get_page", run_id=runs[0])
        assert allowed(client, run.run_id, 5) == 1


def test_refused_actions_do_not_count(client: Client) -> None:
    client.policies.create(THREE_PER_RUN)
    client.policies.create({"name": "no", "rule": "block", "condition": {"argument": {"page": 13}}})
    with client.run() as run:
        for _ in range(5):
            assert client.check("get_page", arguments={"page": 13}, run_id=run.run_id).blocked
        assert allowed(client, run.run_id, 5) == 3


def test_threads_cannot_pass_a_limit_together(client: Client) -> None:
    client.policies.create(THREE_PER_RUN)
    counts: list[int] = []
    with client.run() as run:
        threads = [
            threading.Thread(target=lambda: counts.append(allowed(client, run.run_id, 5))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(counts) == 3


def delegated(point: ControlPoint, times: int, *, agent: str = "helper") -> int:
    """How many of so many actions pass that `agent` does for `a`."""
    principal = Principal(agent=agent, on_behalf_of=(Actor(name="a"),))
    call = ActionCall(action="get_page", agent=agent)
    return sum(point.clear(call, principal, door="sdk").allowed for _ in range(times))


def own(point: ControlPoint, times: int) -> int:
    call = ActionCall(action="get_page", agent="a")
    return sum(point.clear(call, Principal(agent="a"), door="sdk").allowed for _ in range(times))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], ControlPoint]]:
    """Opens the store once more: a control point that knows nothing yet."""
    assemblies = []

    def another() -> ControlPoint:
        assemblies.append(assemble(Settings(store=str(tmp_path / "s"))))
        return assemblies[-1].control_point

    another().policies.create(FIVE_PER_AGENT, by="person:x")
    yield another
    for assembly in assemblies:
        assembly.close()


def test_what_is_done_for_an_agent_counts_for_it_and_for_whoever_did_it(
    opened: Callable[[], ControlPoint],
) -> None:
    point = opened()
    assert delegated(point, 3) == 3
    assert own(point, 1) == 1
    assert delegated(point, 3, agent="another") == 1
    assert own(point, 1) == 0
    call = ActionCall(action="get_page", agent="helper")
    assert sum(point.clear(call, Principal(agent="helper"), door="sdk").allowed for _ in range(5)) == 2


def test_what_was_done_for_an_agent_is_remembered_after_a_restart_and_once(
    opened: Callable[[], ControlPoint],
) -> None:
    assert delegated(opened(), 3) == 3
    again = opened()
    assert own(again, 9) == 2
    assert delegated(again, 1) == 0
    assert own(opened(), 1) == 0


def test_what_another_control_point_clears_for_an_agent_counts_here_known_or_not(
    opened: Callable[[], ControlPoint],
) -> None:
    one, two = opened(), opened()
    assert own(one, 1) == 1  # `a` is known here, and not there
    assert delegated(two, 1) == 1
    assert delegated(two, 1, agent="third") == 1
    assert own(one, 1) == 1
    third = opened()
    call = ActionCall(action="get_page", agent="stranger")
    assert third.clear(call, Principal(agent="stranger"), door="sdk").allowed  # reads what was delegated
    assert delegated(two, 1) == 1  # for `a`, which the third does not know yet
    assert own(third, 1) == 0
    assert own(one, 1) == 0
