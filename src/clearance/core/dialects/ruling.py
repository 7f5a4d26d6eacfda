"""What was decided of a tool call that a model asked for. Values only."""

from __future__ import annotations

from msgspec import Struct


class Allowed(Struct, frozen=True):
    """It goes to the agent as it came."""


class AllowedWith(Struct, frozen=True):
    """It goes to the agent with these arguments, JSON text."""

    arguments_json: str


class Refused(Struct, frozen=True):
    """It is taken out; the agent reads this instead."""

    message: str


Ruling = Allowed | AllowedWith | Refused
