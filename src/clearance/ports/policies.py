"""Where the policies made through the API are kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct


class PolicyVersion(Struct, frozen=True, kw_only=True):
    """One stored policy document: `number` counts from 1; `document` has the form of a policy file."""

    number: int
    at: datetime
    by: str
    document: dict[str, Any]


class PolicyStore(Protocol):
    """The policies made through the API, as numbered versions of one document."""

    def current(self) -> PolicyVersion | None:
        """The newest version; None in a fresh store."""

    def revision(self) -> int:
        """The newest version's number, 0 in a fresh store. Cheap: asked before every decision."""

    def versions(self, limit: int = 50) -> list[PolicyVersion]:
        """Newest first."""

    def replace(self, document: dict[str, Any], *, expected: int, by: str, at: datetime) -> PolicyVersion:
        """Store the next version. Raises ConflictError when `expected` is no longer the newest number."""
