"""The JSON Schema of a policy document, for editors. It describes the form; compiling checks the sense."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from clearance.core.model import Environment, Family, Mode, Operation, Proof, Rule
from clearance.core.model.patterns import NAMED
from clearance.core.policy.approvers import APPROVING, MOST_APPROVERS, MOST_SECONDS
from clearance.core.policy.breaker import Per
from clearance.core.policy.breaking import KEYS as BREAKER_KEYS
from clearance.core.policy.breaking import Then
from clearance.core.policy.parse import VERSION, Origin
from clearance.core.policy.view import Scope
from clearance.core.policy.vocabulary import ALIASES, ATTRIBUTES, BUILT_IN_FACTS
from clearance.core.policy.watch import MAX_COUNTED

Schema = dict[str, Any]

_NAME = "[a-z][a-z0-9_]*"
_TEXT: Schema = {"type": "string", "minLength": 1}
_TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_SCALARS: Schema = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR, "minItems": 1}]}
_PATH: Schema = {"type": "string", "pattern": r"^[^.]+(\.[^.]+)*$"}
_NUMBER: Schema = {"type": "number"}
_WHOLE: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_COUNTED}
_AMOUNT: Schema = {"type": "number", "minimum": 0}
_CONDITION: Schema = {"$ref": "#/$defs/condition"}
_CONDITIONS: Schema = {"type": "array", "items": _CONDITION, "minItems": 1}

_ABOUT_ATTRIBUTES = {
    "agent": "Name of the acting agent; globs allowed.",
    "role": "One of the agent's roles; globs allowed. _not_in: the agent has none of these.",
    "tool": "Tool as called, in any spelling (sendEmail is send_email); globs with * and ? allowed.",
    "resource": "A resource as name, kind:name or environment.name; globs allowed.",
    "resource_kind": "Kind of a resource: postgres, file, url, email …",
    "domain": "Host that the action reaches; *.example.org means every host below it.",
    "goal": "Goal of the run, as its program stated it.",
    "door": "The door through which the action came: sdk, http …",
    "team": "The agent's team, as registered; globs allowed.",
    "on_behalf_of": "Anybody for whom the agent acts: agent, person:NAME or service:NAME; globs allowed.",
    "proof": "How the agent's name was proven.",
    "operation": "The verb of the action.",
    "action": "A verb, an everyday word (send_email), or a tool; globs allowed.",
    "environment": "Where a resource lives. Unknown counts as production, uncertainly.",
}
_ABOUT_SUFFIXES = {
    "": "Equals this, or one of these.",
    "in": "Is one of these.",
    "not_in": "Is none of these.",
    "pattern": "Matches this glob; * crosses dots and slashes.",
    "matches": "Contains a match of this RE2 expression.",
    "exceeds": "Is more than this. Unknown counts as more.",
    "at_least": "Is this or more. Unknown counts as more.",
}


def json_schema() -> Schema:
    """JSON Schema, draft 2020-12, of one policy document in any of its three forms."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Clearance policy document",
        "description": "A mapping, a bare list of policies, or one bare policy. See docs/policy-language.md.",
        "anyOf": [
            {"$ref": "#/$defs/document"},
            {"type": "array", "items": {"$ref": "#/$defs/policy"}},
            {"$ref": "#/$defs/policy"},
        ],
        "$defs": {
            "document": _document(),
            "tool": _tool(),
            "policy": _policy(),
            "condition": _condition(),
            "argument": _argument(),
            "after": _past("An earlier cleared action matched.", required=()),
            "count_within": _past(
                "Matching actions, this one included, are too many.", properties=_limits(_WHOLE)
            ),
            "sum_within": _past(
                "A fact or argument, added up over matching actions, this one included, is too much.",
                properties={"fact": _TEXT, "argument": _PATH, **_limits(_AMOUNT)},
            ),
            "distinct_within": _past(
                "Matching actions, this one included, have too many different values.",
                properties={"value": _distinct_value(), **_limits(_WHOLE)},
                required=("value", "seconds"),
            ),
        },
    }


def _object(about: str, properties: Schema, **more: Any) -> Schema:
    return {
        "type": "object",
        "description": about,
        "properties": properties,
        "additionalProperties": False,
        **more,
    }


def _enum(kind: type[StrEnum], about: str) -> Schema:
    return {"enum": [member.value for member in kind], "description": about}


def _one_or_more(values: Iterable[str], about: str) -> Schema:
    one = {"enum": list(values)}
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}], "description": about}


