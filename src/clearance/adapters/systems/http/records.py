"""Which records a request names, and at which address each is. Whatever is no plain id is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote

from msgspec import Struct

from clearance.adapters.systems.http.options import ID, HttpOptions
from clearance.adapters.systems.keyed import Scope, Spot, identifiers, selectors
from clearance.core.model import Request
from clearance.errors import RecoveryError

_IDS: Final = ("record_ids", "ids", "record_id", "id")


class Named(Struct, frozen=True, kw_only=True):
    """The records, or why they cannot be told. `by_condition`: a condition chooses, no ids do."""

    scopes: tuple[Scope, ...] = ()
    unknown: tuple[str, ...] = ()
    by_condition: bool = False


def named(request: Request, names: Sequence[str], options: HttpOptions) -> Named:
    """Ids apply to every name whose path has a place for them; a path without one is a record of its own."""
    if not names:
        return Named(unknown=("the request names no record of this API",))
    if selectors(request.action.arguments):
        return Named(unknown=("a condition chooses the records",), by_condition=True)
    given = [request.action.arguments[name] for name in _IDS if name in request.action.arguments]
    ids: list[str] = []
    for value in given:
        read = identifiers(value)
        if read is None or any(each in ("", ".", "..") for each in read):
            return Named(unknown=("the ids hold something that is no id",))
        ids += [each for each in read if each not in ids]
    scopes, unknown = [], []
    for name in dict.fromkeys(names):
        found = _placed(name, options)
        if found is not None and set(ids) <= {found.key}:
            scopes.append(Scope(resource=found.resource, keys=(found.key,)))
        elif found is not None:
            unknown.append(f"`{name}` is one record, and the ids name others")
        elif ID not in template(name, options):
            scopes.append(Scope(resource=name, keys=("",)))
        elif ids:
            scopes.append(Scope(resource=name, keys=tuple(ids)))
        else:
            unknown.append(f"no `record_ids` say which of `{name}`")
    return Named(scopes=tuple(scopes), unknown=tuple(unknown))


def _placed(name: str, options: HttpOptions) -> Spot | None:
    """The record whose address a name is, by the one configured path that it fits: `users/17`."""
    found = []
    for resource, path in options.paths.items():
        before, with_id, after = path.removeprefix("/").partition(ID)
        fits = name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
        key = name[len(before) : len(name) - len(after)] if fits and with_id else ""
        if (key and not set(key) & set("/?#") and key not in (".", "..")) or (not with_id and name == before):
            found.append(Spot(resource=resource, key=unquote(key)))
    return found[0] if len(found) == 1 and name not in options.paths else None


def template(name: str, options: HttpOptions) -> str:
    """Raises RecoveryError for a name that is no part of a path."""
    if name in options.paths:
        return options.paths[name]
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise RecoveryError(f"`{name}` is no path of this API: give it one under `paths`")
    return "/" + "/".join(quote(part, safe="") for part in parts) + f"/{ID}"


def address(spot: Spot, options: HttpOptions) -> str:
    """The path of one record; its id can add no part to it."""
    return template(spot.resource, options).replace(ID, quote(spot.key, safe=""))


def collection(spot: Spot, options: HttpOptions) -> str:
    """Where a record is created anew: the path before its id. Raises RecoveryError where there is none."""
    before, found, after = template(spot.resource, options).partition(f"/{ID}")
    if not found or after:
        raise RecoveryError(f"`{spot.resource}` has no collection to create a record in: use `undo: put`")
    return before
