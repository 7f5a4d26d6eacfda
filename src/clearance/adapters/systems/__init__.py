"""Real systems: each counts what an action would touch, saves it, and puts it back. One package per kind."""

from clearance.adapters.systems.kinds import (
    install_guard,
    open_session,
    open_system,
    opener,
    openers,
    own_directory,
    uninstall_guard,
)

__all__ = [
    "install_guard",
    "open_session",
    "open_system",
    "opener",
    "openers",
    "own_directory",
    "uninstall_guard",
]
