"""Which run the calling code is in. Follows tasks and `asyncio.to_thread`; a bare thread starts outside."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clearance.sdk.run import Run

current_run: ContextVar[Run | None] = ContextVar("clearance_run", default=None)
