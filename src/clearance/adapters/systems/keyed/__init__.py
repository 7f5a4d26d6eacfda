"""Recovery for systems that hold things by key: objects, resources of an API, entries. Written once."""

from clearance.adapters.systems.keyed.disk import Images
from clearance.adapters.systems.keyed.effects import effects_of, identifiers, selectors, undoable
from clearance.adapters.systems.keyed.record import Promise
from clearance.adapters.systems.keyed.recovery import KeyedRecovery
from clearance.adapters.systems.keyed.things import Landed, RefusedError, Scope, Spot, State, Things

__all__ = [
    "Images",
    "KeyedRecovery",
    "Landed",
    "Promise",
    "RefusedError",
    "Scope",
    "Spot",
    "State",
    "Things",
    "effects_of",
    "identifiers",
    "selectors",
    "undoable",
]
