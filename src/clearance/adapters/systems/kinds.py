"""Which package serves which kind of system. Others register by the entry point `clearance.systems`.

A kind's module has `open_system(name, options, *, images)`, and, where statements can be guarded,
`open_session(name, options, *, images)`. `options` are the configuration's, unknown keys are errors; `images`
is a directory of its own for what it saves outside the system.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    "memory": "clearance.adapters.systems.memory",
}
_GROUP = "clearance.systems"


def openers(
    systems: Mapping[str, Mapping[str, Any]], resources: Mapping[str, str], images: Path
) -> dict[str, Callable[[], System]]:
    """How to open each configured system, without opening any.

    Raises ConfigurationError with everything that can be told to be wrong before.
    """
    problems = []
    for name, given in systems.items():
        kind = given.get("kind")
        if not name.replace("-", "_").isidentifier():
            problems.append(f"system `{name}`: a name is letters, digits, `_` and `-`")
        if not isinstance(kind, str) or not _is_known(kind):
            problems.append(f"system `{name}`: `kind` must be one of {', '.join(BUILT_IN)}, or a plug-in's")
    for resource, value in resources.items():
        if value.partition("/")[0] not in systems:
            problems.append(f"resource `{resource}`: there is no system `{value.partition('/')[0]}`")
    if problems:
        raise ConfigurationError([Problem("wrong_value", text, "clearance.yaml") for text in problems])
    return {name: opener(name, given, images) for name, given in systems.items()}


def opener(name: str, given: Mapping[str, Any], images: Path) -> Callable[[], System]:
    """Opens one system when it is called. `given` is its kind and its options."""
    options = {key: value for key, value in given.items() if key != "kind"}
    kind = str(given["kind"])
    return lambda: open_system(kind, name, options, images=own_directory(images, name))


def own_directory(images: Path, name: str) -> Path:
    """Where a system keeps images. They hold what was in it: nobody else on this machine may read them."""
    path = images / name
    path.mkdir(parents=True, exist_ok=True)
    images.chmod(0o700)
    return path


def open_system(kind: str, name: str, options: Mapping[str, Any], *, images: Path) -> System:
    """Raises ConfigurationError for an unknown kind, a missing extra or options that do not fit."""
    return cast(System, _module(kind, name).open_system(name, options, images=images))


def open_session(kind: str, name: str, options: Mapping[str, Any], *, images: Path) -> Session:
    """A guarded session. Raises ConfigurationError, SystemUnavailableError."""
    module = _module(kind, name)
    if not hasattr(module, "open_session"):
        raise _problem(name, f"`{kind}` has no statements to guard")
    return cast(Session, module.open_session(name, options, images=images))


def install_guard(
    kind: str, options: Mapping[str, Any], *, roles: Sequence[str] = (), undo_roles: Sequence[str] = ()
) -> tuple[str, ...]:
    """The one-time set-up that a kind needs in the database itself, repeatable; what it could not cover.

    `roles` are those whose sessions are guarded, `undo_roles` those that restore, where the database tells
    roles apart. Nothing for a kind that needs none. Raises ConfigurationError, SystemUnavailableError.
    """
    module = _module(kind, kind)
    if not hasattr(module, "install"):
        return ()
    done: tuple[str, ...] = module.install(options, roles=roles, undo_roles=undo_roles)
    return done


def uninstall_guard(kind: str, options: Mapping[str, Any]) -> None:
    """Remove what `install_guard` made, images too. Raises as it does."""
    module = _module(kind, kind)
    if hasattr(module, "uninstall"):
        module.uninstall(options)


def _is_known(kind: str) -> bool:
    return kind in BUILT_IN or any(entry.name == kind for entry in entry_points(group=_GROUP))


def _module(kind: str, name: str) -> ModuleType:
    if kind in BUILT_IN:
        try:
            return import_module(BUILT_IN[kind])
        except ImportError as error:
            raise _problem(name, f"`{kind}` needs {error.name}: pip install 'clearance[{kind}]'") from error
    for entry in entry_points(group=_GROUP):
        if entry.name == kind:
            return cast(ModuleType, entry.load())
    raise _problem(name, f"`{kind}` is no kind of system; known: {', '.join(BUILT_IN)}")


def _problem(name: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem("wrong_value", f"system `{name}`: {message}")])
