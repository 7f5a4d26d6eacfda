"""Which package serves which kind of system. Others register by the entry point `clearance.systems`.

A kind's module has `open_system(name, options, *, images)`, and, where statements can be guarded,
`open_session(name, options, *, images)`. `options` are the configuration's, unknown keys are errors; `images`
is a directory of its own for what it saves outside the system.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from clearance.errors import ConfigurationError, Problem
from clearance.ports import Session, System

BUILT_IN: Final[dict[str, str]] = {
    "postgres": "clearance.adapters.systems.postgres",
    "mysql": "clearance.adapters.systems.mysql",
    "sqlite": "clearance.adapters.systems.sqlite",
    "files": "clearance.adapters.systems.files",
    "s3": "clearance.adapters.systems.object_store",
    "http": "clearance.adapters.systems.http",
}
_GROUP = "clearance.systems"
_EXTRAS = {"mysql": "mysql", "postgres": "postgres", "s3": "s3", "sqlite": "sqlite"}


def open_system(kind: str, name: str, options: Mapping[str, Any], *, images: Path) -> System:
    """Raises ConfigurationError for an unknown kind, a missing extra or options that do not fit."""
    return cast(System, _module(kind, name).open_system(name, options, images=images))


def open_session(kind: str, name: str, options: Mapping[str, Any], *, images: Path) -> Session:
    """A guarded session. Raises ConfigurationError, SystemUnavailableError."""
    module = _module(kind, name)
    if not hasattr(module, "open_session"):
        raise _problem(name, f"`{kind}` has no statements to guard")
    return cast(Session, module.open_session(name, options, images=images))


def _module(kind: str, name: str) -> ModuleType:
    if kind in BUILT_IN:
        try:
            return import_module(BUILT_IN[kind])
        except ImportError as error:
            extra = _EXTRAS.get(kind, kind)
            raise _problem(name, f"`{kind}` needs {error.name}: pip install 'clearance[{extra}]'") from error
    for entry in entry_points(group=_GROUP):
        if entry.name == kind:
            return cast(ModuleType, entry.load())
    raise _problem(name, f"`{kind}` is no kind of system; known: {', '.join(BUILT_IN)}")


def _problem(name: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem("wrong_value", f"system `{name}`: {message}")])
