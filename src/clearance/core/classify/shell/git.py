"""git: the catalogue's effects, and what the operands add to them: `push origin +main`, `checkout -b`."""

from __future__ import annotations

from msgspec.structs import replace

from clearance.core.classify.found import doing, union
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.catalogue import commands
from clearance.core.classify.shell.listed import by_entry, options_of, sub_verb
from clearance.core.classify.shell.options import Options
from clearance.core.model.effects import Classification

_ASKS_CONFIG = ("--get", "--get-all", "--get-regexp", "--list", "-l", "--show-origin", "--get-urlmatch")
_SETS_CONFIG = ("--add", "--unset", "--unset-all", "--replace-all", "--edit", "-e", "--rename-section")
_CREATES = ("-b", "--orphan", "--track", "-t")


def git(call: Call, _reader: Reader) -> Classification:
    """Hooks, aliases and settings of a repository are not read: a limit that docs/systems/shell.md states."""
    entry = commands()["git"]
    options = options_of(entry, call)
    found = by_entry(entry, replace(call, stdin=None))
    verb, why = sub_verb(entry, options)
    if why or options.unsure:
        return found
    given = [name for name, _ in options.given]
    if verb == "push" and _forces(options):
        return union(found, doing("delete"))
    if verb == "config" and any(name in _ASKS_CONFIG for name in given):
        return found if any(name in _SETS_CONFIG for name in given) else doing("read")
    creates = any(name in _CREATES for name in given) and not any(
        name in ("-f", "--force", "-B") for name in given
    )
    return doing("write") if verb == "checkout" and creates and len(options.operands) <= 3 else found


def _forces(options: Options) -> bool:
    """A ref written `+ref` is pushed whatever it loses, `:ref` is deleted."""
    words = [word.plain or word.lead for word in options.operands[1:]]
    return any(word.startswith(("+", ":")) for word in words)
