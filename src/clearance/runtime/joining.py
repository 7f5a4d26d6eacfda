"""Which run an action of a network door belongs to: said, traced, or told by what it carries."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable

from msgspec import Struct

from clearance.core.model import Draft
from clearance.errors import ConflictError, RequestError
from clearance.runtime.recent import Recent
from clearance.runtime.runs import Run, Runs

# W3C Trace Context, section 3.2: version, trace-id, parent-id, flags; ids of nothing but zeros are none.
_TRACEPARENT = re.compile(
    r"^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)"
)
_KEPT = 65_536  # keys of conversations and sessions

Begin = Callable[[Draft], Awaitable[None]]


class Hints(Struct, frozen=True, kw_only=True):
    """What a request tells of its run, strongest first.

    `run_id` was given by name (header, path, a proxy's user) and has to be the agent's own. `traceparent`
    is W3C's. `keys` were remembered for a run of this agent (a conversation so far, a session); the first
    that is known counts. `goal` is that of a run which begins here.
    """

    run_id: str = ""
    traceparent: str = ""
    keys: tuple[str, ...] = ()
    goal: str = ""


class Joining:
    """Thread-safe. What it forgets is begun anew: a run too many, never an action in another's run."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._by_key: Recent[str] = Recent(_KEPT)

    async def join(self, agent: str, hints: Hints, begin: Begin) -> Run:
        """The run, begun where there is none yet: `begin` makes its first record durable.

        Raises NotFoundError and ForbiddenError for a run that was named, RequestError for a malformed trace,
        StoreError.
        """
        if hints.run_id:
            return self._runs.get(hints.run_id, agent=agent)
        if hints.traceparent:
            return await self._traced(agent, hints, begin)
        for key in hints.keys:
            run_id = self._by_key.get(_owned(agent, key))
            if run_id is not None:
                return self._runs.get(run_id, agent=agent)
        run, draft = self._runs.draft(agent=agent, goal=hints.goal)
        await begin(draft)
        return run

    def remember(self, run: Run, key: str) -> None:
        """Whatever comes with this key from this agent belongs to this run."""
        self._by_key.put(_owned(run.agent, key), run.run_id)

    async def _traced(self, agent: str, hints: Hints, begin: Begin) -> Run:
        """Its id follows from the trace's: so every process, and every restart, finds the same run."""
        trace = _TRACEPARENT.match(hints.traceparent.strip())
        if trace is None:
            raise RequestError("`traceparent` is no W3C trace context.", reason="bad_traceparent")
        run_id = f"trace_{trace[1]}_{hashlib.sha256(agent.encode()).hexdigest()[:8]}"
        try:
            run, draft = self._runs.draft(agent=agent, goal=hints.goal, run_id=run_id)
        except ConflictError:
            return self._runs.get(run_id, agent=agent)
        await begin(draft)
        return run


def _owned(agent: str, key: str) -> str:
    return f"{agent}\0{key}"
