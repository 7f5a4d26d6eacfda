"""Compiles conditions over what a request says of itself: agent, role, team, tool, operation, resource …"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from clearance.core.model import Environment, Operation, Proof
from clearance.core.model.names import canonical
from clearance.core.policy.chain import chain_names
from clearance.core.policy.condition import CHEAP, LOOPING, SEARCHING, Condition, shown
from clearance.core.policy.located import Located
from clearance.core.policy.matching import (
    Accepts,
    PatternError,
    any_domain,
    any_expression,
    any_glob,
    is_glob,
)
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader, closest, did_you_mean, excerpt
from clearance.core.policy.truth import FALSE, TRUE, UNKNOWN, Test, disjunction, negation
from clearance.core.policy.view import View
from clearance.core.policy.vocabulary import ALIASES, Alias, Key, Vocabulary
from clearance.core.policy.wording import described

_OPERATION_REMEDY = "the operation is not known; declare the tool's operation under `tools:`"
_ENVIRONMENT_REMEDY = "the environment is not known; pass it with the action or declare it under `tools:`"
_DOMAIN_REMEDY = "the destination is not known; name the recipients or the URL as the action's resource"

# Attributes with exactly one value: two conditions on one of them can contradict each other.
_SINGLE: dict[str, Callable[[View], Any]] = {
    "agent": attrgetter("agent"),
    "tool": attrgetter("tool"),
    "goal": attrgetter("request.context.goal"),
    "door": attrgetter("request.context.door"),
    "team": attrgetter("request.principal.team"),
    "proof": attrgetter("request.principal.proof.value"),
}
_GLOBBING = frozenset({"agent", "role", "team", "on_behalf_of", "tool", "resource"})


def attribute(key: Key, at: Located, *, reader: Reader, vocabulary: Vocabulary) -> Condition | None:
    """The condition for one attribute; None when it was refused."""
    match key.base:
        case "operation":
            return _operation(key, at, reader)
        case "environment":
            return _environment(key, at, reader)
        case "action":
            return _action(key, at, reader, vocabulary)
        case "proof" if not _are_proofs(key, at, reader):
            return None
        case _:
            return _textual(key, at, reader, vocabulary)


def _are_proofs(key: Key, at: Located, reader: Reader) -> bool:
    read = [reader.choice(child, Proof, key.written) for child in reader.values(at, key.written)]
    return bool(read) and None not in read


def _operation(key: Key, at: Located, reader: Reader) -> Condition | None:
    read = [reader.choice(child, Operation, key.written) for child in reader.values(at, key.written)]
    operations = {operation for operation in read if operation is not None}
    return _operation_condition(key, at, operations) if operations else None


def _operation_condition(key: Key, at: Located, operations: set[Operation]) -> Condition:
    """UNKNOWN against every other operation: it could be any of them."""
    is_negated = key.suffix == "not_in"
    held, other = (FALSE, TRUE) if is_negated else (TRUE, FALSE)
    truths = {operation: held if operation in operations else other for operation in Operation}
    if Operation.UNKNOWN not in operations:
        truths[Operation.UNKNOWN] = UNKNOWN
    accepted = frozenset(Operation) - operations if is_negated else frozenset(operations)

    def test(view: View) -> int:
        return truths[view.operation]

    return Condition(
        **described(key, at),
        test=test,
        actual=attrgetter("operation.value"),
        remedy=_OPERATION_REMEDY,
        operations=frozenset(operation for operation, truth in truths.items() if truth != FALSE),
        attribute="operation",
        literals=None if is_negated else accepted,
        accepts=accepted.__contains__,
    )


def _environment(key: Key, at: Located, reader: Reader) -> Condition | None:
    read = [reader.choice(child, Environment, key.written) for child in reader.values(at, key.written)]
    environments = {environment for environment in read if environment is not None}
    if not environments:
        return None
    truths = {environment: TRUE if environment in environments else FALSE for environment in Environment}
    if Environment.UNKNOWN not in environments and Environment.PRODUCTION in environments:
        truths[Environment.UNKNOWN] = UNKNOWN
    if key.suffix == "not_in":
        truths = {environment: TRUE - truth for environment, truth in truths.items()}

    def test(view: View) -> int:
        most = FALSE
        for resource in view.resources:
            truth = truths[resource.environment]
            if truth > most:
                most = truth
        return most

    return Condition(
        **described(key, at),
        test=test,
        actual=lambda view: [resource.environment.value for resource in view.resources],
        remedy=_ENVIRONMENT_REMEDY,
        cost=LOOPING,
    )


def _action(key: Key, at: Located, reader: Reader, vocabulary: Vocabulary) -> Condition | None:
    words = reader.texts(at, key.written)
    operations = {Operation(word) for word in words if word in set(Operation)}
    if words and len(operations) == len(set(words)):
        return _operation_condition(key, at, operations)
    tests: list[Test] = []
    if operations:
        tests.append(_operation_condition(key, at, operations).test)
    tests.extend(_alias_test(ALIASES[word]) for word in words if word in ALIASES)
    tools = [word for word in words if word not in set(Operation)]
    for word in tools:
        _check_action_word(word, at, reader, vocabulary)
    accepts = _tool_accepts(tools, at, reader)
    if not tools or accepts is None:
        return None
    tests.append(_single_test(attrgetter("tool"), accepts))
    meets = disjunction(tests)
    is_exact = len(tests) == 1 and key.suffix != "not_in" and not any(map(is_glob, tools))
    return Condition(
        **described(key, at),
        test=negation(meets) if key.suffix == "not_in" else meets,
        actual=lambda view: {"operation": view.operation.value, "tool": view.tool},
        remedy=_OPERATION_REMEDY,
        cost=CHEAP if is_exact else LOOPING,
        tools=frozenset(map(canonical, tools)) if is_exact else None,
        attribute="tool" if is_exact else "",
        literals=frozenset(map(canonical, tools)) if is_exact else None,
        accepts=accepts if is_exact else None,
    )


def _alias_test(alias: Alias) -> Test:
    def test(view: View) -> int:
        if alias.operation is None or view.operation is alias.operation:
            truth = TRUE
        else:
            truth = UNKNOWN if view.operation is Operation.UNKNOWN else FALSE
        if not truth or not alias.kinds:
            return truth
        for resource in view.resources:
            if resource.kind in alias.kinds:
                return truth
        return FALSE

    return test


def _check_action_word(word: str, at: Located, reader: Reader, vocabulary: Vocabulary) -> None:
    if word in ALIASES:
        return
    if vocabulary.tools:
        _check_tool(word, at, reader, vocabulary)
        return
    meant = "" if is_glob(word) else closest(word, [*Operation, *ALIASES])
    if meant:
        message = f'"{excerpt(word)}" is no operation.'
        hint = f'did you mean "{meant}"? For a tool of that name write `tool: {excerpt(word)}`'
        reader.refuse(ProblemCode.UNKNOWN_OPERATION, message, at, suggestion=hint)


def _check_tool(word: str, at: Located, reader: Reader, vocabulary: Vocabulary) -> None:
    """Refuse a tool that is not among those declared, when any are."""
    if not vocabulary.tools or not canonical(word):
        return
    accepts = any_glob([canonical(word)])
    if not any(accepts(tool) for tool in vocabulary.tools):
        message = f'No declared tool matches "{excerpt(word)}".'
        hint = did_you_mean(canonical(word), [*vocabulary.tools, *Operation])
        reader.refuse(ProblemCode.UNKNOWN_TOOL, message, at, suggestion=hint)


def _tool_accepts(words: Sequence[str], at: Located, reader: Reader) -> Accepts | None:
    """Globs over canonical names."""
    for word in words:
        if "[" in word or not canonical(word):
            message = f'"{excerpt(word)}" is no tool name; a tool glob is made of letters, digits, * and ?.'
            reader.refuse(ProblemCode.BAD_PATTERN, message, at, suggestion="tool_matches takes RE2")
            return None
    return any_glob([canonical(word) for word in words])


def _textual(key: Key, at: Located, reader: Reader, vocabulary: Vocabulary) -> Condition | None:
    words = reader.texts(at, key.written)
    accepts = _accepts(key, words, at, reader) if words else None
    if accepts is None:
        return None
    if key.base == "tool" and key.suffix != "matches":
        for word in words:
            _check_tool(word, at, reader, vocabulary)
    if key.base == "role" and key.suffix not in ("pattern", "matches"):
        _check_roles(words, at, reader, vocabulary)
    is_negated = key.suffix == "not_in"
    cost = SEARCHING if key.suffix == "matches" else LOOPING
    if key.base not in _SINGLE:
        test, actual, remedy = _PLURAL[key.base](accepts, is_negated=is_negated)
        return Condition(**described(key, at), test=test, actual=actual, remedy=remedy, cost=cost)
    get = _SINGLE[key.base]
    test = _single_test(get, accepts)
    is_exact = key.suffix in ("", "in") and not (key.base in _GLOBBING and any(map(is_glob, words)))
    literals = frozenset(map(canonical, words) if key.base == "tool" else words) if is_exact else None
    return Condition(
        **described(key, at),
        test=negation(test) if is_negated else test,
        actual=lambda view: shown(get(view)),
        cost=CHEAP if is_exact else cost,
        tools=literals if key.base == "tool" else None,
        attribute=key.base,
        literals=literals,
        accepts=(lambda literal: not accepts(literal)) if is_negated else accepts,
    )


def _accepts(key: Key, words: Sequence[str], at: Located, reader: Reader) -> Accepts | None:
    try:
        if key.suffix == "matches":
            return any_expression(words)
        if key.base == "tool":
            return _tool_accepts(words, at, reader)
        if key.suffix == "pattern" or key.base in _GLOBBING:
            return any_glob([word.lower() for word in words] if key.base == "domain" else words)
        if key.base == "domain":
            return any_domain(words)
    except PatternError as error:
        reader.refuse(ProblemCode.BAD_PATTERN, f"{key.written}: {error}.", at)
        return None
    return frozenset(words).__contains__


def _check_roles(words: Sequence[str], at: Located, reader: Reader, vocabulary: Vocabulary) -> None:
    for word in words if vocabulary.roles else ():
        if not any(map(any_glob([word]), vocabulary.roles)):
            message = f'No role "{excerpt(word)}" is declared.'
            hint = did_you_mean(word, vocabulary.roles)
            reader.refuse(ProblemCode.UNKNOWN_ROLE, message, at, suggestion=hint)


def _single_test(get: Callable[[View], Any], accepts: Accepts) -> Test:
    def test(view: View) -> int:
        return TRUE if accepts(get(view)) else FALSE

    return test


_Plural = tuple[Test, Callable[[View], Any], str]


def _role(accepts: Accepts, *, is_negated: bool) -> _Plural:
    """An agent is "not in" a list of roles when it has none of them."""
    held, other = (FALSE, TRUE) if is_negated else (TRUE, FALSE)

    def test(view: View) -> int:
        return held if any(accepts(role) for role in view.roles) else other

    return test, lambda view: list(view.roles), ""


def _on_behalf_of(accepts: Accepts, *, is_negated: bool) -> _Plural:
    """Whoever acts for nobody is "not in" every list."""
    held, other = (FALSE, TRUE) if is_negated else (TRUE, FALSE)

    def test(view: View) -> int:
        return held if any(accepts(name) for name in chain_names(view.request.principal)) else other

    return test, lambda view: list(chain_names(view.request.principal)), ""


def _resource_kind(accepts: Accepts, *, is_negated: bool) -> _Plural:
    def test(view: View) -> int:
        return TRUE if any(accepts(one.kind) is not is_negated for one in view.resources) else FALSE

    return test, lambda view: [one.kind for one in view.resources], ""


def _resource(accepts: Accepts, *, is_negated: bool) -> _Plural:
    """UNKNOWN where a resource cannot be read, or may be the production one of that name."""

    def truth(certain: tuple[str, ...], presumed: tuple[str, ...]) -> int:
        for form in certain:
            if accepts(form):
                return TRUE
        for form in presumed:
            if accepts(form):
                return UNKNOWN
        return FALSE

    def is_some(view: View) -> int:
        spellings = view.spellings
        known = truth(spellings.certain, spellings.presumed)
        return UNKNOWN if known == FALSE and spellings.has_unreadable else known

    def is_other(view: View) -> int:
        spellings = view.spellings
        known = max((TRUE - truth(*one) for one in spellings.of_each), default=FALSE)
        return UNKNOWN if known == FALSE and spellings.has_unreadable else known

    test = is_other if is_negated else is_some
    return test, lambda view: [one.id[:120] for one in view.resources], _ENVIRONMENT_REMEDY


def _domain(accepts: Accepts, *, is_negated: bool) -> _Plural:
    def test(view: View) -> int:
        known, may_be_others = view.destinations
        for host in known:
            if accepts(host) is not is_negated:
                return TRUE
        return UNKNOWN if may_be_others else FALSE

    return test, lambda view: sorted(view.destinations[0]), _DOMAIN_REMEDY


_PLURAL: dict[str, Callable[..., _Plural]] = {
    "role": _role,
    "on_behalf_of": _on_behalf_of,
    "resource": _resource,
    "resource_kind": _resource_kind,
    "domain": _domain,
}
