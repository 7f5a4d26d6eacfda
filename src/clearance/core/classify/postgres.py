"""What a PostgreSQL text would do, by the server's own grammar. All of the tree is walked.

Text alone: a function, type or operator without a schema, or of `pg_catalog`, is believed to be the server's
own if the server has one of that name, which holds where the session pins `search_path`. Whatever else is
named is UNKNOWN, and nothing is known of views, triggers, rules, defaults or foreign keys. With a catalogue
every name is looked up and what it sets off is followed. Never raises, never connects, never quotes the text.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from clearance.core.classify import postgres_definitions, postgres_guard, postgres_kinds, postgres_parse
from clearance.core.classify.postgres_catalogue import (
    Catalogue,
    Event,
    Fires,
    Function,
    Reaches,
    Relation,
    RelationKind,
)
from clearance.core.classify.postgres_found import Found
from clearance.core.classify.postgres_parse import Tree, UnreadableError
from clearance.core.classify.postgres_walk import Scope, Walk
from clearance.core.model.effects import Classification, EffectClass, unknown

__all__ = [
    "Catalogue",
    "Event",
    "Fires",
    "Function",
    "Reaches",
    "Rehearsal",
    "Relation",
    "RelationKind",
    "Understanding",
    "classify_postgres",
    "rehearsable",
    "statements",
    "touches_guard",
    "transaction_control",
    "understand",
]

_HANDLERS: Final = {**postgres_kinds.HANDLERS, **postgres_definitions.HANDLERS}
_TAKEN_BACK: Final = frozenset(
    {EffectClass.READ, EffectClass.WRITE, EffectClass.DELETE, EffectClass.DDL, EffectClass.EXEC}
)
_RENAMES: Final = frozenset({EffectClass.DDL, EffectClass.EXEC, EffectClass.SESSION, EffectClass.ADMIN})


class Rehearsal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether a statement may be tried behind a savepoint. `why_not` are sentences, empty where it may.

    `left_over` is what a rollback leaves behind all the same.
    """

    possible: bool
    why_not: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()


class Understanding(Struct, frozen=True, kw_only=True):
    """Everything that one reading of a text told."""

    classification: Classification
    rehearsal: Rehearsal


def understand(text: str, catalogue: Catalogue | None = None) -> Understanding:
    """Classify a text of one or more statements, and say whether it may be tried and rolled back."""
    try:
        found = _read(postgres_parse.statements_of(text), catalogue)
    except UnreadableError as error:
        return _not_read(f"the statement was not read: {error}")
    except (RecursionError, MemoryError):
        return _not_read("the statement is nested too deeply")
    except Exception as error:  # whatever a catalogue or the parser raises, the answer is UNKNOWN
        return _not_read(f"the statement could not be looked up ({type(error).__name__})")
    classification = found.classification()
    return Understanding(classification=classification, rehearsal=_rehearsal(classification, found))


def classify_postgres(statement: str, catalogue: Catalogue | None = None) -> Classification:
    """The union of the effects of every statement in the text, and every object that it touches."""
    return understand(statement, catalogue).classification


def rehearsable(statement: str, catalogue: Catalogue | None = None) -> Rehearsal:
    """Whether the statement may run inside a transaction that is then rolled back."""
    return understand(statement, catalogue).rehearsal


def statements(text: str) -> tuple[str, ...]:
    """The exact pieces of a text. One that cannot be parsed is one piece; an empty one has none."""
    try:
        return postgres_parse.pieces(text)
    except UnreadableError:
        return (text,)


def transaction_control(text: str) -> bool:
    """Whether the text begins or ends a transaction or savepoint, or cannot be read."""
    try:
        trees = postgres_parse.statements_of(text)
    except UnreadableError:
        return True
    return any(tree.HasField("transaction_stmt") for tree in trees)


def touches_guard(text: str) -> bool:
    """Whether the text reaches for what guards the session, or cannot be read. See postgres_guard.py."""
    try:
        return postgres_guard.touches(postgres_parse.parse(text), text)
    except UnreadableError:
        return True


def _read(trees: list[Tree], catalogue: Catalogue | None) -> Found:
    found, renamed, controls = Found(), False, False
    walk = Walk(found, catalogue, _HANDLERS)
    for tree in trees:
        if tree.HasField("transaction_stmt"):
            controls = True
            continue
        if renamed:
            found.wonder(
                "what earlier statements of the text do may change what its names mean", inside=False
            )
        walk.run(tree, Scope())
        for function in catalogue.casts() if catalogue else ():
            walk.call(function, Scope(), written=False)
        walk.drain()
        renamed = renamed or bool(found.effects & _RENAMES)
    if controls:
        found.add({EffectClass.SESSION})
    return found


def _rehearsal(classification: Classification, found: Found) -> Rehearsal:
    beyond = sorted(classification.effects - _TAKEN_BACK)
    why = [f"a rollback does not take back, or does not know, its effect `{effect}`" for effect in beyond]
    why.extend(found.blocks)
    return Rehearsal(possible=not why, why_not=tuple(why), left_over=found.left_over)


def _not_read(why: str) -> Understanding:
    return Understanding(classification=unknown(why), rehearsal=Rehearsal(possible=False, why_not=(why,)))
