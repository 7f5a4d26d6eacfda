"""One request as conditions read it: what many conditions share is worked out once, when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clearance.core.model import Environment, Operation, Request, Resource
from clearance.core.model.names import canonical
from clearance.core.policy.chain import chain_names

if TYPE_CHECKING:
    from clearance.core.policy.history import History
    from clearance.core.policy.windows import Entry, Window

# Kinds whose name holds a destination.
_OUTBOUND = frozenset({"email", "url"})
# Kinds that only stand in for what is touched: where the data goes cannot be read from them.
_STAND_INS = frozenset({"tool", "resource"})
_MAX_HOST = 253  # RFC 1035, section 2.3.4, without the dot at the end
_MAY_SEND = frozenset({Operation.SEND, Operation.UNKNOWN})


class Scope(StrEnum):
    """Whose past a stateful condition looks at."""

    RUN = "run"
    AGENT = "agent"


class View:
    """What conditions read of one request. Lives for one evaluation."""

    __slots__ = (
        "_destinations",
        "_history",
        "_now",
        "_spellings",
        "_variables",
        "agent",
        "facts",
        "operation",
        "request",
        "resources",
        "roles",
        "tool",
    )

    def __init__(self, request: Request, *, roles: tuple[str, ...], history: History | None = None) -> None:
        self.request = request
        self.agent = request.principal.agent
        self.roles = roles
        self.tool = canonical(request.action.tool)
        self.operation = request.action.operation
        self.resources = request.resources
        self.facts = request.facts
        self._history = history
        self._now: float | None = None
        self._spellings: Spellings | None = None
        self._destinations: tuple[frozenset[str], bool] | None = None
        self._variables: dict[str, Any] | None = None

    @property
    def now(self) -> float:
        """The time of the action, epoch seconds."""
        if self._now is None:
            self._now = self.request.context.at.timestamp()
        return self._now

    @property
    def spellings(self) -> Spellings:
        """How the resources may be written."""
        if self._spellings is None:
            self._spellings = Spellings(self.resources)
        return self._spellings

    @property
    def destinations(self) -> tuple[frozenset[str], bool]:
        """The domains the action reaches, and whether there may be others that cannot be known."""
        if self._destinations is None:
            self._destinations = _destinations(self.resources, self.operation)
        return self._destinations

    @property
    def variables(self) -> dict[str, Any]:
        """The names a CEL expression may use. What is unknown is left out: reading it is then an error."""
        if self._variables is None:
            self._variables = _variables(self)
        return self._variables

    def key_of(self, scope: Scope) -> str:
        return self.request.context.run_id if scope is Scope.RUN else self.agent

    def windows(self, scope: Scope) -> Mapping[str, Window]:
        """What is remembered of this run or agent, by watch id."""
        return self._history.windows(scope, self.key_of(scope)) if self._history else {}

    def proposed(self, scope: Scope, watch_id: str) -> Entry | None:
        """What the proposal that this action takes up put into a window: it is left out, this is the same."""
        takes_up = self.request.context.takes_up
        if not takes_up or self._history is None:
            return None
        return self._history.proposed(takes_up, scope, self.key_of(scope), watch_id)


class Spellings:
    """The written forms of resources: `of_each` one by one; `certain` and `presumed` of all of them together.

    Presumed is what a resource of an unknown environment is called if that is production. Where one is
    unreadable, it may be called anything.
    """

    __slots__ = ("certain", "has_unreadable", "of_each", "presumed")

    def __init__(self, resources: tuple[Resource, ...]) -> None:
        self.of_each = tuple(_spelled(resource) for resource in resources)
        self.certain = tuple(form for certain, _ in self.of_each for form in certain)
        self.presumed = tuple(form for _, presumed in self.of_each for form in presumed)
        self.has_unreadable = any(map(is_unreadable, resources))


def is_unreadable(resource: Resource) -> bool:
    """Something is touched there; which thing cannot be told."""
    return bool(resource.attributes) and bool(resource.attributes.get("unreadable"))


def _spelled(resource: Resource) -> tuple[tuple[str, ...], tuple[str, ...]]:
    name = resource.name
    if resource.environment is Environment.UNKNOWN:
        return (name, resource.id), (f"{Environment.PRODUCTION}.{name}",)
    return (name, resource.id, f"{resource.environment}.{name}"), ()


def _destinations(resources: tuple[Resource, ...], operation: Operation) -> tuple[frozenset[str], bool]:
    hosts = [host_of(resource) for resource in resources if _reaches_out(resource)]
    if hosts:
        return frozenset(host for host in hosts if host), not all(hosts)
    stands_in = any(resource.kind in _STAND_INS for resource in resources)
    return frozenset(), stands_in and operation in _MAY_SEND


def _reaches_out(resource: Resource) -> bool:
    """An address, a URL, or what may be one: unreadable, or a recipient that is no clean address."""
    if resource.kind in _OUTBOUND or is_unreadable(resource):
        return True
    return resource.kind == "recipient" and "@" in resource.name


def host_of(resource: Resource) -> str:
    """The host part of an `email` or `url` resource; "" when it cannot be told for certain."""
    if is_unreadable(resource) or resource.kind not in _OUTBOUND:
        return ""
    name = resource.name
    if resource.kind == "email":
        return domain(name.rpartition("@")[2].rstrip("> "))
    # Readers of URLs disagree about these characters, so whoever fetches it may reach another host.
    if "\\" in name or any(character.isspace() or not character.isprintable() for character in name):
        return ""
    try:
        return domain(urlsplit(name if "://" in name else f"//{name}").hostname or "")
    except ValueError:
        return ""


def domain(name: str) -> str:
    """A host name in one spelling: lower case, ASCII (IDNA, RFC 3490), no dot at the end; or ""."""
    bare = name.strip().rstrip(".").lower()
    if len(bare) > _MAX_HOST:
        return ""
    return bare if bare.isascii() else _idna(bare)


@lru_cache(maxsize=4096)
def _idna(bare: str) -> str:
    try:
        return bare.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


_STRICTEST_FIRST = (Environment.PRODUCTION, Environment.UNKNOWN, Environment.STAGING, Environment.SANDBOX)


def _variables(view: View) -> dict[str, Any]:
    context = view.request.context
    environments = {resource.environment for resource in view.resources}
    strictest = next((one for one in _STRICTEST_FIRST if one in environments), Environment.UNKNOWN)
    known = {
        "agent": view.agent,
        "roles": list(view.roles),
        "team": view.request.principal.team,
        "on_behalf_of": list(chain_names(view.request.principal)),
        "proof": view.request.principal.proof.value,
        "tool": view.tool,
        "resources": [_resource_map(resource) for resource in view.resources],
        "arguments": view.request.action.arguments,
        "facts": {name: fact.value for name, fact in view.facts.items() if is_known(fact.value)},
        "goal": context.goal,
        "run_id": context.run_id,
        "door": context.door,
    }
    if view.operation is not Operation.UNKNOWN:
        known["operation"] = view.operation.value
    if strictest is not Environment.UNKNOWN:
        known["environment"] = strictest.value
    return known


def _resource_map(resource: Resource) -> dict[str, str]:
    described = {"kind": resource.kind, "name": resource.name, "id": resource.id}
    if resource.environment is not Environment.UNKNOWN:
        described["environment"] = resource.environment.value
    return described


def is_known(value: Any) -> bool:
    """False for None, NaN and the infinities."""
    return value is not None and not (isinstance(value, float) and value - value != 0.0)
