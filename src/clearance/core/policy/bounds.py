"""Whether an action lies within bounds, and whether one bound lies within another. `*` is any text."""

from __future__ import annotations

from functools import lru_cache

from clearance.core.model import Bounds, Mode, ReasonCode, Request, Rule, Verdict
from clearance.core.model.names import canonical
from clearance.core.policy.view import Spellings, is_unreadable

NOTHING = Bounds(operations=("",))  # no action has this verb


def out_of_bounds(request: Request) -> Verdict | None:
    """A refusal where some credential of the chain is not good for this action."""
    for bounds in request.principal.bounds:
        lacking = _lacking(request, bounds)
        if lacking:
            return Verdict(
                policy="credential_bounds",
                rule=Rule.BLOCK,
                mode=Mode.ENFORCE,
                code=ReasonCode.OUT_OF_BOUNDS,
                message=f"The credential, or a delegation in its chain, is not good for this {lacking}.",
            )
    return None


def is_narrower(inner: Bounds, outer: Bounds) -> bool:
    """Whether everything within `inner` surely lies within `outer`. Where that cannot be told: no."""
    if _is_narrower_itself(inner, outer) and (
        not outer.any_of or any(is_narrower(inner, one) for one in outer.any_of)
    ):
        return True
    return bool(inner.any_of) and all(is_narrower(one, outer) for one in inner.any_of)


def _is_narrower_itself(inner: Bounds, outer: Bounds) -> bool:
    """The same, where neither has `any_of`."""
    return (
        _covered(tuple(map(canonical, inner.tools)), tuple(map(canonical, outer.tools)))
        and _among(inner.operations, outer.operations)
        and _covered(inner.resources, outer.resources)
    )


def matches(pattern: str, text: str) -> bool:
    """Whether a text fits a pattern in which `*` stands for any text, none included."""
    parts = _parts(pattern)
    if len(parts) == 1:
        return text == pattern
    first, last = parts[0], parts[-1]
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in parts[1:-1]:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@lru_cache(maxsize=4_096)
def _parts(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split("*"))


def lies_within(request: Request, patterns: tuple[str, ...]) -> bool:
    """Whether every resource of the action surely fits one of the patterns; without patterns all do."""
    if not patterns:
        return True
    for resource in request.resources:
        spelt = () if is_unreadable(resource) else Spellings((resource,)).certain
        if not any(matches(pattern, name) for pattern in patterns for name in spelt):
            return False
    return True


def _lacking(request: Request, bounds: Bounds) -> str:
    """Which part of the action no pattern allows; empty when all do."""
    tool = canonical(request.action.tool)
    if bounds.tools and not any(matches(canonical(pattern), tool) for pattern in bounds.tools):
        return "tool"
    if bounds.operations and request.action.operation.value not in bounds.operations:
        return "operation"
    if bounds.resources and not _within(request, bounds.resources):
        return "resource"
    if bounds.any_of and all(_lacking(request, one) for one in bounds.any_of):
        return "action"
    return ""


def _within(request: Request, patterns: tuple[str, ...]) -> bool:
    """What touches nothing that has a name touches who knows what: that is within no pattern."""
    return bool(request.resources) and lies_within(request, patterns)


def _among(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    """Verbs are compared as they are: no `*` stands for them."""
    return not outer or (bool(inner) and set(inner) <= set(outer))


def _covered(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    """A `*` of the inner pattern is a character like any other here: only one of the outer takes it in."""
    if not outer:
        return True
    return bool(inner) and all(any(matches(whole, part) for whole in outer) for part in inner)
