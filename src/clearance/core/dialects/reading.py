"""Small readings of untrusted JSON that all wire formats share. Raises RequestError, naming no value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from clearance.core.dialects.answer import Usage
from clearance.errors import RequestError

# Every provider writes its members like this. Servers that read JSON regardless of case (Go's do) would take
# `Model` for `model`, and not the one that was judged.
_MEMBER = re.compile(r"[a-z0-9_]+")
_PLAIN: set[str] = set()  # names that were looked at before: most are the same ones
_MOST_PLAIN, _LONGEST_PLAIN = 1_024, 64
_MORE_MODELS = frozenset({"models", "fallbacks"})
_ONLY_OBJECTS = frozenset({dict})
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})


def listed(body: Mapping[str, Any], name: str) -> list[Any]:
    """A member that is a list of objects; empty where it is missing or null."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not _ONLY_OBJECTS.issuperset(map(type, value)):
        raise RequestError(f"`{name}` has to be a list of objects.", reason="wrong_type")
    return value


def worded(body: Mapping[str, Any], name: str) -> str:
    """A member that is a text; empty where it is missing or null."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RequestError(f"`{name}` has to be a string.", reason="wrong_type")
    return value


def counted(body: Mapping[str, Any], *names: str) -> int | None:
    """The greatest of the members that are there; None without any."""
    most: int | None = None
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 0:
            raise RequestError(f"`{names[0]}` has to be a number of at least 0.", reason="wrong_type")
        most = value if most is None else max(most, value)
    return most


def openai_usage(usage: Any, *, given: str, made: str) -> Usage:
    """Tokens as both of OpenAI's formats tell them, under other names."""
    if type(usage) is not dict:
        return Usage()
    details = usage.get(f"{given}_details")
    cached = counted(details, "cached_tokens") if type(details) is dict else None
    return Usage(
        input_tokens=counted(usage, given),
        output_tokens=counted(usage, made),
        cached_input_tokens=cached or 0,
    )


def _is_plain(name: str) -> bool:
    if _MEMBER.fullmatch(name) is None:
        return False
    if len(name) <= _LONGEST_PLAIN and len(_PLAIN) < _MOST_PLAIN:
        _PLAIN.add(name)
    return True


def plainly_named(objects: Iterable[Mapping[str, Any]]) -> None:
    """Raises RequestError for a member that some server may read as another."""
    for one in objects:
        for name in () if _PLAIN.issuperset(one) else one:
            if not _is_plain(name):
                message = "A member's name is not written in small letters; servers may read it as another."
                raise RequestError(message, reason="unknown_field")


def one_spelling(objects: Iterable[Mapping[str, Any]], known: frozenset[str]) -> None:
    """Raises RequestError for a member that a client which reads names in any case takes for a known one."""
    for one in objects:
        others = one.keys() - known
        for name in () if others <= _PLAIN else others:  # in small letters no name is another one's
            if not _is_plain(name) and name.casefold() in known:
                raise RequestError("A member's name is a known one in other letters.", reason="unknown_field")


def kind_of(tool: Mapping[str, Any], otherwise: str = "") -> str:
    """The type of a tool. Raises RequestError where it says none."""
    kind = tool.get("type")
    kind = otherwise if kind is None else kind
    if not isinstance(kind, str) or not kind:
        raise RequestError("The `type` of each of `tools` has to be a string.", reason="wrong_type")
    return kind


def of_one_model(body: Mapping[str, Any]) -> None:
    """Raises RequestError for other models beside the one that is judged: routers take them in its place."""
    if not _MORE_MODELS.isdisjoint(body) and any(body.get(name) is not None for name in _MORE_MODELS):
        message = (
            "`models` and `fallbacks` are not offered: name one model; routes are the operator's to set."
        )
        raise RequestError(message, reason="not_offered")


def text_of(content: Any) -> str:
    """What is said in a message's content, its other parts left out."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(
        part["text"]
        for part in content
        if type(part) is dict and part.get("type") in _TEXT_PARTS and isinstance(part.get("text"), str)
    )
