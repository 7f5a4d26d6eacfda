"""OpenAPI 3.1, made from the same endpoint declarations that the routes are made from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from clearance.gateway.endpoint import Access, Endpoint, Form
from clearance.gateway.errors import ErrorAnswer
from clearance.gateway.stream import MEDIA_TYPE

_REF = "#/components/schemas/{name}"
_ERRORS = {
    "400": "The request cannot be read",
    "401": "No valid key",
    "403": "Not within this key's scope",
    "404": "There is no such thing",
    "409": "A version or a name is taken, or an answer does not count",
    "413": "The body is too large",
    "422": "The policies were refused whole",
    "503": "The store is not available; nothing was cleared",
}


def document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The whole document."""
    kinds: list[Any] = [ErrorAnswer]
    for endpoint in endpoints:
        kinds += [kind for kind in (endpoint.body, endpoint.answers, endpoint.query) if kind is not None]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    by_kind = dict(zip(map(str, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, by_kind, components)
        paths.setdefault(_documented(endpoint.path), {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Clearance", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "clr_…"}},
        },
    }


def _operation(
    endpoint: Endpoint, by_kind: dict[str, dict[str, Any]], components: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method.lower()}{_documented(endpoint.path)}").strip(
            "_"
        ),
        "parameters": _path_parameters(endpoint) + _query_parameters(endpoint, components),
        "responses": {
            str(endpoint.status): {
                "description": "Done",
                "content": _content(endpoint, by_kind[str(endpoint.answers)]),
            },
            **{status: _error(text) for status, text in _ERRORS.items()},
        },
    }
    if endpoint.access is not Access.PUBLIC:
        operation["security"] = [{"key": []}]
    if endpoint.body is not None:
        content = {"application/json": {"schema": by_kind[str(endpoint.body)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _content(endpoint: Endpoint, schema: dict[str, Any]) -> dict[str, Any]:
    """A stream is text to OpenAPI 3.1; what each event's data holds stands beside it."""
    if endpoint.form is Form.EVENTS:
        return {MEDIA_TYPE: {"schema": {"type": "string"}, "x-event-data": schema}}
    if endpoint.form is Form.TEXT:
        return {"text/plain": {"schema": schema}}
    return {"application/json": {"schema": schema}}


def _error(text: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(name=ErrorAnswer.__name__)}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _documented(path: str) -> str:
    """`{name:path}` is our router's way to say that a name may hold slashes."""
    return re.sub(r"{(\w+):\w+}", r"{\1}", path)


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", _documented(endpoint.path))
    ]


def _query_parameters(endpoint: Endpoint, components: dict[str, Any]) -> list[dict[str, Any]]:
    if endpoint.query is None:
        return []
    properties = components[endpoint.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": _textual(schema)}
        for name, schema in properties.items()
    ]


def _textual(schema: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: what may be left out is left out."""
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    return options[0] if len(options) == 1 else {k: v for k, v in schema.items() if k != "default"}
