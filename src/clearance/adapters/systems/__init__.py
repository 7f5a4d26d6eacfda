"""Real systems: each counts what an action would touch, saves it, and puts it back. One package per kind."""

from clearance.adapters.systems.kinds import open_session, opener, openers, own_directory

__all__ = ["open_session", "opener", "openers", "own_directory"]