def _document() -> Schema:
    may = {"type": "array", "items": _CONDITION, "description": "What is allowed; all else is refused."}
    roles = {**_TEXTS, "description": "The agent's roles, beside those it comes with."}
    return _object(
        "A policy document.",
        {
            "version": {"const": VERSION, "description": "Version of the language."},
            "facts": {
                "type": "array",
                "items": {"type": "string", "pattern": f"^{_NAME}$"},
                "description": "Names of facts of your own, so that typos are caught.",
            },
            "tools": {
                "type": "object",
                "description": "What tools do; by name, in any spelling.",
                "additionalProperties": {"$ref": "#/$defs/tool"},
            },
            "roles": {
                "type": "object",
                "description": "What roles may do.",
                "additionalProperties": {"anyOf": [{"type": "null"}, _object("A role.", {"may": may})]},
            },
            "agents": {
                "type": "object",
                "description": "What agents may do, and which roles they have.",
                "additionalProperties": {
                    "anyOf": [{"type": "null"}, _object("An agent.", {"may": may, "roles": roles})]
                },
            },
            "policies": {
                "type": ["array", "null"],
                "items": {"$ref": "#/$defs/policy"},
                "description": "The policies; their order means nothing.",
            },
        },
    )


def _tool() -> Schema:
    path = {**_PATH, "description": "Argument path."}
    source = {"type": "object", "properties": {"value": path, "count": path}, "additionalProperties": False}
    return {
        "anyOf": [
            {"type": "null"},
            _object(
                "A tool, as its operator declares it.",
                {
                    "operation": _enum(Operation, "The verb of every call."),
                    "family": _enum(Family, "How the main argument is read."),
                    "argument": {**_PATH, "description": "The argument with the SQL, command, URL or path."},
                    "resource": {**_TEXT, "description": "Template over arguments: account:{recipient}."},
                    "environment": _enum(Environment, "Where the tool works."),
                    "facts": {
                        "type": "object",
                        "description": "A constant, an argument's value, or an argument's length.",
                        "propertyNames": {"pattern": f"^{_NAME}$"},
                        "additionalProperties": {"anyOf": [_SCALAR, {**source, "minProperties": 1}]},
                    },
                },
            ),
        ]
    }


def _redact() -> Schema:
    return _object(
        "For rule redact: what is taken out.",
        {
            "arguments": {**_TEXTS, "description": "Argument paths, replaced whole."},
            "patterns": _one_or_more(sorted(NAMED), "Named patterns, replaced wherever they stand."),
        },
        minProperties=1,
    )


def _limit() -> Schema:
    whole = {"type": "integer", "minimum": 0}
    return _object(
        "For rule limit: the bounds within which the action runs.",
        {
            "timeout_seconds": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds."},
            "result_items": {**whole, "description": "Items of a list."},
            "result_bytes": {**whole, "description": "Bytes."},
        },
        minProperties=1,
    )


