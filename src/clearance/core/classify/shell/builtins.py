"""Built-in commands of the shell that run text, set its state or look something up."""

from __future__ import annotations

import re
from collections.abc import Callable

from clearance.core.classify.found import NOTHING, doing, opaque, union
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.variables import assigned
from clearance.core.classify.shell.wrapping import wrapped
from clearance.core.model.effects import Classification

_SIGNALS = re.compile(r"(?:SIG)?[A-Z0-9]+|-[lp]?")
_SET_OPTIONS = re.compile(r"[-+](?:[abefhmnptuvxCEHT]*o?)|--|pipefail|errexit|nounset|xtrace|noclobber|posix")
_SHOPTS = re.compile(r"-[su]|nullglob|globstar|dotglob|failglob|inherit_errexit|nocaseglob|extglob|lastpipe")


def _eval(call: Call, reader: Reader) -> Classification:
    words = [word.plain for word in call.arguments]
    if None in words:
        return opaque("the text that is evaluated is not known before it runs")
    return reader.text(" ".join(word for word in words if word is not None), call) if words else NOTHING


def _trap(call: Call, reader: Reader) -> Classification:
    words = [word.plain for word in call.arguments if word.plain != "--"]
    if not words or words[0] in ("-l", "-p"):
        return NOTHING
    action, *signals = words
    if action is None or any(signal is None or not _SIGNALS.fullmatch(signal) for signal in signals):
        return opaque("what runs at a signal is not known before it runs")
    return NOTHING if action in ("", "-") or not signals else reader.text(action, call)


def _source(_call: Call, _reader: Reader) -> Classification:
    return opaque("the commands of a file run in this shell")


def _set(call: Call, _reader: Reader) -> Classification:
    words = [word.plain for word in call.arguments]
    if words[:1] == ["--"] or all(word is not None and _SET_OPTIONS.fullmatch(word) for word in words):
        return NOTHING
    return opaque("the shell's settings are changed in a way that is not reviewed")


def _shopt(call: Call, _reader: Reader) -> Classification:
    if all(_SHOPTS.fullmatch(word.plain or "") for word in call.arguments):
        return NOTHING
    return opaque("the shell's settings are changed in a way that is not reviewed")


def _read(call: Call, _reader: Reader) -> Classification:
    """Sets variables to what it reads; their names must be plain."""
    found = []
    for word in call.arguments:
        name = word.plain
        if name is None or "[" in name:
            return opaque("which variable is set is not known before it runs")
        if name.isidentifier():
            found.append(assigned(name))
    return union(NOTHING, *found)


def _unset(call: Call, _reader: Reader) -> Classification:
    return union(NOTHING, *(assigned(word.plain or "PATH") for word in call.arguments if word.plain != "-v"))


def _command(call: Call, reader: Reader) -> Classification:
    """`command -v name` only looks a name up; anything else runs it."""
    if call.arguments and call.arguments[0].plain in ("-v", "-V"):
        return NOTHING
    return _through(call, reader)


def _exec(call: Call, reader: Reader) -> Classification:
    return NOTHING if not call.arguments else _through(call, reader)


def _through(call: Call, reader: Reader) -> Classification:
    found = wrapped(call.words[0].plain or "", call, reader)
    return opaque("the wrapper is not reviewed") if found is None else found


def _date(call: Call, _reader: Reader) -> Classification:
    """Sets the clock with `-s`, or with a date that has no `+` before it."""
    values = ("-d", "--date", "-r", "--reference", "-f", "--file")
    words = [word.plain for word in call.arguments]
    previous = ["", *words]
    for word, before in zip(words, previous, strict=False):
        if before in values:
            continue
        if word is None or word.startswith(("-s", "--s")) or not word.startswith(("-", "+")):
            return doing("admin")
    return NOTHING


def _hostname(call: Call, _reader: Reader) -> Classification:
    """Sets the name with any operand, with `-F` and with `-b`."""
    asks = ("-f", "-s", "-i", "-I", "-d", "-A", "--fqdn", "--short")
    return NOTHING if all(word.plain in asks for word in call.arguments) else doing("admin")


def _crontab(call: Call, _reader: Reader) -> Classification:
    if [word.plain for word in call.arguments] == ["-l"]:
        return NOTHING
    if [word.plain for word in call.arguments] == ["-r"]:
        return doing("admin+delete")
    return union(opaque("what will run later is not read"), doing("admin+delete"))


BUILTINS: dict[str, Callable[[Call, Reader], Classification]] = {
    "eval": _eval,
    "trap": _trap,
    "source": _source,
    ".": _source,
    "set": _set,
    "shopt": _shopt,
    "read": _read,
    "unset": _unset,
    "command": _command,
    "exec": _exec,
    "date": _date,
    "hostname": _hostname,
    "crontab": _crontab,
}
