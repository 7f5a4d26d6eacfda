"""What the supervisor is told of a program: its command, its environment, and the walls around it."""

from __future__ import annotations

from msgspec import Struct


class Listen(Struct, frozen=True, kw_only=True):
    """An address inside, each of whose connections is made to `host` and `to_port` outside."""

    address: str
    port: int
    host: str
    to_port: int


class Walls(Struct, frozen=True, kw_only=True):
    """What is kept from the program. Paths that do not exist are passed over.

    `names` are hosts that stand for an address inside. `hidden` looks empty, `read_only` can be read.
    """

    listens: tuple[Listen, ...] = ()
    names: dict[str, str] = {}
    hidden: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()


class Plan(Struct, frozen=True, kw_only=True):
    """Without `walls` nothing is kept from it."""

    command: tuple[str, ...]
    environment: dict[str, str]
    walls: Walls | None = None


class Word(Struct, frozen=True, kw_only=True):
    """What the supervisor says: `ready` comes with the listening sockets, `ended` with an exit code."""

    ready: bool = False
    why_not: str = ""
    ended: int | None = None
