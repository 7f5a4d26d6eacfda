"""The reviewed commands, read once from the data files beside this module. Decides nothing."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from clearance.core.classify.found import effects


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one command does; the fields are explained at the head of commands.yaml."""

    effects: str = "read"
    operands: str = ""
    values: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()
    flags: dict[str, str] = {}  # `verb:--option` or `--option` -> effects
    verbs: dict[str, str] = {}  # sub-verb -> effects
    prefixed: dict[str, str] = {}
    otherwise: str = "unknown"
    single_dash: bool = False  # long options begin with one dash
    ignore_case: bool = False
    anywhere: bool = False  # the sub-verb may come after other operands

    @property
    def has_sub_verbs(self) -> bool:
        return bool(self.verbs or self.prefixed)


class Wrapper(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command that runs another one; the fields are explained at the head of wrappers.yaml."""

    alone: str
    effects: str = "read"
    values: frozenset[str] = frozenset()
    bare: frozenset[str] = frozenset()
    operands: int = 0
    assigns: bool = False
    text: bool = False
    host: bool = False
    appends: bool = False
    package: bool = False


@lru_cache(maxsize=1)
def commands() -> dict[str, Entry]:
    """Command name -> what it does."""
    return {**_entries("commands.yaml"), **_entries("tools.yaml")}


@lru_cache(maxsize=1)
def migrations() -> dict[str, Entry]:
    """Migration command -> what its sub-verbs do to the database they resolve."""
    return _entries("migrations.yaml")


@lru_cache(maxsize=1)
def wrappers() -> dict[str, Wrapper]:
    """Name, or name and sub-verbs (`docker exec`), of what runs another command."""
    return {
        name: msgspec.convert({**fields, **_sets(fields, "values", "bare")}, Wrapper)
        for name, fields in _named("wrappers.yaml", {})
    }


def _entries(file: str) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for name, fields in _named(file, {}):
        if name in found:
            raise ValueError(f"{file}: `{name}` stands twice")
        found[name] = _entry(fields)
    return found


def _named(file: str, none: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Each name of each key; a key with commas holds names of several words."""
    text = files(__package__).joinpath(file).read_text(encoding="utf-8")
    pairs: list[tuple[str, dict[str, Any]]] = []
    for key, value in yaml.safe_load(text).items():
        fields = {"effects": value} if isinstance(value, str) else value or none
        names = key.split(",") if "," in key or key == "uv run" else key.split()
        pairs += [(name.strip(), fields) for name in names]
    return pairs


def _entry(fields: dict[str, Any]) -> Entry:
    spread = {name: _spread(fields.get(name, {})) for name in ("flags", "verbs")}
    for said in (*spread["flags"].values(), *spread["verbs"].values(), fields.get("effects", "read")):
        effects(said)
    return msgspec.convert({**fields, **spread, **_sets(fields, "values", "bare", "outputs", "urls")}, Entry)


def _spread(said: dict[str, str]) -> dict[str, str]:
    """From effects -> many names to name -> effects, so that a name cannot stand twice unnoticed."""
    found: dict[str, str] = {}
    for doing, names in said.items():
        for name in str(names).split():
            if name in found:
                raise ValueError(f"`{name}` has two meanings")
            found[name.replace("/", ".")] = doing
    return found


def _sets(fields: dict[str, Any], *names: str) -> dict[str, list[str]]:
    return {name: str(fields.get(name, "")).split() for name in names}
