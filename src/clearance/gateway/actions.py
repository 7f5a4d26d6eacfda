"""Actions and runs: cleared before they run, told after."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from clearance.core.drafts import ADMINISTRATION_RUN
from clearance.core.model import (
    ActionCall,
    CheckResult,
    Durability,
    Judged,
    OutcomeReport,
    OutcomeStatus,
    Record,
    ResultShown,
)
from clearance.core.model.wire import Name, Text
from clearance.errors import ForbiddenError, NotFoundError
from clearance.gateway.endpoint import Access, Asked, Endpoint
from clearance.ports import RecordQuery, RunQuery, RunSummary

_DOOR = "http"
Count = Annotated[int, Meta(ge=1, le=1_000)]


class Recorded(Struct, frozen=True, omit_defaults=True):
    """The record is durable under this number of its run. `judged`: where a policy is about the result."""

    run_id: str
    seq: int
    judged: ResultShown | None = None


class NewRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`agent` may be left out: it is the key's own."""

    goal: Text = ""
    agent: Name = ""
    run_id: Name = ""
    parent_run_id: Name = ""


class RunTold(Struct, frozen=True, kw_only=True):
    """A run by its id, for whoever goes on with it."""

    run_id: str
    agent: str
    goal: str


class RunEnd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a run ended."""

    status: OutcomeStatus = OutcomeStatus.SUCCEEDED
    error: Text = ""


class Note(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A remark in a run."""

    text: Text


class RunFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs to list, newest first."""

    agent: Name = ""
    before: datetime | None = None
    limit: Count = 50


class RecordFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which records to find, newest first."""

    run_id: Name = ""
    agent: Name = ""
    tool: Annotated[str, Meta(max_length=256)] = ""
    operation: Name = ""
    effect: Name = ""
    kind: Name = ""
    status: Name = ""
    text: Annotated[str, Meta(max_length=256)] = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: Count = 50


class Runs(Struct, frozen=True):
    """Newest first."""

    runs: list[RunSummary]


class Records(Struct, frozen=True):
    """Of one run in order, or of a search newest first."""

    records: list[Record]


async def check(asked: Asked) -> CheckResult:
    """The hot path: decide one action, durably, before its caller runs it."""
    call: ActionCall = asked.body
    asked.caller.must_be(call.agent)
    return await asked.door.passage.clear(call, asked.caller.principal, door=_DOOR)


async def outcome(asked: Asked) -> Recorded:
    """The other half of the hot path."""
    report: OutcomeReport = asked.body
    point = asked.door.assembly.control_point
    action_id = asked.path["action_id"]
    if not point.came_by(action_id).is_callers:
        raise ForbiddenError("Clearance carries this action out itself, and tells how it ended.")
    draft, judged = point.judged_outcome(action_id, report, agent=asked.caller.only_agent())
    if point.has_saved(action_id):
        await asyncio.to_thread(point.settle, action_id)
    recorded = await _append(asked, draft)
    return recorded if judged.decision is None else replace(recorded, judged=_shown(judged))


def _shown(judged: Judged) -> ResultShown:
    if not judged.withheld:
        return ResultShown(value=judged.value, redacted=judged.redacted)
    return ResultShown(withheld=True, reason=judged.reason, reason_code=judged.reason_code)


async def _start_run(asked: Asked) -> Recorded:
    new: NewRun = asked.body
    asked.caller.must_be(new.agent)
    _, draft = asked.door.assembly.control_point.runs.draft(
        agent=asked.caller.name, goal=new.goal, run_id=new.run_id, parent_run_id=new.parent_run_id
    )
    return await _append(asked, draft)


async def _end_run(asked: Asked) -> Recorded:
    end: RunEnd = asked.body
    point = asked.door.assembly.control_point
    run = point.runs.get(asked.path["run_id"], agent=asked.caller.only_agent())
    return await _append(asked, point.runs.end_draft(run, status=end.status, error=end.error))