def _policy() -> Schema:
    return _object(
        "One policy.",
        {
            "name": {"type": "string", "minLength": 1, "maxLength": 200, "description": "Unique name."},
            "rule": _enum(Rule, "What the policy asks for when its condition holds."),
            "condition": {**_CONDITION, "description": "When it holds. Left out: for every action."},
            "when": {**_TEXT, "description": "A CEL expression that must hold as well; evaluated last."},
            "mode": _enum(Mode, "shadow only says what the policy would have done."),
            "message": {**_TEXT, "description": "A sentence for the agent."},
            "description": {**_TEXT, "description": "A note for people."},
            "on_unknown": {
                "enum": ["match", "skip"],
                "description": "What to do when the condition cannot be known. Default: match.",
            },
            "redact": _redact(),
            "limit": _limit(),
            "approval": _approval(),
            "origin": _enum(Origin, "Who it is from. One that nobody wrote only narrows."),
            "trips": _trips(),
            "then": _enum(Then, "For rule circuit_breaker: what is set."),
            "for_seconds": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "For rule circuit_breaker: how long it stays set. Left out: until lifted.",
            },
            "per": _enum(Per, "For rule circuit_breaker: who is counted and stopped. Default: agent."),
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
    return _object(
        "For rule circuit_breaker: what trips it.",
        {
            **measures,
            "within_seconds": {"type": "number", "exclusiveMinimum": 0, "description": "The window."},
            "at_least": {**many, "description": "For rates: so many actions at least. Default: 10."},
            "fact": {**_TEXT, "description": "For spend: what is added up."},
            "argument": {**_PATH, "description": "For spend: what is added up."},
        },
        required=["within_seconds"],
        oneOf=[{"required": [measure]} for measure in measures],
    )


def _approval() -> Schema:
    return _object(
        "For rule require_approval: whose yes, how many, and until when.",
        {
            "role": {"enum": list(APPROVING), "description": "Role that an approver has."},
            "team": {**_TEXT, "maxLength": 200, "description": "Team that an approver is of."},
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


def _condition() -> Schema:
    properties: Schema = {
        "any": {**_CONDITIONS, "description": "At least one of these holds."},
        "all": {**_CONDITIONS, "description": "All of these hold."},
        "none": {**_CONDITIONS, "description": "None of these holds."},
        "argument": {"$ref": "#/$defs/argument"},
    }
    for kind in ("after", "count_within", "sum_within", "distinct_within"):
        properties[kind] = {"$ref": f"#/$defs/{kind}"}
    for name, suffixes in ATTRIBUTES.items():
        for suffix in suffixes:
            about = f"{_ABOUT_ATTRIBUTES[name]} {_ABOUT_SUFFIXES[suffix]}"
            properties[f"{name}_{suffix}" if suffix else name] = _attribute(name, about)
    for name in sorted(BUILT_IN_FACTS):
        for suffix, about in _ABOUT_SUFFIXES.items():
            properties[f"{name}_{suffix}" if suffix else name] = _fact(suffix, f"{name}: {about}")
    own = {
        f"^{_NAME}_(exceeds|at_least)$": _NUMBER,
        f"^{_NAME}_(pattern|matches)$": _TEXTS,
    }
    described = "All of its keys must hold. Other names are facts of your own."
    return {
        "type": "object",
        "description": described,
        "properties": properties,
        "patternProperties": own,
        "propertyNames": {"pattern": f"^{_NAME}$"},
        "additionalProperties": _SCALARS,
    }


def _attribute(name: str, about: str) -> Schema:
    match name:
        case "operation":
            return _one_or_more([member.value for member in Operation], about)
        case "environment":
            return _one_or_more([member.value for member in Environment], about)
        case "proof":
            return _one_or_more([member.value for member in Proof], about)
        case "action":
            examples = [*(member.value for member in Operation), *ALIASES]
            return {**_TEXTS, "description": about, "examples": examples}
        case _:
            return {**_TEXTS, "description": about}


def _fact(suffix: str, about: str) -> Schema:
    match suffix:
        case "exceeds" | "at_least":
            return {**_NUMBER, "description": about}
        case "pattern" | "matches":
            return {**_TEXTS, "description": about}
        case _:
            return {**_SCALARS, "description": about}


def _argument() -> Schema:
    operators = {suffix: _fact(suffix, about) for suffix, about in _ABOUT_SUFFIXES.items() if suffix}
    operators["equals"] = _fact("", _ABOUT_SUFFIXES[""])
    operators["exists"] = {"type": "boolean", "description": "Is there at all, or is not."}
    compared = _object("What must hold of the value.", operators, minProperties=1)
    return {
        "type": "object",
        "description": "Argument path (customer.email, items.*.note) to a value, or to what must hold of it.",
        "propertyNames": _PATH,
        "minProperties": 1,
        "additionalProperties": {"anyOf": [compared, _SCALARS]},
    }


def _limits(bounds: Schema) -> Schema:
    return {
        "exceeds": {**bounds, "description": "Holds when it is more than this."},
        "at_least": {**bounds, "description": "Holds when it is this or more."},
    }


def _past(about: str, *, properties: Schema | None = None, required: Iterable[str] = ("seconds",)) -> Schema:
    return _object(
        about,
        {
            "match": {**_CONDITION, "description": "Which actions. Left out: every action."},
            "of": _enum(Scope, "Whose past: this run's (default) or this agent's."),
            "seconds": {"type": "number", "exclusiveMinimum": 0, "description": "How far back, seconds."},
            **(properties or {}),
        },
        required=list(required),
    )


def _distinct_value() -> Schema:
    named = {"argument": _PATH, "fact": _TEXT}
    chosen = {"type": "object", "properties": named, "additionalProperties": False, "minProperties": 1}
    return {
        "anyOf": [{"enum": ["resource", "tool", "domain"]}, {**chosen, "maxProperties": 1}],
        "description": "What is told apart.",
    }
