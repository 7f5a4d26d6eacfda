"""The circumstances of an action: run, goal, time, door. Values passed in, never looked up."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from clearance.core.model.obligation import ObligationKind


class Context(Struct, frozen=True, kw_only=True):
    """`at` is aware UTC. `honours` lists the obligations that the door can carry out itself.

    `systems` names the configured systems that the action touches: there it is counted before it is decided.
    `call_hash` is of the call as it came, and of who sent it. Who is asked for a yes needs it; empty
    where the call cannot be told by a hash.
    `already_recorded` is how many of a model call's first messages the run's trace holds already.
    `takes_up` is the action that a model proposed and that this one carries out: it counts once.
    """

    run_id: str
    action_id: str
    at: datetime
    goal: str = ""
    door: str = "sdk"
    parent_id: str = ""
    honours: tuple[ObligationKind, ...] = ()
    systems: tuple[str, ...] = ()
    call_hash: str = ""
    already_recorded: int = 0
    takes_up: str = ""
