"""The statement vectors as values, and what is wrong with an answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from clearance.core.model.action import Operation
from clearance.core.model.effects import Classification, EffectClass

FILE = Path(__file__).parents[3] / "vectors/statements/postgres.yaml"
RANK = [
    Operation.READ,
    Operation.CREATE,
    Operation.UPDATE,
    Operation.SEND,
    Operation.DELETE,
    Operation.EXECUTE,
    Operation.DDL,
    Operation.ADMIN,
    Operation.UNKNOWN,
]


class Case(NamedTuple):
    sql: str
    effects: frozenset[EffectClass]
    objects: tuple[str, ...]
    needs_catalogue: bool
    held_out: bool


def schema() -> str:
    return str(_document()["schema"])


def cases() -> list[Case]:
    return [
        Case(
            item["sql"],
            frozenset(EffectClass(word) for word in item["effects"]),
            tuple(item.get("objects", ())),
            item.get("needs") == "catalogue",
            bool(item.get("held_out")),
        )
        for item in _document()["statements"]
    ]


def verdict(case: Case, answer: Classification) -> str:
    """`under` looks less than it is, `closed` is unknown where the truth is not, `over` ranks above it."""
    truth = Classification(effects=case.effects, objects=answer.objects)
    if EffectClass.UNKNOWN in answer.effects:
        return "ok" if EffectClass.UNKNOWN in case.effects else "closed"
    if case.effects - answer.effects or RANK.index(answer.operation) < RANK.index(truth.operation):
        return "under"
    return "ok" if answer.operation is truth.operation else "over"


def summary(verdicts: Sequence[str]) -> str:
    return " ".join(f"{word} {verdicts.count(word)}" for word in ("ok", "over", "closed", "under"))


def _document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded
