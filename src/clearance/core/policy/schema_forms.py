"""Pieces of JSON Schema that every part of a policy document is described with."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

Schema = dict[str, Any]

NAME = "[a-z][a-z0-9_]*"
TEXT: Schema = {"type": "string", "minLength": 1}
TEXTS: Schema = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]}
SCALAR: Schema = {"type": ["string", "number", "boolean"]}
SCALARS: Schema = {"anyOf": [SCALAR, {"type": "array", "items": SCALAR, "minItems": 1}]}
PATH: Schema = {"type": "string", "pattern": r"^[^.]+(\.[^.]+)*$"}
CONDITION: Schema = {"$ref": "#/$defs/condition"}
CONDITIONS: Schema = {"type": "array", "items": CONDITION, "minItems": 1}


def object_of(about: str, properties: Schema, **more: Any) -> Schema:
    return {
        "type": "object",
        "description": about,
        "properties": properties,
        "additionalProperties": False,
        **more,
    }


def enum_of(kind: type[StrEnum], about: str) -> Schema:
    return {"enum": [member.value for member in kind], "description": about}


def one_or_more(values: Iterable[str], about: str) -> Schema:
    one = {"enum": list(values)}
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}], "description": about}
