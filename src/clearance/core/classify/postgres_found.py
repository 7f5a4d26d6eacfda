"""What a reading of PostgreSQL text has found so far, and what of it a rollback would leave."""

from __future__ import annotations

from collections.abc import Iterable

from clearance.core.model.action import Operation
from clearance.core.model.effects import Classification, EffectClass, Named


class Found:
    """Collects; forgets nothing. `inside` a function's body, the unknown is code that was not read."""

    def __init__(self) -> None:
        self.effects: set[EffectClass] = set()
        self._objects: dict[Named, None] = {}
        self._unknown: dict[str, None] = {}
        self._blocks: dict[str, None] = {}
        self._left_over: dict[str, None] = {}

    def add(self, effects: Iterable[EffectClass]) -> None:
        self.effects.update(effects)

    def name(self, name: str, operation: Operation) -> None:
        """One object that the statement touches."""
        self._objects[Named(name=name, operation=operation)] = None

    def wonder(self, why: str, *, inside: bool) -> None:
        """Something that could not be read."""
        if inside:
            self.effects.add(EffectClass.EXEC)
            self._blocks[why] = None
        else:
            self.effects.add(EffectClass.UNKNOWN)
            self._unknown[why] = None

    def block(self, why: str) -> None:
        """Something that a rollback does not take back, or that does not run inside a transaction."""
        self._blocks[why] = None

    def leave(self, what: str) -> None:
        """Something small that outlives a rollback: a sequence that has moved on."""
        self._left_over[what] = None

    @property
    def blocks(self) -> tuple[str, ...]:
        return tuple(self._blocks)

    @property
    def left_over(self) -> tuple[str, ...]:
        return tuple(self._left_over)

    def classification(self) -> Classification:
        return Classification(
            effects=frozenset(self.effects), objects=tuple(self._objects), unknown=tuple(self._unknown)
        )
