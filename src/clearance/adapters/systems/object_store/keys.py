"""Which objects a request names. What is not surely one key or one prefix is bounded from above, or unknown.

A resource is written `a/b` (that object and all under `a/b/`), `a/b/` (all under it), `a/b*` (beginning so).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from clearance.adapters.systems.keyed import Scope, identifiers, selectors
from clearance.core.model import Request

_KEYS: Final = ("key", "keys", "objects", "delete")
_WILD: Final = re.compile(r"[*?\[{]")


class Reach(Struct, frozen=True, kw_only=True):
    """What may be touched. `bound`: at most this, because a condition chooses among it."""

    scopes: tuple[Scope, ...] = ()
    bound: bool = False
    unknown: tuple[str, ...] = ()


def reach(request: Request, names: Sequence[str], *, bucket: str, prefix: str, copies: str) -> Reach:
    """`key`, `keys`, `objects`, `prefix` are S3's own, whole; names and `record_ids` go below `prefix`."""
    arguments = {_plain(name): value for name, value in request.action.arguments.items()}
    unknown = _elsewhere(arguments, bucket)
    bound = bool(selectors(request.action.arguments))
    resources: list[str] = []
    keys: list[str] = []
    for name in (each for each in _KEYS if each in arguments):
        found = _objects(arguments[name])
        if found is None:
            unknown.append(f"`{name}` holds something that is no key")
        for key in found or ():
            if _WILD.search(key):  # a tool may read it as a pattern; as a plain key it begins so too
                resources.append(_WILD.split(key)[0] + "*")
                bound = True
            else:
                keys.append(key)
    if "prefix" in arguments:
        named = arguments["prefix"]
        if isinstance(named, str):
            resources.append(_WILD.split(named)[0] + "*")
            bound = bound or _WILD.search(named) is not None
        else:
            unknown.append("`prefix` is no text")
    outside = [each for each in (*keys, *resources) if not each.startswith(prefix)]
    unknown += [f"{len(outside)} keys are outside of the configured prefix"] if outside else []
    if not keys and not resources and not unknown:
        keys, resources, unknown = _named(arguments, names, prefix)
    if any(each.startswith(copies) for each in keys):
        unknown.append("it reaches into where snapshots are kept")
    scopes = [Scope(resource=each) for each in dict.fromkeys(resources)]
    if keys:
        scopes.append(Scope(resource=_common(keys, names, prefix), keys=tuple(dict.fromkeys(keys))))
    return Reach(scopes=tuple(scopes), bound=bound, unknown=tuple(unknown))


def names_a_version(request: Request) -> bool:
    """Whether the call is about one old version, which a delete removes for good."""
    return any(_plain(name).startswith("version") for name in _nested(request.action.arguments))


def _named(
    arguments: dict[str, Any], names: Sequence[str], prefix: str
) -> tuple[list[str], list[str], list[str]]:
    """By the configured names alone: (keys, resources, unknown)."""
    names = names or ("",)  # no name stands for all of it
    if "recordids" not in arguments:
        return [], [prefix + name for name in names], []
    ids = identifiers(arguments["recordids"])
    if ids is None or any(_WILD.search(each) for each in ids):
        return [], [prefix + name for name in names], ["`record_ids` holds something that is no key"]
    return [_below(prefix + name, each) for name in names for each in ids], [], []


def _below(resource: str, key: str) -> str:
    folder = resource if not resource or resource.endswith("/") else f"{resource}/"
    return folder + key


def _elsewhere(arguments: dict[str, Any], bucket: str) -> list[str]:
    named = [arguments[name] for name in ("bucket", "bucketname") if name in arguments]
    return (
        ["it names another bucket than the configured one"] if any(each != bucket for each in named) else []
    )


def _objects(value: Any) -> list[str] | None:
    """The keys in `Key`, in a list of them, or in the bulk forms `Objects` and `Delete`."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        inner = {_plain(str(name)): each for name, each in value.items()}
        return _objects(inner.get("key", inner.get("objects")))
    if not isinstance(value, list | tuple):
        return None
    parts = [_objects(each) for each in value]
    return None if any(part is None for part in parts) else [key for part in parts for key in part or ()]


def _nested(value: Any) -> list[str]:
    """Every name of an argument, at any depth."""
    if isinstance(value, dict):
        return [*map(str, value), *(name for each in value.values() for name in _nested(each))]
    return [name for each in value for name in _nested(each)] if isinstance(value, list) else []


def _common(keys: Sequence[str], names: Sequence[str], prefix: str) -> str:
    """The configured name that all keys are under, else the prefix."""
    for name in names:
        if all(key.startswith(prefix + name) for key in keys):
            return prefix + name
    return prefix


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
