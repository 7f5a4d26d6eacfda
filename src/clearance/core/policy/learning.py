"""From what an agent was seen to do to the narrowest scope that lists all of it. Pure.

What is proposed is a policy with `origin: learned`: it can only ever narrow what the agent may do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from clearance.core.model import Environment, Operation, Request, Resource
from clearance.core.model.names import canonical
from clearance.core.policy.compile import compile_policies
from clearance.core.policy.history import History
from clearance.core.policy.parse import parse_value
from clearance.core.policy.truth import TRUE
from clearance.core.policy.view import View, is_known, is_unreadable

EXACT: Final = 16  # so many names of one sort are listed one by one before they are taken together
MOST_PATTERNS: Final = 2_000  # of one entry: a policy that nobody can read is no policy
_LISTED_WHOLE: Final = frozenset({"email", "recipient", "tool", "resource"})  # no part of these names is safe


class Learned(Struct, frozen=True, kw_only=True):
    """What was learned: the policy to ratify, from how many actions, and which of them it would refuse.

    `refused` are action ids, at most 100: what cannot be read can be listed by no scope.
    """

    agent: str
    policy: dict[str, Any]
    actions: int
    refused: tuple[str, ...] = ()
    refused_count: int = 0


class Seen:
    """What one agent did, gathered: each different action once, with how often and the last one's id."""

    def __init__(self) -> None:
        self.actions = 0
        self._requests: dict[tuple[Any, ...], tuple[Request, int]] = {}

    def add(self, request: Request) -> None:
        self.actions += 1
        key = (
            canonical(request.action.tool),
            request.action.operation,
            tuple((one.id, one.environment, is_unreadable(one)) for one in request.resources),
            _counted(request),
        )
        before = self._requests.get(key)
        self._requests[key] = (request, before[1] + 1 if before else 1)

    def __iter__(self) -> Iterator[tuple[Request, int]]:
        return iter(self._requests.values())


def learned_name(agent: str) -> str:
    """What the policy of an agent is called."""
    return f"learned_{agent}"


def learn(agent: str, seen: Seen, *, declared: Collection[str] = ()) -> Learned:
    """A scope that lists what was seen. `declared` are the tools that documents declare, if they do.

    Raises ValueError when nothing was seen, or too much that has nothing in common.
    """
    groups: dict[tuple[str, Operation, frozenset[Environment]], list[Request]] = {}
    for request, _ in seen:
        if not any(map(is_unreadable, request.resources)):
            environments = frozenset(one.environment for one in request.resources)
            key = (canonical(request.action.tool), request.action.operation, environments)
            groups.setdefault(key, []).append(request)
    if not groups:
        raise ValueError("nothing was seen that a scope could list")
    entries = [_entry(key, requests, declared) for key, requests in groups.items()]
    policy = {
        "name": learned_name(agent),
        "rule": "allow",
        "origin": "learned",
        "description": f"What {agent} was seen to do in {seen.actions} cleared actions.",
        "condition": {"agent": literal(agent), "any": sorted(entries, key=str)},
    }
    missed = beyond(policy, seen, declared=declared)
    return Learned(
        agent=agent,
        policy=policy,
        actions=seen.actions,
        refused=tuple(request.context.action_id for request, _ in missed[:100]),
        refused_count=sum(times for _, times in missed),
    )


def beyond(
    policy: dict[str, Any], seen: Iterable[tuple[Request, int]], *, declared: Collection[str] = ()
) -> list[tuple[Request, int]]:
    """Which of these actions the scope would refuse, each with how often it was seen. Raises PolicyError."""
    compiled = compile_policies([parse_value(policy)], vocabulary=declared)
    history = History(compiled)
    (scope,) = compiled.scopes.lists
    entry = scope.entries[0]  # the agent itself is not in question

    def is_listed(request: Request) -> bool:
        return entry.test(View(request, roles=request.principal.roles, history=history)) == TRUE

    return [(request, times) for request, times in seen if not is_listed(request)]


def _entry(
    key: tuple[str, Operation, frozenset[Environment]], requests: Sequence[Request], declared: Collection[str]
) -> dict[str, Any]:
    tool, operation, environments = key
    outside: list[dict[str, Any]] = [
        {"resource_not_in": patterns_of(one for request in requests for one in request.resources)},
        {"environment_not_in": sorted(one.value for one in environments)},
    ]
    ceiling = _ceiling(requests)
    if ceiling is not None:
        outside.append({"record_count_exceeds": ceiling})
    known = not declared or tool in map(canonical, declared)
    named: dict[str, Any] = {"tool": tool} if known else {"tool_matches": f"^{_escaped(tool)}$"}
    return {**named, "operation": operation.value, "none": outside}


def patterns_of(resources: Iterable[Resource]) -> list[str]:
    """Names as they are; where they are many, what they have in common up to a separator, with `*`."""
    by_kind: dict[str, set[str]] = {}
    for resource in resources:
        by_kind.setdefault(resource.kind, set()).add(resource.name)
    found = [f"{literal(kind)}:{pattern}" for kind, names in by_kind.items() for pattern in _of(kind, names)]
    if len(found) > MOST_PATTERNS:
        raise ValueError(f"more than {MOST_PATTERNS} different resources have nothing in common")
    return sorted(found)


def _of(kind: str, names: set[str]) -> list[str]:
    if len(names) <= EXACT or kind in _LISTED_WHOLE:
        return [literal(name) for name in names]
    families: dict[str, set[str]] = {}
    for name in names:
        families.setdefault(_stem(name), set()).add(name)
    patterns: list[str] = []
    for stem, members in families.items():
        is_one = bool(stem) and len(members) > EXACT // 4
        patterns += [f"{literal(stem)}*"] if is_one else [literal(name) for name in members]
    return patterns


def _stem(name: str) -> str:
    """The name up to its last separator, that one included; empty where that would say next to nothing."""
    scheme, found, rest = name.rpartition("://")
    separator = "/" if "/" in rest else "."
    stem = rest[: rest.rfind(separator) + 1]
    if found:  # of a URL at least the host
        return f"{scheme}{found}{stem}" if separator == "/" and stem.strip("/") else ""
    return stem if any(character.isalnum() for character in stem) else ""


def literal(text: str) -> str:
    """A glob that only this text meets."""
    return "".join(f"[{one}]" if one in "*?[" else one for one in text)


def _escaped(text: str) -> str:
    return "".join(one if one.isalnum() or one == "_" else f"\\x{{{ord(one):x}}}" for one in text)


def _counted(request: Request) -> float | int | None:
    fact = request.facts.get("record_count")
    value = None if fact is None else fact.value
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and is_known(value)
    return value if is_number else None  # type: ignore[return-value]


def _ceiling(requests: Sequence[Request]) -> int | None:
    """The most records that one action touched, rounded up to 1, 2 or 5 of its power of ten.

    None where one action was not counted: a ceiling would refuse it.
    """
    counts = [_counted(request) for request in requests]
    if None in counts:
        return None
    most = max((count for count in counts if count is not None), default=0)
    if most <= 0:
        return 0
    power = 1
    while True:
        for step in (1, 2, 5):
            if most <= step * power:
                return step * power
        power *= 10
