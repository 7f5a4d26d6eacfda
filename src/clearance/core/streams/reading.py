"""What an upstream sends, taken for what it has to be. Raises BrokenStreamError, naming no value."""

from __future__ import annotations

from typing import Any


class BrokenStreamError(Exception):
    """The stream cannot go on: a code of `Fail`, and a sentence without any of the answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def malformed(message: str) -> BrokenStreamError:
    return BrokenStreamError("malformed_stream", message)


def unknown_event(what: str) -> BrokenStreamError:
    return BrokenStreamError("unknown_event", f"The upstream sent {what} that Clearance does not know.")


def text_in(value: dict[str, Any], name: str) -> str:
    """A member that is a text; empty where it is missing or null."""
    found = value.get(name)
    if found is None:
        return ""
    if type(found) is not str:
        raise malformed(f"`{name}` is no text.")
    return found


def table_in(value: dict[str, Any], name: str) -> dict[str, Any]:
    """A member that is an object; empty where it is missing or null."""
    found = value.get(name)
    if found is None:
        return {}
    if type(found) is not dict:
        raise malformed(f"`{name}` is no object.")
    return found


def tables_in(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A member that is a list of objects; empty where it is missing or null."""
    found = value.get(name)
    if found is None:
        return []
    if type(found) is not list or not all(type(item) is dict for item in found):
        raise malformed(f"`{name}` is no list of objects.")
    return found


def index_in(value: dict[str, Any], name: str) -> int:
    """A member that is a place, from 0."""
    found = value.get(name)
    if type(found) is not int or found < 0:
        raise malformed(f"`{name}` is no index.")
    return found


def count_in(value: dict[str, Any], name: str) -> int | None:
    """A number of tokens; None where it is not told."""
    found = value.get(name)
    return found if type(found) is int and found >= 0 else None


def plainly_named(value: dict[str, Any], known: frozenset[str]) -> None:
    """Refuse a member that a client that reads names regardless of case takes for a known one."""
    if known.issuperset(value):
        return
    for name in value.keys() - known:
        if name.casefold() in known:
            raise malformed("A member's name is a known one in other letters.")
