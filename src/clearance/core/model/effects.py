"""What a statement or a command would do, as a set of classes: what a reader of its text found."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import force_setattr

from clearance.core.model.action import Operation


class EffectClass(StrEnum):
    """One kind of effect. UNKNOWN is the highest: whatever could not be read may do anything."""

    READ = "read"
    WRITE = "write"  # rows or files made or changed
    DELETE = "delete"
    DDL = "ddl"  # the shape of a database, or a thing that holds data as a whole
    ADMIN = "admin"  # rights, settings, the server itself
    OUTBOUND = "outbound"  # leaves the system: network, mail, another database
    EXEC = "exec"  # runs code that was not read
    SESSION = "session"  # state of this connection: settings, locks, temporary things
    UNKNOWN = "unknown"


class Named(Struct, frozen=True, kw_only=True):
    """One object that a text names, and what is done to it: `public.orders`, `delete`."""

    name: str
    operation: Operation


class Classification(Struct, frozen=True, kw_only=True):
    """Every effect found. `unknown` says, without quoting any value, what could not be read and why.

    An empty set of effects becomes UNKNOWN: nothing that was read is ever taken as doing nothing.
    """

    effects: frozenset[EffectClass]
    objects: tuple[Named, ...] = ()
    unknown: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.effects or (self.unknown and EffectClass.UNKNOWN not in self.effects):
            force_setattr(self, "effects", self.effects | {EffectClass.UNKNOWN})

    @property
    def operation(self) -> Operation:
        """The most dangerous verb of all effects; CREATE where rows are only added."""
        found = max((_OPERATION[effect] for effect in self.effects), key=_RANK.index)
        if found is not Operation.UPDATE:
            return found
        changed = {named.operation for named in self.objects} - {Operation.READ}
        return Operation.CREATE if changed == {Operation.CREATE} else Operation.UPDATE

    @property
    def only_reads(self) -> bool:
        return self.effects == {EffectClass.READ}


def unknown(*why: str) -> Classification:
    """What cannot be read at all."""
    return Classification(effects=frozenset({EffectClass.UNKNOWN}), unknown=why)


_OPERATION: dict[EffectClass, Operation] = {
    EffectClass.READ: Operation.READ,
    EffectClass.WRITE: Operation.UPDATE,
    EffectClass.OUTBOUND: Operation.SEND,
    EffectClass.DELETE: Operation.DELETE,
    EffectClass.EXEC: Operation.EXECUTE,
    EffectClass.DDL: Operation.DDL,
    EffectClass.SESSION: Operation.ADMIN,
    EffectClass.ADMIN: Operation.ADMIN,
    EffectClass.UNKNOWN: Operation.UNKNOWN,
}
_RANK = tuple(dict.fromkeys(_OPERATION.values()))