async def _note(asked: Asked) -> Recorded:
    note: Note = asked.body
    point = asked.door.assembly.control_point
    run = point.runs.get(asked.path["run_id"], agent=asked.caller.only_agent())
    return await _append(asked, point.runs.note_draft(run, note.text))


async def _append(asked: Asked, draft: object) -> Recorded:
    [record] = await asked.door.writer.append([draft], Durability.POWER)  # type: ignore[list-item]
    return Recorded(record.run_id, record.seq)


async def _list_runs(asked: Asked) -> Runs:
    wanted: RunFilter = asked.query
    agent = asked.caller.only_agent() or wanted.agent
    query = RunQuery(agent=agent, before=aware(wanted.before), limit=wanted.limit)
    return Runs(await asyncio.to_thread(asked.door.assembly.journal.runs, query))


async def _run(asked: Asked) -> RunTold:
    point, run_id = asked.door.assembly.control_point, asked.path["run_id"]
    run = await asyncio.to_thread(point.runs.get, run_id)
    if asked.caller.only_agent() not in ("", run.agent):
        raise NotFoundError("There is no run of this id.")
    return RunTold(run_id=run.run_id, agent=run.agent, goal=run.goal)


async def _trace(asked: Asked) -> Records:
    records = await asyncio.to_thread(asked.door.assembly.journal.run, asked.path["run_id"])
    agent = asked.caller.only_agent()
    if not records or (agent and records[0].agent != agent) or not _may_read(asked, records[0].run_id):
        raise NotFoundError("There is no run of this id.")
    return Records(records)


async def _search(asked: Asked) -> Records:
    wanted: RecordFilter = asked.query
    query = RecordQuery(
        run_id=wanted.run_id,
        agent=asked.caller.only_agent() or wanted.agent,
        tool=wanted.tool,
        operation=wanted.operation,
        effect=wanted.effect,
        kind=wanted.kind,
        status=wanted.status,
        text=wanted.text,
        since=aware(wanted.since),
        until=aware(wanted.until),
        limit=wanted.limit,
    )
    records = await asyncio.to_thread(asked.door.assembly.journal.search, query)
    return Records([record for record in records if _may_read(asked, record.run_id)])


def _may_read(asked: Asked, run_id: str) -> bool:
    """The administrative record is for those who audit."""
    return run_id != ADMINISTRATION_RUN or (
        asked.caller.person is not None and asked.caller.may(Access.AUDIT)
    )


def aware(moment: datetime | None) -> datetime | None:
    """A time without a zone is UTC, as every stored one is."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)


CHECK = Endpoint(
    "POST",
    "/v1/actions",
    "Clear one action before it runs",
    check,
    CheckResult,
    access=Access.ACT,
    body=ActionCall,
)
OUTCOME = Endpoint(
    "POST",
    "/v1/actions/{action_id}/outcome",
    "Tell how a cleared action ended",
    outcome,
    Recorded,
    access=Access.ACT,
    body=OutcomeReport,
)
ENDPOINTS = (
    CHECK,
    OUTCOME,
    Endpoint(
        "POST", "/v1/runs", "Start a run", _start_run, Recorded, access=Access.ACT, body=NewRun, status=201
    ),
    Endpoint(
        "POST", "/v1/runs/{run_id}/end", "End a run", _end_run, Recorded, access=Access.RECOVER, body=RunEnd
    ),
    Endpoint(
        "POST",
        "/v1/runs/{run_id}/notes",
        "Add a remark to a run",
        _note,
        Recorded,
        access=Access.RECOVER,
        body=Note,
    ),
    Endpoint("GET", "/v1/runs", "List runs, newest first", _list_runs, Runs, query=RunFilter),
    Endpoint("GET", "/v1/runs/{run_id}", "Read a run's agent and goal", _run, RunTold),
    Endpoint("GET", "/v1/runs/{run_id}/trace", "Read a run's records in order", _trace, Records),
    Endpoint("GET", "/v1/records", "Search records, newest first", _search, Records, query=RecordFilter),
)
