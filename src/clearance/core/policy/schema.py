"""The JSON Schema of a policy document, for editors. It describes the form; compiling checks the sense."""

from __future__ import annotations

from collections.abc import Iterable

from clearance.core.model import Environment, Family, Operation, Proof
from clearance.core.policy.parse import VERSION
from clearance.core.policy.schema_forms import (
    CONDITION,
    CONDITIONS,
    NAME,
    PATH,
    SCALAR,
    SCALARS,
    TEXT,
    TEXTS,
    Schema,
    enum_of,
    object_of,
    one_or_more,
)
from clearance.core.policy.schema_policy import policy_schema
from clearance.core.policy.view import Scope
from clearance.core.policy.vocabulary import ALIASES, ATTRIBUTES, BUILT_IN_FACTS
from clearance.core.policy.watch import MAX_COUNTED

_NUMBER: Schema = {"type": "number"}
_WHOLE: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_COUNTED}
_AMOUNT: Schema = {"type": "number", "minimum": 0}

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
            "policy": policy_schema(),
            "condition": _condition(),
            "argument": _argument(),
            "after": _past("An earlier cleared action matched.", required=()),
            "count_within": _past(
                "Matching actions, this one included, are too many.", properties=_limits(_WHOLE)
            ),
            "sum_within": _past(
                "A fact or argument, added up over matching actions, this one included, is too much.",
                properties={"fact": TEXT, "argument": PATH, **_limits(_AMOUNT)},
            ),
            "distinct_within": _past(
                "Matching actions, this one included, have too many different values.",
                properties={"value": _distinct_value(), **_limits(_WHOLE)},
                required=("value", "seconds"),
            ),
        },
    }


def _document() -> Schema:
    may = {"type": "array", "items": CONDITION, "description": "What is allowed; all else is refused."}
    roles = {**TEXTS, "description": "The agent's roles, beside those it comes with."}
    return object_of(
        "A policy document.",
        {
            "version": {"const": VERSION, "description": "Version of the language."},
            "facts": {
                "type": "array",
                "items": {"type": "string", "pattern": f"^{NAME}$"},
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
                "additionalProperties": {"anyOf": [{"type": "null"}, object_of("A role.", {"may": may})]},
            },
            "agents": {
                "type": "object",
                "description": "What agents may do, and which roles they have.",
                "additionalProperties": {
                    "anyOf": [{"type": "null"}, object_of("An agent.", {"may": may, "roles": roles})]
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
    path = {**PATH, "description": "Argument path."}
    source = {"type": "object", "properties": {"value": path, "count": path}, "additionalProperties": False}
    return {
        "anyOf": [
            {"type": "null"},
            object_of(
                "A tool, as its operator declares it.",
                {
                    "operation": enum_of(Operation, "The verb of every call."),
                    "family": enum_of(Family, "How the main argument is read."),
                    "argument": {**PATH, "description": "The argument with the SQL, command, URL or path."},
                    "resource": {**TEXT, "description": "Template over arguments: account:{recipient}."},
                    "environment": enum_of(Environment, "Where the tool works."),
                    "facts": {
                        "type": "object",
                        "description": "A constant, an argument's value, or an argument's length.",
                        "propertyNames": {"pattern": f"^{NAME}$"},
                        "additionalProperties": {"anyOf": [SCALAR, {**source, "minProperties": 1}]},
                    },
                },
            ),
        ]
    }


def _condition() -> Schema:
    properties: Schema = {
        "any": {**CONDITIONS, "description": "At least one of these holds."},
        "all": {**CONDITIONS, "description": "All of these hold."},
        "none": {**CONDITIONS, "description": "None of these holds."},
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
        f"^{NAME}_(exceeds|at_least)$": _NUMBER,
        f"^{NAME}_(pattern|matches)$": TEXTS,
    }
    described = "All of its keys must hold. Other names are facts of your own."
    return {
        "type": "object",
        "description": described,
        "properties": properties,
        "patternProperties": own,
        "propertyNames": {"pattern": f"^{NAME}$"},
        "additionalProperties": SCALARS,
    }


def _attribute(name: str, about: str) -> Schema:
    match name:
        case "operation":
            return one_or_more([member.value for member in Operation], about)
        case "environment":
            return one_or_more([member.value for member in Environment], about)
        case "proof":
            return one_or_more([member.value for member in Proof], about)
        case "action":
            examples = [*(member.value for member in Operation), *ALIASES]
            return {**TEXTS, "description": about, "examples": examples}
        case _:
            return {**TEXTS, "description": about}


def _fact(suffix: str, about: str) -> Schema:
    match suffix:
        case "exceeds" | "at_least":
            return {**_NUMBER, "description": about}
        case "pattern" | "matches":
            return {**TEXTS, "description": about}
        case _:
            return {**SCALARS, "description": about}


def _argument() -> Schema:
    operators = {suffix: _fact(suffix, about) for suffix, about in _ABOUT_SUFFIXES.items() if suffix}
    operators["equals"] = _fact("", _ABOUT_SUFFIXES[""])
    operators["exists"] = {"type": "boolean", "description": "Is there at all, or is not."}
    compared = object_of("What must hold of the value.", operators, minProperties=1)
    return {
        "type": "object",
        "description": "Argument path (customer.email, items.*.note) to a value, or to what must hold of it.",
        "propertyNames": PATH,
        "minProperties": 1,
        "additionalProperties": {"anyOf": [compared, SCALARS]},
    }


def _limits(bounds: Schema) -> Schema:
    return {
        "exceeds": {**bounds, "description": "Holds when it is more than this."},
        "at_least": {**bounds, "description": "Holds when it is this or more."},
    }


def _past(about: str, *, properties: Schema | None = None, required: Iterable[str] = ("seconds",)) -> Schema:
    return object_of(
        about,
        {
            "match": {**CONDITION, "description": "Which actions. Left out: every action."},
            "of": enum_of(Scope, "Whose past: this run's (default) or this agent's."),
            "seconds": {"type": "number", "exclusiveMinimum": 0, "description": "How far back, seconds."},
            **(properties or {}),
        },
        required=list(required),
    )


def _distinct_value() -> Schema:
    named = {"argument": PATH, "fact": TEXT}
    chosen = {"type": "object", "properties": named, "additionalProperties": False, "minProperties": 1}
    return {
        "anyOf": [{"enum": ["resource", "tool", "domain"]}, {**chosen, "maxProperties": 1}],
        "description": "What is told apart.",
    }
