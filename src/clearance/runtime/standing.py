"""What a control point asks of whoever acts beside the policies: who it is, what is braked, who says yes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clearance.core.policy.posture import Posture
from clearance.ports import Approvals
from clearance.runtime.breakers import Breakers
from clearance.runtime.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`registry` knows agents, and hears under which name a run begins; `posture` is what is braked now."""

    approvals: Approvals | None = None
    registry: Registry | None = None
    posture: Callable[[], Posture] = Posture
    breakers: Breakers | None = None
