"""Declarations to a PolicySet: conditions compiled, scopes gathered; everything wrong reported together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from typing import Any

from clearance.core.model import Point, ReasonCode, Rule, Verdict
from clearance.core.model.names import canonical
from clearance.core.model.point import AFTER, BEFORE
from clearance.core.policy.breaker import Breaker
from clearance.core.policy.breaking import Breaking
from clearance.core.policy.cel import when
from clearance.core.policy.condition import Condition, all_of
from clearance.core.policy.conditions import ConditionCompiler
from clearance.core.policy.evaluate import Policy, PolicySet, ResultPolicy
from clearance.core.policy.located import Located, plain
from clearance.core.policy.obligations import obligation
from clearance.core.policy.parse import Declarations, Document, Holder, Origin, PolicyEntry, declare
from clearance.core.policy.points import MIXED, narrowed, without_result
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader, did_you_mean, excerpt, in_order
from clearance.core.policy.scopes import SUBJECT_ATTRIBUTES, AllowList
from clearance.core.policy.vocabulary import BUILT_IN_FACTS, Vocabulary
from clearance.errors import PolicyError

_CODES: dict[Rule, ReasonCode] = {
    Rule.ALLOW: ReasonCode.IN_SCOPE,
    Rule.BLOCK: ReasonCode.POLICY_BLOCK,
    Rule.ALERT: ReasonCode.POLICY_ALERT,
    Rule.REQUIRE_APPROVAL: ReasonCode.APPROVAL_REQUIRED,
    Rule.REDACT: ReasonCode.POLICY_REDACT,
    Rule.SNAPSHOT: ReasonCode.POLICY_SNAPSHOT,
    Rule.LIMIT: ReasonCode.POLICY_LIMIT,
}
_DOES: dict[Rule, str] = {
    Rule.ALLOW: "allows",
    Rule.BLOCK: "blocks",
    Rule.ALERT: "alerts on",
    Rule.REQUIRE_APPROVAL: "requires approval of",
    Rule.REDACT: "redacts",
    Rule.SNAPSHOT: "requires a snapshot before",
    Rule.LIMIT: "limits",
}


_DOES_AFTER: dict[Rule, str] = {
    Rule.BLOCK: "withholds the result of",
    Rule.ALERT: "alerts on the result of",
    Rule.REDACT: "redacts the result of",
}


def compile_policies(documents: Sequence[Document], *, vocabulary: Collection[str] = ()) -> PolicySet:
    """Compile documents into one set. `vocabulary` lists the tools that exist, if that is known.

    Raises PolicyError with every problem of every document.
    """
    reader, declarations = Reader(), Declarations()
    for document in documents:
        declare(document, declarations, reader)
    _check_roles(declarations, reader)
    known = _vocabulary(declarations, vocabulary)
    compiler = ConditionCompiler(reader, known)
    after = ConditionCompiler(reader, known, of_results=True)
    policies, results, scopes, breakers = [], [], [], []
    for entry in declarations.policies:
        if entry.points & AFTER and entry.rule in _DOES_AFTER:
            results.append(_result_policy(entry, after, reader))
        if entry.points and not entry.points & BEFORE:
            continue
        if entry.breaking is not None:
            breakers.append(_breaker(entry, entry.breaking, compiler, reader))
            continue
        policies.append(_policy(entry, compiler, reader))
        if entry.rule is Rule.ALLOW:
            scopes.append(_allow_policy(entry, compiler, reader))
    for kind, holders in (("role", declarations.roles), ("agent", declarations.agents)):
        for holder in holders:
            if holder.may is not None:
                scopes.append(_allow_list(kind, holder, holder.may, compiler))
    if reader.problems:
        raise PolicyError(in_order(reader.problems))
    return PolicySet(
        version=_version(declarations),
        policies=tuple(policies),
        results=tuple(results),
        scopes=tuple(scopes),
        tools=declarations.tools,
        agent_roles={agent.name: agent.roles for agent in declarations.agents if agent.roles},
        breakers=tuple(breakers),
        watches=tuple(compiler.watches[watch_id] for watch_id in sorted(compiler.watches)),
    )


def _vocabulary(declarations: Declarations, tools: Collection[str]) -> Vocabulary:
    given = {role for agent in declarations.agents for role in agent.roles}
    return Vocabulary(
        facts=BUILT_IN_FACTS | declarations.facts,
        tools=frozenset(declarations.tools) | {canonical(tool) for tool in tools},
        roles=frozenset(given | {role.name for role in declarations.roles}),
    )


def _check_roles(declarations: Declarations, reader: Reader) -> None:
    declared = {role.name for role in declarations.roles}
    for agent in declarations.agents if declared else ():
        for role in agent.roles:
            if role not in declared and agent.roles_at is not None:
                message = f'No role "{excerpt(role)}" is declared.'
                hint = did_you_mean(role, declared)
                reader.refuse(ProblemCode.UNKNOWN_ROLE, message, agent.roles_at, suggestion=hint)


def _policy(entry: PolicyEntry, compiler: ConditionCompiler, reader: Reader) -> Policy:
    condition = _asked(entry, compiler, reader, points=entry.points & BEFORE)
    return _said(entry, condition, code=_CODES[entry.rule], does=_DOES[entry.rule])


def _result_policy(entry: PolicyEntry, compiler: ConditionCompiler, reader: Reader) -> ResultPolicy:
    points = entry.points & AFTER
    condition = _asked(entry, compiler, reader, points=points)
    if condition.reads_arguments and entry.points & BEFORE:
        reader.refuse(ProblemCode.MISPLACED_KEY, MIXED, entry.at)
    code = ReasonCode.RESULT_WITHHELD if entry.rule is Rule.BLOCK else _CODES[entry.rule]
    policy = _said(entry, condition, code=code, does=_DOES_AFTER[entry.rule])
    return ResultPolicy(policy=policy, points=points, may_hold=without_result(condition))


def _said(entry: PolicyEntry, condition: Condition, *, code: ReasonCode, does: str) -> Policy:
    said = entry.message or f'Policy "{entry.name}" {does} this action: {condition.phrase}.'
    return Policy(
        name=entry.name,
        rule=entry.rule,
        mode=entry.mode,
        description=entry.description,
        source=plain(entry.at) if isinstance(entry.at.value, dict) else {},
        file=entry.at.file,
        line=entry.at.line,
        condition=condition,
        verdict=Verdict(
            policy=entry.name,
            rule=entry.rule,
            mode=entry.mode,
            code=code,
            message=said,
            obligation=obligation(entry.rule, entry.owed, policy=entry.name, message=said),
        ),
        owed=entry.owed,
        skips_unknown=entry.skips_unknown or entry.rule is Rule.ALLOW,
    )


def _breaker(entry: PolicyEntry, breaking: Breaking, compiler: ConditionCompiler, reader: Reader) -> Breaker:
    condition = _asked(entry, compiler, reader, points=entry.points)
    if condition.is_stateful:
        message = (
            "A circuit breaker remembers by itself: its condition is about one action, not about the past."
        )
        reader.refuse(ProblemCode.NESTED_HISTORY, message, entry.condition or entry.at)
    return Breaker(
        name=entry.name,
        mode=entry.mode,
        message=entry.message,
        condition=condition,
        skips_unknown=entry.skips_unknown,
        measure=breaking.measure,
        limit=breaking.limit,
        within_seconds=breaking.within_seconds,
        at_least=breaking.at_least,
        amount=breaking.amount,
        then=breaking.then,
        for_seconds=breaking.for_seconds,
        per=breaking.per,
    )


def _asked(
    entry: PolicyEntry, compiler: ConditionCompiler, reader: Reader, *, points: Collection[Point]
) -> Condition:
    """The whole condition: what is written, and the calls that `at` means."""
    noted = len(reader.problems)
    written = _with_when(_condition(entry, compiler), entry, reader)
    condition = narrowed(written, points, line=entry.at.line)
    if condition is not written and len(reader.problems) == noted:
        compiler.refuse_contradiction(condition, entry.at)
    return condition


def _condition(entry: PolicyEntry, compiler: ConditionCompiler) -> Condition:
    if entry.condition is None or entry.condition.value is None:
        return all_of([], line=entry.at.line)
    return compiler.compile(entry.condition, "condition")


def _with_when(condition: Condition, entry: PolicyEntry, reader: Reader) -> Condition:
    """The condition and the CEL expression, which is evaluated last."""
    expression = when(entry.when, reader=reader) if entry.when is not None else None
    if expression is None:
        return condition
    return all_of([*condition.children, expression], line=condition.line)


def _allow_policy(entry: PolicyEntry, compiler: ConditionCompiler, reader: Reader) -> AllowList:
    """An allow policy as a scope: its keys about agent, role and team say for whom, the rest what."""
    at = entry.condition
    fields = at.value if at is not None and isinstance(at.value, dict) else {}
    about_subject = {key for key in fields if compiler.attribute_of(key) in SUBJECT_ATTRIBUTES}
    where = at or entry.at
    subject = _picked(where, {key: child for key, child in fields.items() if key in about_subject})
    rest = _picked(where, {key: child for key, child in fields.items() if key not in about_subject})
    what = _with_when(compiler.compile(rest, "condition"), entry, reader)
    condition = narrowed(compiler.compile(subject, "condition"), entry.points, line=entry.at.line)
    return AllowList(
        name=entry.name,
        subject=condition,
        entries=(what,),
        mode=entry.mode,
        narrows=entry.origin is not Origin.WRITTEN,
        agents=_exact(condition, "agent"),
    )


def _picked(at: Located, fields: dict[str, Located]) -> Located:
    return Located(fields, at.file, at.line, at.key_line)


def _exact(subject: Condition, attribute: str) -> frozenset[str]:
    """The names to which a subject is limited; empty when it is not limited to names."""
    limits = [leaf.literals for leaf in subject.children if leaf.attribute == attribute]
    return next((frozenset(literals) for literals in limits if literals is not None), frozenset())


def _allow_list(kind: str, holder: Holder, may: Sequence[Located], compiler: ConditionCompiler) -> AllowList:
    subject = compiler.compile(
        Located(
            {f"{kind}_in": Located((Located(holder.name, holder.at.file),), holder.at.file)}, holder.at.file
        ),
        "may",
    )
    return AllowList(
        name=f"{kind}:{holder.name}",
        subject=subject,
        entries=tuple(compiler.compile(child, f"{kind} {excerpt(holder.name)} may") for child in may),
        agents=frozenset((holder.name,)) if kind == "agent" else frozenset(),
        roles=frozenset((holder.name,)) if kind == "role" else frozenset(),
    )


def _version(declarations: Declarations) -> str:
    """A short SHA-256 of everything that was declared, whatever the order."""
    content: dict[str, Any] = {
        **declarations.sources,
        "facts": sorted(declarations.facts),
        "policies": [plain(entry.at) for entry in declarations.policies],
    }
    text = json.dumps(_unordered(content), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _unordered(value: Any) -> Any:
    """Every list sorted: in this language no list has an order."""
    if isinstance(value, dict):
        return {key: _unordered(child) for key, child in value.items()}
    if isinstance(value, list):
        return sorted(
            (_unordered(child) for child in value), key=lambda child: json.dumps(child, sort_keys=True)
        )
    return value
