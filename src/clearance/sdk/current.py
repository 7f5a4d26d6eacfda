"""Which run and which action the calling code is in. Follows tasks and `asyncio.to_thread`, not threads."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clearance.core.model import ActionCall
    from clearance.sdk.backend import Backend
    from clearance.sdk.run import Run

current_run: ContextVar[Run | None] = ContextVar("clearance_run", default=None)
current_action: ContextVar[tuple[Backend, ActionCall] | None] = ContextVar("clearance_action", default=None)
