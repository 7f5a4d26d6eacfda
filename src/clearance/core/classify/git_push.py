"""What a push would do to each ref, from what `git push --dry-run --porcelain` prints. Runs nothing."""

from __future__ import annotations

import re

from msgspec import Struct

from clearance.core.model import Operation
from clearance.core.model.radius import Exactness, Touch

# `<flag> TAB <from>:<to> TAB <summary> (<reason>)`
_LINE = re.compile(r"([ +\-*!=])\t([^\t]*):([^\t]*)\t(.*)")
_RANGE = re.compile(r"([0-9a-f]{4,64})\.\.\.?([0-9a-f]{4,64})\b")


class RefChange(Struct, frozen=True, kw_only=True):
    """One ref of the remote. `old` and `new` are commits as the line abbreviates them, empty where absent."""

    ref: str
    operation: Operation
    forced: bool = False
    old: str = ""
    new: str = ""


def push_changes(text: str) -> tuple[RefChange, ...] | None:
    """Every ref that changes; None where a line cannot be read or the push is refused in part."""
    found: list[RefChange] = []
    for line in text.splitlines():
        if not line or line == "Done" or line.startswith("To "):
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[1] == "!":
            return None
        if match[1] != "=":
            found.append(_change(match))
    return tuple(found)


def push_touches(text: str) -> tuple[Touch, ...]:
    """One touch for each ref. How many commits a forced or deleted ref loses is not told here."""
    changes = push_changes(text)
    if changes is None:
        unread = Operation.UNKNOWN
        return (Touch(resource="<unreadable>", operation=unread, count=None, exactness=Exactness.UNKNOWN),)
    return tuple(_touch(change) for change in changes)


def _change(match: re.Match[str]) -> RefChange:
    flag, _, ref, summary = match.groups()
    commits = _RANGE.search(summary)
    old, new = (commits[1], commits[2]) if commits else ("", "")
    operations = {"-": Operation.DELETE, "+": Operation.DELETE, "*": Operation.CREATE, " ": Operation.UPDATE}
    return RefChange(ref=ref, operation=operations[flag], forced=flag == "+", old=old, new=new)


def _touch(change: RefChange) -> Touch:
    lost = change.operation is Operation.DELETE
    return Touch(
        resource=change.ref,
        operation=change.operation,
        count=None if lost else 1,
        exactness=Exactness.UNKNOWN if lost else Exactness.EXACT,
        sample=tuple(commit for commit in (change.old, change.new) if commit),
    )
