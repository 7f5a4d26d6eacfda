"""Who acts: a distinct agent, on whose behalf, and how that was proven. Holds no credential."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Proof(StrEnum):
    """How the agent's name was established, weakest first."""

    DECLARED = "declared"  # the process says so itself: in-process SDK, cooperative
    API_KEY = "api_key"


class Principal(Struct, frozen=True, kw_only=True):
    """The acting agent. `on_behalf_of` is the chain of callers, nearest first."""

    agent: str
    roles: tuple[str, ...] = ()
    on_behalf_of: tuple[str, ...] = ()
    proof: Proof = Proof.DECLARED
