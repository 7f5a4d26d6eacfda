"""One simple command to its effects: by its own reader, as a wrapper, as a migration, by the catalogue."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from clearance.core.classify.found import NOTHING, doing, opaque, thing, union
from clearance.core.classify.shell.builtins import BUILTINS
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.catalogue import commands
from clearance.core.classify.shell.clouds import CLOUDS
from clearance.core.classify.shell.databases import DATABASES
from clearance.core.classify.shell.filters import FILTERS
from clearance.core.classify.shell.finding import FINDING
from clearance.core.classify.shell.git import git
from clearance.core.classify.shell.interpreters import INTERPRETERS
from clearance.core.classify.shell.listed import by_entry
from clearance.core.classify.shell.migrating import migration
from clearance.core.classify.shell.transfer import TRANSFERS
from clearance.core.classify.shell.wrapping import wrapped
from clearance.core.model import Operation
from clearance.core.model.effects import Classification

_TRUSTED = re.compile(r"(?:/usr(?:/local)?|/opt/homebrew)?/s?bin/[^/]+")
_HANDLERS: dict[str, Callable[[Call, Reader], Classification]] = {
    **CLOUDS,
    **DATABASES,
    **FILTERS,
    **FINDING,
    **INTERPRETERS,
    **TRANSFERS,
    "git": git,
}


def judge(call: Call, reader: Reader) -> Classification:
    """A command that is in no list runs code that was not read: EXEC."""
    if not call.words:
        return NOTHING
    name = call.words[0].plain
    if not name:
        return opaque(
            "which command runs is not known before it runs", thing("command", None, Operation.EXECUTE)
        )
    base = name.rsplit("/", 1)[-1].lower().removesuffix(".exe")
    itself = doing("read", thing("command", base, Operation.EXECUTE))
    found = migration(base, call)
    if found is not None:
        return union(itself, found)
    known = _known(base, call, reader)
    if known is not None and (name == base or _TRUSTED.fullmatch(name)):
        return union(itself, known)
    if name in call.functions:
        return itself if known is None else union(itself, known)
    # Another place or another case may be another program: by its name it is only suspected.
    return union(itself, doing("exec"), *([known] if known else []))


def _known(base: str, call: Call, reader: Reader) -> Classification | None:
    builtin = BUILTINS.get(base)
    if builtin is not None:
        return builtin(call, reader)
    found = wrapped(base, call, reader)
    if found is not None:
        return found
    handler = _HANDLERS.get(_family(base))
    if handler is not None:
        return handler(call, reader)
    entry = commands().get(base)
    return None if entry is None else by_entry(entry, replace(call, stdin=None))


def _family(base: str) -> str:
    """`python3.12` is python, `mkfs.ext4` stays what it is."""
    found = re.fullmatch(r"(python|pypy|perl|ruby|node|nodejs|php|lua|pip|psql)(?:-?\d[\d.]*)?", base)
    return found[1] if found else base
