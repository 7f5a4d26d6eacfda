"""The JSON Schema of one policy, but for its condition."""

from __future__ import annotations

from clearance.core.model import Mode, Point, Rule
from clearance.core.model.patterns import NAMED
from clearance.core.policy.approvers import APPROVING, MOST_APPROVERS, MOST_SECONDS
from clearance.core.policy.breaker import Per
from clearance.core.policy.breaking import KEYS as BREAKER_KEYS
from clearance.core.policy.breaking import Then
from clearance.core.policy.parse import Origin
from clearance.core.policy.schema_forms import (
    CONDITION,
    PATH,
    TEXT,
    TEXTS,
    Schema,
    enum_of,
    object_of,
    one_or_more,
)
from clearance.core.policy.watch import MAX_COUNTED


def _redact() -> Schema:
    return object_of(
        "For rule redact: what is taken out.",
        {
            "arguments": {**TEXTS, "description": "Argument paths, replaced whole."},
            "patterns": one_or_more(sorted(NAMED), "Named patterns, replaced wherever they stand."),
            "restore": {"type": "boolean", "description": "Put back into the answer what patterns found."},
        },
        anyOf=[{"required": ["arguments"]}, {"required": ["patterns"]}],
    )


def _points() -> Schema:
    about = "Where it is asked. Left out: before every call. post_… looks at what came back."
    return one_or_more([point.value for point in Point], about)


def _limit() -> Schema:
    whole = {"type": "integer", "minimum": 0}
    return object_of(
        "For rule limit: the bounds within which the action runs.",
        {
            "timeout_seconds": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds."},
            "result_items": {**whole, "description": "Items of a list."},
            "result_bytes": {**whole, "description": "Bytes."},
        },
        minProperties=1,
    )


def policy_schema() -> Schema:
    return object_of(
        "One policy.",
        {
            "name": {"type": "string", "minLength": 1, "maxLength": 200, "description": "Unique name."},
            "rule": enum_of(Rule, "What the policy asks for when its condition holds."),
            "condition": {**CONDITION, "description": "When it holds. Left out: for every action."},
            "when": {**TEXT, "description": "A CEL expression that must hold as well; evaluated last."},
            "at": _points(),
            "mode": enum_of(Mode, "shadow only says what the policy would have done."),
            "message": {**TEXT, "description": "A sentence for the agent."},
            "description": {**TEXT, "description": "A note for people."},
            "on_unknown": {
                "enum": ["match", "skip"],
                "description": "What to do when the condition cannot be known. Default: match.",
            },
            "redact": _redact(),
            "limit": _limit(),
            "approval": _approval(),
            "origin": enum_of(Origin, "Who it is from. One that nobody wrote only narrows."),
            "trips": _trips(),
            "then": enum_of(Then, "For rule circuit_breaker: what is set."),
            "for_seconds": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "For rule circuit_breaker: how long it stays set. Left out: until lifted.",
            },
            "per": enum_of(Per, "For rule circuit_breaker: who is counted and stopped. Default: agent."),
        },
        required=["name", "rule"],
        allOf=[
            _needs("redact"),
            _needs("limit"),
            _only_with("approval", "require_approval"),
            _breaker_keys(),
        ],
    )


def _breaker_keys() -> Schema:
    is_rule = {"properties": {"rule": {"const": Rule.CIRCUIT_BREAKER.value}}}
    elsewhere = {"anyOf": [{"required": [key]} for key in BREAKER_KEYS]}
    return {"if": is_rule, "then": {"required": ["trips", "then"]}, "else": {"not": elsewhere}}


def _trips() -> Schema:
    many = {"type": "integer", "minimum": 1, "maximum": MAX_COUNTED}
    share = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
    measures: Schema = {
        "violations": {**many, "description": "So many refusals by policies, scopes, bounds or people."},
        "errors": {**many, "description": "So many failed actions."},
        "denial_rate": {**share, "description": "Such a share of actions refused."},
        "error_rate": {**share, "description": "Such a share of actions failed."},
        "spend": {"type": "number", "exclusiveMinimum": 0, "description": "So much of a fact or argument."},
    }
    return object_of(
        "For rule circuit_breaker: what trips it.",
        {
            **measures,
            "within_seconds": {"type": "number", "exclusiveMinimum": 0, "description": "The window."},
            "at_least": {**many, "description": "For rates: so many actions at least. Default: 10."},
            "fact": {**TEXT, "description": "For spend: what is added up."},
            "argument": {**PATH, "description": "For spend: what is added up."},
        },
        required=["within_seconds"],
        oneOf=[{"required": [measure]} for measure in measures],
    )


def _approval() -> Schema:
    return object_of(
        "For rule require_approval: whose yes, how many, and until when.",
        {
            "role": {"enum": list(APPROVING), "description": "Role that an approver has."},
            "team": {**TEXT, "maxLength": 200, "description": "Team that an approver is of."},
            "count": {"type": "integer", "minimum": 1, "maximum": MOST_APPROVERS, "description": "People."},
            "four_eyes": {"type": "boolean", "description": "Not whoever asked, and not the agent's owner."},
            "expires_seconds": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": MOST_SECONDS,
                "description": "Not answered by then is a no.",
            },
        },
        minProperties=1,
    )


def _only_with(key: str, rule: str) -> Schema:
    is_rule = {"properties": {"rule": {"const": rule}}}
    return {"if": is_rule, "else": {"not": {"required": [key]}}}


def _needs(rule: str) -> Schema:
    is_rule = {"properties": {"rule": {"const": rule}}}
    return {"if": is_rule, "then": {"required": [rule]}, "else": {"not": {"required": [rule]}}}
