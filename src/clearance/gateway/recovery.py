"""Snapshots, rollback and undo over HTTP. An agent reaches its own actions, an operator all."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from msgspec import Meta, Struct

from clearance.core.model import RestoreMode, Saved, Undone
from clearance.core.model.wire import Name, ResourceName
from clearance.gateway.endpoint import Access, Asked, Endpoint
from clearance.ports import SystemInfo

_DOOR = "http"


class NewSnapshot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to save: the whole resource, or the records of these ids."""

    resource: ResourceName | tuple[ResourceName, ...]
    record_ids: Annotated[list[Any], Meta(max_length=100_000)] | None = None
    agent: Name = ""
    run_id: Name = ""


class SnapshotTaken(Struct, frozen=True):
    """The id that a rollback takes."""

    snapshot_id: str


class Undo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`mode`: `plan` changes nothing, `all` restores all or nothing, `free` leaves conflicts out."""

    mode: RestoreMode = RestoreMode.ALL
    agent: Name = ""
    run_id: Name = ""


class UndoneRun(Struct, frozen=True):
    """What came of each action of the run, newest first."""

    undone: list[Undone]


class Verified(Struct, frozen=True):
    """What the snapshot holds, in each system: it was read whole."""

    saved: list[Saved]


class SystemAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One configured system; `error` is set where it cannot be reached."""

    name: str
    info: SystemInfo | None = None
    error: str = ""


class SystemList(Struct, frozen=True):
    """In the order of the configuration."""

    systems: list[SystemAnswer]


async def _snapshot(asked: Asked) -> SnapshotTaken:
    wanted: NewSnapshot = asked.body
    asked.caller.must_be(wanted.agent)
    taken = await asyncio.to_thread(
        asked.door.assembly.recovery.snapshot,
        wanted.resource,
        asked.caller.principal,
        record_ids=wanted.record_ids,
        run_id=wanted.run_id,
        door=_DOOR,
    )
    return SnapshotTaken(taken)


async def _undo(asked: Asked) -> Undone:
    wanted: Undo = asked.body
    asked.caller.must_be(wanted.agent)
    return await asyncio.to_thread(
        asked.door.assembly.recovery.undo,
        asked.path["action_id"],
        asked.caller.principal,
        mode=wanted.mode,
        agent=asked.caller.only_agent(),
        run_id=wanted.run_id,
        door=_DOOR,
    )


async def _undo_run(asked: Asked) -> UndoneRun:
    wanted: Undo = asked.body
    asked.caller.must_be(wanted.agent)
    undone = await asyncio.to_thread(
        asked.door.assembly.recovery.undo_run,
        asked.path["run_id"],
        asked.caller.principal,
        mode=wanted.mode,
        agent=asked.caller.only_agent(),
        door=_DOOR,
    )
    return UndoneRun(undone)


async def _verify(asked: Asked) -> Verified:
    verify = asked.door.assembly.recovery.verify
    agent = asked.caller.only_agent()
    return Verified(await asyncio.to_thread(verify, asked.path["snapshot_id"], agent=agent))


async def _systems(asked: Asked) -> SystemList:
    described = await asyncio.to_thread(asked.door.assembly.recovery.systems)
    return SystemList([SystemAnswer(name=name, info=info, error=error) for name, info, error in described])


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/snapshots",
        "Save state",
        _snapshot,
        SnapshotTaken,
        access=Access.RECOVER,
        body=NewSnapshot,
        status=201,
    ),
    Endpoint(
        "POST",
        "/v1/snapshots/{snapshot_id}/verify",
        "Read a snapshot whole",
        _verify,
        Verified,
        access=Access.RECOVER,
    ),
    Endpoint(
        "POST",
        "/v1/actions/{action_id}/undo",
        "Undo an action",
        _undo,
        Undone,
        access=Access.RECOVER,
        body=Undo,
    ),
    Endpoint(
        "POST",
        "/v1/runs/{run_id}/undo",
        "Undo a run, newest first",
        _undo_run,
        UndoneRun,
        access=Access.RECOVER,
        body=Undo,
    ),
    Endpoint("GET", "/v1/systems", "List the real systems", _systems, SystemList, access=Access.PEOPLE),
)
