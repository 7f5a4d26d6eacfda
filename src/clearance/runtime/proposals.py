"""Tool calls that a model proposed and that were cleared: each is taken up once, by the call that does it.

A heuristic, and safe as one: whatever takes up a proposal is judged in full and counts by itself. A proposal
that is forgotten counts twice, never too seldom.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from clearance.core.mediation import Mediation
from clearance.core.model import ActionCall, Operation
from clearance.core.model.names import canonical
from clearance.runtime.recent import Recent

PROPOSING = "model_proxy"  # the door that clears what a model asks for
_KEPT = 16_384
_SECONDS = 3_600.0  # an agent that carries out what its model proposed does it by then
_ENCODER = msgspec.json.Encoder(order="deterministic", enc_hook=str)


class Proposal(Struct, frozen=True, kw_only=True):
    """One cleared call of a tool, waiting to be carried out. `said` are its arguments, by hash."""

    action_id: str
    agent: str
    tool: str
    run_id: str
    said: frozenset[bytes]
    at: float


class Proposals:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: OrderedDict[str, Proposal] = OrderedDict()
        self._by_tool: dict[tuple[str, str], dict[str, Proposal]] = {}
        self._taken: Recent[Proposal] = Recent(_KEPT)

    def take(self, call: ActionCall, agent: str, run_id: str, *, door: str, at: float) -> str:
        """The proposal that this call carries out, by its action, or ""; nobody else takes it meanwhile."""
        if door == PROPOSING or call.operation is Operation.MODEL_CALL:
            return ""
        with self._lock:
            fitting = [one for one in self._fitting(call, agent, at) if one.run_id == run_id]
            if not fitting:
                return ""
            # What says the most of the arguments; of several, the first that was proposed.
            best = max(fitting, key=lambda one: len(one.said))
            self._drop(best.action_id)
        self._taken.put(best.action_id, best)
        return best.action_id

    def decided(self, mediation: Mediation) -> None:
        """A proposal that was cleared waits from now on, and one whose taker was refused waits again."""
        context = mediation.request.context
        taken = self._taken.pop(context.takes_up) if context.takes_up else None
        waiting = taken if mediation.refused else _proposed(mediation)
        if waiting is not None:
            self._put(waiting)

    def _put(self, proposal: Proposal) -> None:
        with self._lock:
            self._all[proposal.action_id] = proposal
            self._by_tool.setdefault((proposal.agent, proposal.tool), {})[proposal.action_id] = proposal
            if len(self._all) > _KEPT:
                self._drop(next(iter(self._all)))

    def run_of(self, call: ActionCall, agent: str, *, at: float) -> str:
        """The run whose proposal a call without a run carries out; "" where it could be another's."""
        with self._lock:
            runs = {one.run_id for one in self._fitting(call, agent, at)}
        return runs.pop() if len(runs) == 1 else ""

    def _fitting(self, call: ActionCall, agent: str, at: float) -> list[Proposal]:
        """A call may say more than its proposal: the defaults of the function that carries it out."""
        waiting = self._by_tool.get((agent, canonical(call.action))) if self._by_tool else None
        if not waiting:
            return []
        said = _said(call.arguments or call.payload)
        return [one for one in waiting.values() if at - one.at <= _SECONDS and one.said <= said]

    def _drop(self, action_id: str) -> None:
        proposal = self._all.pop(action_id)
        key = (proposal.agent, proposal.tool)
        del self._by_tool[key][action_id]
        if not self._by_tool[key]:
            del self._by_tool[key]


def _proposed(mediation: Mediation) -> Proposal | None:
    """What was cleared for a model, if it is a tool call."""
    request = mediation.request
    if request.context.door != PROPOSING or request.action.operation is Operation.MODEL_CALL:
        return None
    return Proposal(
        action_id=request.context.action_id,
        agent=request.principal.agent,
        tool=canonical(request.action.tool),
        run_id=request.context.run_id,
        said=_said(mediation.arguments),
        at=request.context.at.timestamp(),
    )


def _said(arguments: Mapping[str, Any]) -> frozenset[bytes]:
    return frozenset(map(_digest, arguments.items()))


def _digest(item: tuple[str, Any]) -> bytes:
    """What has no JSON is told from everything else."""
    try:
        return hashlib.sha256(_ENCODER.encode(item)).digest()
    except (TypeError, ValueError, OverflowError, RecursionError):
        return b""
