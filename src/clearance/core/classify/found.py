"""Putting classifications together: what several parts do is the union of what each does. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from clearance.core.model import Operation
from clearance.core.model.effects import Classification, EffectClass, Named

MAX_OBJECTS = 10_000
NOTHING = Classification(effects=frozenset({EffectClass.READ}))
_UNREADABLE = "<unreadable>"


def union(*parts: Classification) -> Classification:
    """Every effect, object and reason of all parts, each object once; of no part, a mere reading."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return NOTHING
    objects = tuple(dict.fromkeys(named for part in parts for named in part.objects))
    why = tuple(dict.fromkeys(reason for part in parts for reason in part.unknown))
    effects: frozenset[EffectClass] = frozenset().union(*(part.effects for part in parts))
    if len(objects) > MAX_OBJECTS:
        objects, why = objects[:MAX_OBJECTS], (*why, f"more than {MAX_OBJECTS} objects are named")
    return Classification(
        effects=effects | ({EffectClass.UNKNOWN} if why else set()), objects=objects, unknown=why
    )


def effects(words: str) -> frozenset[EffectClass]:
    """From the spelling of the data files: `read+outbound`."""
    return frozenset(EffectClass(word) for word in words.split("+"))


def doing(words: str, *objects: Named, why: Iterable[str] = ()) -> Classification:
    """A classification by the spelling of the data files; `why` names what could not be read."""
    return Classification(effects=effects(words), objects=objects, unknown=tuple(why))


def opaque(why: str, *objects: Named) -> Classification:
    """Code that runs and could not be read."""
    return doing("exec+unknown", *objects, why=(why,))


def thing(kind: str, name: str | None, operation: Operation) -> Named:
    """`kind:name`; a name that cannot be told, or hides what it is, becomes unreadable."""
    readable = bool(name) and len(name or "") <= 4_096 and (name or "").isprintable()
    return Named(name=f"{kind}:{name if readable else _UNREADABLE}", operation=operation)
