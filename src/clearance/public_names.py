"""Loads the package's public names when they are first used: the command line need not wait for them."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_PACKAGE = "clearance"
_HOMES = ("clearance.errors", "clearance.core.model", "clearance.sdk")  # cheapest first


def __getattr__(name: str) -> Any:
    """One name of the package's `__all__`, from the module that defines it. Raises AttributeError."""
    package = sys.modules[_PACKAGE]
    if name in package.__all__:
        for home in map(import_module, _HOMES):
            if hasattr(home, name):
                setattr(package, name, getattr(home, name))
                return getattr(home, name)
    raise AttributeError(f"module {_PACKAGE!r} has no attribute {name!r}")
