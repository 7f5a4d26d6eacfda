"""`find`: which of its tests and actions only look, which write, and what it runs."""

from __future__ import annotations

from collections.abc import Callable

from clearance.core.classify.found import doing, opaque, union
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.words import Word, literal
from clearance.core.model import Operation
from clearance.core.model.effects import Classification

_ALONE_LIST = """
    -H -L -P -O0 -O1 -O2 -O3 -a -and -o -or -not ! ( ) , -true -false -print -print0 -ls -prune -quit
    -depth -d -daystart -mount -xdev -noleaf -follow -empty -readable -writable -executable -nouser
    -nogroup -ignore_readdir_race -noignore_readdir_race -warn -nowarn
"""
_ALONE = frozenset(_ALONE_LIST.split())
_WITH_WORD_LIST = """
    -name -iname -path -ipath -wholename -iwholename -lname -ilname -regex -iregex -regextype -type
    -xtype -size -mtime -atime -ctime -mmin -amin -cmin -newer -anewer -cnewer -newermt -newerat
    -newerct -perm -user -group -uid -gid -links -inum -samefile -maxdepth -mindepth -fstype -used
    -context -printf
"""
_WITH_WORD = frozenset(_WITH_WORD_LIST.split())
_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_WRITES = frozenset({"-fprint", "-fprint0", "-fls"})


def _find(call: Call, reader: Reader) -> Classification:
    words = list(call.arguments)
    starts: list[Word] = []
    while words and not (words[0].plain or words[0].lead).startswith(("-", "(", "!")):
        if words[0].may_be_option:
            return opaque("a test or an action of find is not known before it runs")
        starts.append(words.pop(0))
    found = [doing("read")]
    while words:
        word = words.pop(0).plain
        if word in _ALONE:
            continue
        if word in _WITH_WORD and words:
            words.pop(0)
        elif word == "-delete":
            found.append(doing("delete"))
        elif word in _RUNS:
            found.append(_run(words, call, reader, start=starts[0] if starts else None))
        elif word in _WRITES and words:
            found.append(doing("write+delete", call.file(words.pop(0), Operation.DELETE)))
        elif word == "-fprintf" and len(words) > 1:
            found.append(doing("write+delete", call.file(words.pop(0), Operation.DELETE)))
            words.pop(0)
        else:
            found.append(opaque("a test or an action of find is not reviewed"))
            break
    inner = union(*found)
    operation = inner.operation if inner.operation is not Operation.UNKNOWN else Operation.EXECUTE
    return union(inner, doing("read", *(call.file(start, operation) for start in starts or [literal(".")])))


def _run(words: list[Word], call: Call, reader: Reader, *, start: Word | None) -> Classification:
    """The command up to `;` or `+`; each `{}` becomes some file, whose path begins where find began."""
    inner: list[Word] = []
    lead = start.lead if start is not None and start.lead else "."
    while words:
        word = words.pop(0)
        if word.plain == ";" or (word.plain == "+" and inner and inner[-1].text is None):
            return reader.words(inner, call)
        inner.append(Word(text=None, lead=lead) if "{}" in (word.text or "") else word)
    return opaque("the command that find runs has no end")


FINDING: dict[str, Callable[[Call, Reader], Classification]] = {"find": _find}
