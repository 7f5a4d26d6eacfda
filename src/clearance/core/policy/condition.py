"""A compiled condition: one tree that is evaluated, explained and put into words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from clearance.core.model.patterns import SECRET_NAMES
from clearance.core.policy.matching import Accepts
from clearance.core.policy.truth import UNKNOWN, Test, conjunction, disjunction, negation
from clearance.core.policy.view import View

# What a test costs, roughly; within one condition the cheap ones go first and a CEL expression last.
CHEAP: Final = 0
LOOPING: Final = 1
SEARCHING: Final = 2
STATEFUL_COST: Final = 3
CEL_COST: Final = 4

_SHOWN_LENGTH = 64
_PHRASE_LENGTH = 300


class Condition(Struct, frozen=True, kw_only=True):
    """One node. `kind` is `leaf`, `all`, `any` or `none`.

    `operations` and `tools` (canonical) are those under which it is not FALSE; None means: any.
    `reads_arguments` is set where what it says may hang on the arguments, or on the result in their place.
    A leaf about an attribute with one value carries `attribute`, the `literals` it is limited to (None: no
    such list) and `accepts`, which says of a literal whether this leaf lets it pass.
    """

    text: str
    phrase: str
    test: Test
    kind: str = "leaf"
    line: int = 0
    children: tuple[Condition, ...] = ()
    actual: Callable[[View], Any] | None = None
    remedy: str = ""
    cost: int = CHEAP
    operations: frozenset[str] | None = None
    tools: frozenset[str] | None = None
    attribute: str = ""
    literals: Collection[Any] | None = None
    accepts: Accepts | None = None
    is_stateful: bool = False
    reads_arguments: bool = False


def all_of(children: Sequence[Condition], *, text: str = "all", line: int = 0) -> Condition:
    """And. With no children: every action."""
    ordered = tuple(sorted(children, key=_order))
    return Condition(
        kind="all",
        text=text,
        phrase=_joined(ordered, " and ") or "every action",
        test=conjunction([child.test for child in ordered]),
        line=line,
        children=ordered,
        cost=_dearest(ordered),
        operations=_intersection([child.operations for child in ordered]),
        tools=_intersection([child.tools for child in ordered]),
        is_stateful=any(child.is_stateful for child in ordered),
        reads_arguments=any(child.reads_arguments for child in ordered),
    )


def any_of(children: Sequence[Condition], *, line: int = 0) -> Condition:
    ordered = tuple(sorted(children, key=_order))
    return Condition(
        kind="any",
        text="any",
        phrase=f"({_joined(ordered, ' or ')})",
        test=disjunction([child.test for child in ordered]),
        line=line,
        children=ordered,
        cost=_dearest(ordered),
        operations=_union([child.operations for child in ordered]),
        tools=_union([child.tools for child in ordered]),
        is_stateful=any(child.is_stateful for child in ordered),
        reads_arguments=any(child.reads_arguments for child in ordered),
    )


def none_of(children: Sequence[Condition], *, line: int = 0) -> Condition:
    some = any_of(children, line=line)
    return Condition(
        kind="none",
        text="none",
        phrase=f"not {some.phrase}",
        test=negation(some.test),
        line=line,
        children=some.children,
        cost=some.cost,
        is_stateful=some.is_stateful,
        reads_arguments=some.reads_arguments,
    )


def remedies(condition: Condition, view: View) -> Iterator[str]:
    """What could not be known, and what to do, for every leaf that is to blame for UNKNOWN."""
    if condition.test(view) != UNKNOWN:
        return
    if condition.kind == "leaf":
        yield condition.remedy
    for child in condition.children:
        yield from remedies(child, view)


def contradiction(condition: Condition, given: Sequence[Condition] = ()) -> Condition | None:
    """A part because of which the condition can never hold, or None when none was found."""
    own, choices = [], []
    for part in _flattened(condition):
        if part.kind == "any":
            choices.append(part)
        elif part.kind == "none" and any(is_always(child) for child in part.children):
            return part
        elif part.kind == "leaf":
            own.append(part)
    leaves = [*given, *own]
    for attribute in {leaf.attribute for leaf in own if leaf.attribute}:
        about = [leaf for leaf in leaves if leaf.attribute == attribute]
        if not _possible(about):
            return max(about, key=lambda leaf: leaf.line)
    for choice in choices:
        if all(contradiction(branch, leaves) is not None for branch in choice.children):
            return choice
    return None


def is_always(condition: Condition) -> bool:
    """True for a condition without any requirement."""
    return condition.kind == "all" and all(is_always(child) for child in condition.children)


def _possible(about: Sequence[Condition]) -> bool:
    """Whether some literal passes every leaf about one attribute; leaves without literals leave room."""
    literals = next((leaf.literals for leaf in about if leaf.literals is not None), None)
    accepting = [leaf.accepts for leaf in about if leaf.accepts is not None]
    return literals is None or any(all(accepts(one) for accepts in accepting) for one in literals)


def _flattened(condition: Condition) -> Iterator[Condition]:
    if condition.kind != "all":
        yield condition
        return
    for child in condition.children:
        yield from _flattened(child)


def _order(condition: Condition) -> tuple[int, str]:
    return condition.cost, condition.phrase


def _dearest(children: Sequence[Condition]) -> int:
    return max((child.cost for child in children), default=CHEAP)


def _joined(children: Sequence[Condition], word: str) -> str:
    phrase = word.join(child.phrase for child in children)
    return phrase if len(phrase) <= _PHRASE_LENGTH else f"{phrase[:_PHRASE_LENGTH]}…"


def _intersection(sets: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    limiting = [one for one in sets if one is not None]
    return frozenset.intersection(*limiting) if limiting else None


def _union(sets: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    known = [one for one in sets if one is not None]
    return frozenset.union(*known) if known and len(known) == len(sets) else None


def shown(value: Any, name: str = "") -> Any:
    """A value as an explanation may show it: a short scalar; of anything else only its type and length."""
    if name.rpartition(".")[2].lower() in SECRET_NAMES:
        return "<secret>"
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else sized(value)
    if isinstance(value, str) and len(value) < _SHOWN_LENGTH:
        return value
    return sized(value)


def sized(value: Any) -> str:
    """Of a value its type, and its length if it has one."""
    length = f" of length {len(value)}" if isinstance(value, str | list | tuple | dict) else ""
    return f"<{type(value).__name__}{length}>"
