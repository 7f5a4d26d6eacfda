"""A program under supervision, on Linux in a network of its own. Knows no policy, no key and no run."""

from clearance.cage.hold import Held, Isolation, NotCagedError, hold
from clearance.cage.plan import Listen, Plan, Walls

__all__ = ["Held", "Isolation", "Listen", "NotCagedError", "Plan", "Walls", "hold"]
