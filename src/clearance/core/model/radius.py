"""The blast radius: what an action would touch, counted on the real system, and what could be put back."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from clearance.core.model.action import Operation
from clearance.core.model.effects import EffectClass
from clearance.core.model.resource import Environment


class Exactness(StrEnum):
    """How true a count is. BOUND: at most this. ESTIMATE: may be more. UNKNOWN: could not be counted."""

    EXACT = "exact"
    BOUND = "bound"
    ESTIMATE = "estimate"
    UNKNOWN = "unknown"


class Reversibility(StrEnum):
    """What an undo would return. Computed from what was captured, never declared.

    EXACT: every bit. CONTENT: the same content with a new identity. COMPENSATION: only a new, opposite
    action. NONE: nothing returns.
    """

    EXACT = "exact"
    CONTENT = "content"
    COMPENSATION = "compensation"
    NONE = "none"


class Touch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One resource of one system, what would be done to it, and how often.

    `resource` is the system's own name (`public.orders`); `count` is rows, files, objects or recipients, None
    where it could not be counted. `sample` names a few keys, for a person to look at.
    """

    resource: str
    operation: Operation
    count: int | None
    exactness: Exactness = Exactness.EXACT
    bytes: int | None = None
    sample: tuple[str, ...] = ()


class Radius(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything an action would touch. `how` says what counted it (`engine counters`, `closure`, …).

    `system` is the configured name, `fingerprint` which real system answers to it now, and `environment` what
    that system is. `irreversible` lists, in sentences, what no undo will return; `unknown` what could not be
    read or counted.
    """

    system: str
    fingerprint: str
    environment: Environment = Environment.UNKNOWN
    effects: frozenset[EffectClass]
    touches: tuple[Touch, ...] = ()
    how: str = ""
    reversibility: Reversibility = Reversibility.NONE
    irreversible: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def count(self) -> int | None:
        """How many are changed, or read where nothing is changed; None where that is not known."""
        changed = [touch for touch in self.touches if touch.operation is not Operation.READ]
        counted = changed or self.touches
        numbers = [touch.count for touch in counted]
        if EffectClass.UNKNOWN in self.effects or not all(number is not None for number in numbers):
            return None
        return sum(number for number in numbers if number is not None)

    def within(self, approved: Radius) -> bool:
        """True where this is the same system and nothing more of it than was approved."""
        if self.fingerprint != approved.fingerprint or not self.effects <= approved.effects:
            return False
        allowed = {(touch.resource, touch.operation): touch.count for touch in approved.touches}
        return all(_fits(touch.count, allowed, touch) for touch in self.touches)


def _fits(count: int | None, allowed: dict[tuple[str, Operation], int | None], touch: Touch) -> bool:
    if count == 0:
        return True
    most = allowed.get((touch.resource, touch.operation))
    return count is not None and most is not None and count <= most
