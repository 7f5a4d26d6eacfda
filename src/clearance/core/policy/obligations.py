"""Reads what a policy owes when it fires: `redact`, `limit`, `approval`, and the obligation of each rule."""

from __future__ import annotations

from msgspec import Struct

from clearance.core.model import Approval, Limit, Notify, Obligation, Rule, Snapshot, Transform
from clearance.core.model.patterns import NAMED
from clearance.core.policy.approvers import Asked, read_asked
from clearance.core.policy.located import Located
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader, did_you_mean, excerpt
from clearance.core.policy.values import is_path

_PARTS = {"redact": Rule.REDACT, "limit": Rule.LIMIT, "approval": Rule.REQUIRE_APPROVAL}
_NEEDED = frozenset({"redact", "limit"})
_LIMITS = ("timeout_seconds", "result_items", "result_bytes")


class Owed(Struct, frozen=True, kw_only=True):
    """The parts of a Transform, a Limit or an Approval as written."""

    paths: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    restores: bool = False
    timeout_seconds: float | None = None
    result_items: int | None = None
    result_bytes: int | None = None
    asked: Asked = Asked()


def obligation(rule: Rule, owed: Owed, *, policy: str, message: str) -> Obligation | None:
    """What a policy of this rule owes when it fires."""
    match rule:
        case Rule.ALERT:
            return Notify(policy=policy, message=message)
        case Rule.REQUIRE_APPROVAL:
            return Approval(
                policy=policy,
                message=message,
                role=owed.asked.role,
                team=owed.asked.team,
                count=owed.asked.count,
                four_eyes=owed.asked.four_eyes,
                expires_seconds=owed.asked.expires_seconds,
            )
        case Rule.SNAPSHOT:
            return Snapshot(policy=policy)
        case Rule.REDACT:
            return Transform(policy=policy, paths=owed.paths, patterns=owed.patterns, restore=owed.restores)
        case Rule.LIMIT:
            return Limit(
                policy=policy,
                timeout_seconds=owed.timeout_seconds,
                result_items=owed.result_items,
                result_bytes=owed.result_bytes,
            )
        case Rule.ALLOW | Rule.BLOCK | Rule.CIRCUIT_BREAKER:
            return None


def read_owed(rule: Rule | None, at: Located, fields: dict[str, Located], reader: Reader) -> Owed:
    """`redact`, `limit` and `approval` each stand in a policy of their rule and nowhere else."""
    for key, owner in _PARTS.items():
        if key in fields and rule not in (owner, None):
            message = f"{key} has its place in a policy with rule: {owner.value} only."
            reader.refuse(ProblemCode.MISPLACED_KEY, message, fields[key])
        if key in _NEEDED and key not in fields and rule is owner:
            message = f"A policy with rule: {owner.value} needs {key}: what to {owner.value}."
            reader.refuse(ProblemCode.MISSING_KEY, message, at)
    if rule is Rule.REDACT and "redact" in fields:
        return _redact(fields["redact"], reader)
    if rule is Rule.LIMIT and "limit" in fields:
        return _limit(fields["limit"], reader)
    if rule is Rule.REQUIRE_APPROVAL and "approval" in fields:
        return Owed(asked=read_asked(fields["approval"], reader))
    return Owed()


def _redact(at: Located, reader: Reader) -> Owed:
    fields = reader.fields(at, "redact", ("arguments", "patterns", "restore"))
    if not fields.keys() - {"restore"} and isinstance(at.value, dict):
        message = "redact names nothing: give arguments, patterns or both."
        reader.refuse(ProblemCode.MISSING_KEY, message, at)
    paths = reader.texts(fields["arguments"], "redact arguments") if "arguments" in fields else ()
    for path in paths:
        if not is_path(path):
            message = f'"{excerpt(path)}" is no argument path; write names and * with dots between.'
            reader.refuse(ProblemCode.BAD_VALUE, message, fields["arguments"])
    patterns = reader.texts(fields["patterns"], "redact patterns") if "patterns" in fields else ()
    for pattern in patterns:
        if pattern not in NAMED:
            message = f'There is no pattern named "{excerpt(pattern)}".'
            hint = did_you_mean(pattern, NAMED)
            reader.refuse(ProblemCode.UNKNOWN_PATTERN_NAME, message, fields["patterns"], suggestion=hint)
    return Owed(
        paths=tuple(sorted(set(paths))),
        patterns=tuple(sorted(set(patterns))),
        restores=_restores(fields, patterns, reader),
    )


def _restores(fields: dict[str, Located], patterns: tuple[str, ...], reader: Reader) -> bool:
    if "restore" not in fields:
        return False
    at = fields["restore"]
    if not isinstance(at.value, bool):
        reader.refuse(ProblemCode.BAD_TYPE, "redact restore must be true or false.", at)
        return False
    if at.value and not patterns:
        message = "restore puts back what patterns found; what stands at a path is gone."
        reader.refuse(ProblemCode.MISPLACED_KEY, message, at)
    return at.value


def _limit(at: Located, reader: Reader) -> Owed:
    fields = reader.fields(at, "limit", _LIMITS)
    if not fields and isinstance(at.value, dict):
        reader.refuse(ProblemCode.MISSING_KEY, f"limit sets none of {', '.join(_LIMITS)}.", at)
    timeout: float | None = None
    if "timeout_seconds" in fields:
        timeout = reader.number(fields["timeout_seconds"], "limit timeout_seconds", least=0)
        if timeout == 0:
            message = "limit timeout_seconds must be more than 0; to refuse the action use rule: block."
            reader.refuse(ProblemCode.BAD_VALUE, message, fields["timeout_seconds"])
    return Owed(
        timeout_seconds=timeout,
        result_items=_whole("result_items", fields, reader),
        result_bytes=_whole("result_bytes", fields, reader),
    )


def _whole(key: str, fields: dict[str, Located], reader: Reader) -> int | None:
    return reader.whole(fields[key], f"limit {key}", least=0) if key in fields else None
