"""Where new ids come from: sortable by time, unguessable in the rest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

NewId = Callable[[str], str]


def snapshot_of(action_id: str) -> str:
    """The id under which an action's state is saved: known before it is, and found again without a look-up.

    >>> snapshot_of("act_019a"), action_of("snap_019a")
    ('snap_019a', 'act_019a')
    """
    return f"snap_{action_id.removeprefix('act_')}"


def action_of(snapshot_id: str) -> str:
    """The action that a snapshot was taken for. An action's own id is returned as it is."""
    if snapshot_id.startswith("snap_"):
        return f"act_{snapshot_id.removeprefix('snap_')}"
    return snapshot_id


def new_id(kind: str) -> str:
    """`run_019a…` : 12 hex digits of milliseconds since 1970, then 80 random bits."""
    return f"{kind}_{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
