"""What an action touches: a typed name, its environment and its attributes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct


class Environment(StrEnum):
    """Where a resource lives. UNKNOWN is treated as production by every rule that limits production."""

    PRODUCTION = "production"
    STAGING = "staging"
    SANDBOX = "sandbox"
    UNKNOWN = "unknown"


class Resource(Struct, frozen=True, kw_only=True):
    """`kind` says what sort of thing (`postgres`, `file`, `url`, `email`, `tool` …), `name` which.

    Written `kind:name`: `postgres:crm/users.accounts`, `file:/srv/a`, `email:a@b.example`.
    """

    kind: str
    name: str
    environment: Environment = Environment.UNKNOWN
    attributes: dict[str, Any] = {}

    @property
    def id(self) -> str:
        return f"{self.kind}:{self.name}"
