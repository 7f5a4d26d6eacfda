"""Versions of the policies' document."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from clearance.adapters.store.memory_state.counted import Counted
from clearance.errors import ConflictError
from clearance.ports import PolicyVersion


class MemoryPolicies(Counted):
    """PolicyStore."""

    def __init__(self) -> None:
        super().__init__()
        self._policies: list[PolicyVersion] = []

    def current(self) -> PolicyVersion | None:
        return next(iter(self.versions(1)), None)

    def revision(self) -> int:
        return len(self._policies)

    def versions(self, limit: int = 50) -> list[PolicyVersion]:
        with self._lock:
            return [_copied(version) for version in self._policies[::-1][: max(limit, 0)]]

    def replace(self, document: dict[str, Any], *, expected: int, by: str, at: datetime) -> PolicyVersion:
        with self._lock:
            newest = len(self._policies)
            if newest != expected:
                raise ConflictError(
                    f"The policies are at version {newest}, not {expected}: read them anew and try again."
                )
            self._policies.append(_copied(PolicyVersion(number=newest + 1, at=at, by=by, document=document)))
            return _copied(self._policies[-1])


def _copied(version: PolicyVersion) -> PolicyVersion:
    """What a file would give back: no caller shares a document with the store."""
    return replace(version, document=msgspec.json.decode(msgspec.json.encode(version.document)))
