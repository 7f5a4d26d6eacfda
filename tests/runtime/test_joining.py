"""Which run an action of a network door belongs to."""

from __future__ import annotations

import pytest

from clearance.core.model import Draft, Durability, RecordKind
from clearance.errors import ForbiddenError, NotFoundError, RequestError
from clearance.runtime.joining import Hints, Joining
from clearance.runtime.runs import Run
from tests.runtime.office import Office

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SAME_TRACE = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00"


class Door:
    """A door's joining on one process's control point."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.joining = Joining(office.point.runs)

    async def join(self, agent: str = "bot", **hints: object) -> Run:
        return await self.joining.join(agent, Hints(**hints), self._begin)  # type: ignore[arg-type]

    async def _begin(self, draft: Draft) -> None:
        self.office.journal.append([draft], durability=Durability.PROCESS)


@pytest.fixture
def door() -> Door:
    return Door(Office())


async def test_a_request_that_tells_nothing_begins_a_run_with_its_goal(door: Door) -> None:
    run = await door.join(goal="tidy up")
    [first] = door.office.journal.run(run.run_id)
    assert (first.kind, first.decoded()["goal"]) == (RecordKind.RUN_STARTED, "tidy up")
    assert (await door.join(goal="tidy up")).run_id != run.run_id


async def test_a_named_run_is_joined_by_its_own_agent_only(door: Door) -> None:
    run = await door.join()
    assert await door.join(run_id=run.run_id, traceparent=TRACE) == run
    with pytest.raises(ForbiddenError):
        await door.join("other", run_id=run.run_id)
    with pytest.raises(NotFoundError):
        await door.join(run_id="run_unknown")
    with pytest.raises(NotFoundError):
        await door.join(run_id="administration")


async def test_one_trace_is_one_run_for_each_agent_in_every_process(door: Door) -> None:
    run = await door.join(traceparent=TRACE)
    assert await door.join(traceparent=SAME_TRACE) == run
    again = Door(Office(journal=door.office.journal, state=door.office.state))
    assert (await again.join(traceparent=TRACE)).run_id == run.run_id
    assert len(door.office.journal.run(run.run_id)) == 1
    assert (await door.join("other", traceparent=TRACE)).run_id != run.run_id


@pytest.mark.parametrize(
    "wrong",
    [
        "nonsense",
        TRACE.replace("00-0af", "ff-0af"),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        TRACE.upper(),
    ],
)
async def test_a_malformed_trace_joins_nothing(door: Door, wrong: str) -> None:
    with pytest.raises(RequestError) as told:
        await door.join(traceparent=wrong)
    assert told.value.reason == "bad_traceparent"


async def test_the_first_remembered_key_counts_and_is_the_agents_own(door: Door) -> None:
    one, two = await door.join(), await door.join()
    door.joining.remember(one, "short")
    door.joining.remember(two, "long")
    assert await door.join(keys=("unknown", "long", "short")) == two
    assert (await door.join("other", keys=("long",))).run_id not in (one.run_id, two.run_id)
