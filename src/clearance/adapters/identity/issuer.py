"""What every issuer of tokens has: settings, keys, and what a verified token of it says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from clearance.adapters.identity.key_source import KeySource
from clearance.adapters.identity.token import Unverified
from clearance.config import Provider
from clearance.core.model import Principal

Seconds = Callable[[], float]


class Meaning(Struct, frozen=True, kw_only=True):
    """What a token proves, until when, and, where it is good for one call only, its id."""

    principal: Principal
    until: datetime
    use_once: str = ""


class Issuer(Protocol):
    """OIDC and SPIFFE have one each."""

    @property
    def provider(self) -> Provider: ...
    @property
    def keys(self) -> KeySource: ...

    def owns(self, token: Unverified) -> bool:
        """Whether the token says that it is of this issuer."""

    def meaning(self, token: Unverified, at: datetime) -> Meaning:
        """Of a token whose signature has been verified. Raises AuthenticationError."""
