"""Which configured systems an action touches, by the names of its resources. Looks nothing up itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from clearance.core.model import Environment, Operation, Radius, Request, Resource, Saved
from clearance.core.normalize.reading import strictest
from clearance.errors import NotFoundError
from clearance.ports import Measured, System, Target

Opener = Callable[[], System]

# Kinds whose names are paths: what a name stands for holds for everything beneath it.
_PATHS = frozenset({"file", "s3", "url"})


class Systems:
    """The configured systems and the map from the names that agents and policies use to theirs.

    `resources` maps `users.accounts`, `users.*`, `file:/srv/reports` or `s3:bucket` to `system/name` or to
    `system`. Without an entry, `postgres:crm/public.accounts` and `postgres:crm` name the system `crm`.
    """

    def __init__(
        self, openers: Mapping[str, Opener] | None = None, resources: Mapping[str, str] | None = None
    ) -> None:
        """Each system is opened when it is first needed: one that is down stops nothing else."""
        self._openers = dict(openers or {})
        self._opened: dict[str, System] = {}
        self._resources = dict(resources or {})
        self._lock = threading.Lock()

    def add(self, name: str, opener: Opener) -> None:
        """One more, for as long as this process lives. A name that is taken keeps its system."""
        self._openers.setdefault(name, opener)

    def names(self) -> tuple[str, ...]:
        """Every system's name, in the order of the configuration."""
        return tuple(self._openers)

    def system(self, name: str) -> System:
        """Raises NotFoundError, ConfigurationError, SystemUnavailableError."""
        if name not in self._openers:
            raise NotFoundError(
                f"No system `{name}` is configured here; name it under `systems:` in clearance.yaml."
            )
        with self._lock:
            if name not in self._opened:
                self._opened[name] = self._openers[name]()
            return self._opened[name]

    def target(self, request: Request) -> SystemsTarget | None:
        """The systems that the request's resources lie in; None when there are none."""
        found: dict[str, dict[str, None]] = {}
        placed: dict[str, str] = {}
        for resource in request.resources if self._openers else ():
            where = self._where(resource)
            if where is not None:
                system, name = where
                found.setdefault(system, {}).update({name: None} if name else {})
                placed[resource.id] = system
        if not found:
            return None
        return SystemsTarget(self, {name: tuple(names) for name, names in found.items()}, placed)

    def close(self) -> None:
        """Let every system go."""
        for system in self._opened.values():
            system.close()
        self._opened.clear()

    def _where(self, resource: Resource) -> tuple[str, str] | None:
        """The system's name and its own name of the resource."""
        mapped = self._mapped(resource)
        if mapped is None and resource.kind not in ("resource", "tool"):
            mapped = resource.name
        system, _, name = (mapped or "").partition("/")
        return (system, name) if system in self._openers else None

    def _mapped(self, resource: Resource) -> str | None:
        for written in (resource.id, resource.name):
            if written in self._resources:
                return self._resources[written]
        for pattern, value in self._resources.items():
            rest = _beneath(resource, pattern)
            if rest is not None:
                return value.replace("*", rest) if "*" in value else f"{value}/{rest}".rstrip("/")
        return None


class SystemsTarget:
    """One action's part in each system."""

    def __init__(
        self, systems: Systems, parts: Mapping[str, tuple[str, ...]], placed: Mapping[str, str]
    ) -> None:
        self._systems = systems
        self._parts = parts
        self._placed = placed
        self.systems = tuple(parts)

    def measure(self, request: Request) -> tuple[Measured, ...]:
        return tuple(
            self._systems.system(name).measure(request, names) for name, names in self._parts.items()
        )

    def save(self, request: Request, *, snapshot_id: str) -> tuple[Saved, ...]:
        return tuple(
            self._systems.system(name).save(request, names, snapshot_id=snapshot_id)
            for name, names in self._parts.items()
        )

    def names(self, system: str) -> tuple[str, ...]:
        """What the action touches there, by the system's own names; empty for all of it."""
        return self._parts[system]

    def let_go(self) -> None:
        """Nothing is held: what was counted was rolled back."""

    def system_of(self, resource: Resource) -> str:
        return self._placed.get(resource.id, "")


def understood(request: Request, measured: Sequence[Measured], target: Target) -> tuple[Resource, ...]:
    """The call's resources, each in the environment that its system says, and what else is touched there."""
    environments = {part.radius.system: part.radius.environment for part in measured}
    is_read = any(part.operation is not None for part in measured)
    kept = [
        _in(resource, environments.get(target.system_of(resource)))
        for resource in request.resources
        if not (is_read and resource.attributes.get("unreadable"))
    ]
    more = [resource for part in measured for resource in part.resources]
    known = {resource.id for resource in kept}
    return (*kept, *(resource for resource in more if resource.id not in known))


def operation_of(measured: Sequence[Measured]) -> Operation | None:
    """The most dangerous of what the systems read; None where none of them read more than the call said."""
    operation: Operation | None = None
    for part in measured:
        if part.operation is not None:
            operation = strictest(part.operation, operation or part.operation)
    return operation


def radii_of(measured: Sequence[Measured]) -> tuple[Radius, ...]:
    return tuple(part.radius for part in measured)


def _in(resource: Resource, environment: Environment | None) -> Resource:
    """A system's own word counts, but for a name that says production where the system says nothing."""
    if environment is None or environment is resource.environment:
        return resource
    if environment is Environment.UNKNOWN and resource.environment is Environment.PRODUCTION:
        return resource
    return replace(resource, environment=environment)


def _beneath(resource: Resource, pattern: str) -> str | None:
    """What a pattern leaves open: `accounts` of `users.*`, `a` of `file:/srv` for `file:/srv/a`.

    Empty for the whole of it: a directory above a configured one holds all of it.
    """
    if pattern.endswith(".*"):
        start = pattern[:-1]
        written = resource.id if ":" in pattern else resource.name
        return written.removeprefix(start) if written.startswith(start) else None
    kind, _, start = pattern.partition(":")
    if kind in _PATHS and kind == resource.kind:
        root, name = start.rstrip("/") + "/", resource.name.rstrip("/") + "/"
        if root.startswith(name):
            return ""
        return name.removeprefix(root).rstrip("/") if name.startswith(root) else None
    return None
