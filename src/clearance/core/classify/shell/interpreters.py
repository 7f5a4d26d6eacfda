"""Programs that run code: a shell's text is read, any other language is opaque."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from clearance.core.classify.found import doing, opaque, thing, union
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.catalogue import commands
from clearance.core.classify.shell.listed import by_entry
from clearance.core.classify.shell.migrating import migration
from clearance.core.classify.shell.options import cut
from clearance.core.classify.shell.words import Word
from clearance.core.model import Operation
from clearance.core.model.effects import Classification

_SHELL_OPTIONS = re.compile(r"-[abefhiklmnpstuvxBCEHPTc]+|-o|-euo|-eu?x?o|--norc|--noprofile|--login|--posix")
_SHELL_VALUES = ("pipefail", "errexit", "nounset", "xtrace", "noclobber", "posix")
# Options after which code follows, of all interpreters together; with another meaning they are opaque too.
_CODE = (
    "-c",
    "-e",
    "-E",
    "-p",
    "-r",
    "-R",
    "-B",
    "-F",
    "-n",
    "-i",
    "--eval",
    "--print",
    "--command",
    "--run",
    "eval",
)
_VALUES = ("-m", "-W", "-X", "-I", "-M", "--require", "--import", "--loader", "-d", "-S", "-s")
_ASKS = ("--version", "-V", "-v", "--help", "-h")
_MODULES = {"django": "django", "alembic": "alembic", "flask": "flask", "manage": "manage.py", "yoyo": "yoyo"}


def _shell(call: Call, reader: Reader) -> Classification:
    """`-c` text and a written-out input are read; a script file is code that was not read."""
    code = False
    words = list(call.arguments)
    while words and (text := words[0].plain) is not None and text.startswith(("-", "+")) and text != "-":
        words.pop(0)
        if text == "--":
            break
        if not _SHELL_OPTIONS.fullmatch(text):
            return opaque("an option of the shell is not reviewed")
        code = code or (not text.startswith("--") and "c" in text)
        named = not text.startswith("--") and text.endswith("o")
        if named and (not words or words.pop(0).plain not in _SHELL_VALUES):
            return opaque("an option of the shell is not reviewed")
        if "s" in text and not text.startswith("--"):
            words = []
    if words and words[0].plain is None:
        return opaque("the text or script that a shell runs is not known before it runs")
    if code and words:
        return reader.text(words[0].plain or "", call)
    if words and words[0].plain not in ("-", "/dev/stdin"):
        return doing("exec", call.file(words[0], Operation.EXECUTE))
    if call.stdin is not None:
        return reader.text(call.stdin, call)
    return opaque("a shell runs what it is given through its input")


def _code(call: Call, _reader: Reader) -> Classification:
    """A script is code that was not read; code in the command or the input is opaque."""
    words = [word.plain for word in call.arguments]
    if len(words) == 1 and words[0] in _ASKS:
        return doing("read")
    named = _program(call)
    if named is not None:
        base, inner = named
        found = migration(base, inner)
        if found is not None:
            return union(found, doing("read", thing("command", base, Operation.EXECUTE)))
    for word in call.arguments:
        if word.plain is None:
            break
        if not word.plain.startswith("-") or word.plain == "-":
            if word.plain in ("-", "eval", "/dev/stdin"):
                break
            return doing("exec")
        if word.plain == "-m":
            return doing("exec")
        if word.plain.startswith(_CODE):
            break
    return opaque("code is given in the command or through its input")


def _program(call: Call) -> tuple[str, Call] | None:
    """The script, or the module after `-m`, with its own words."""
    options = cut(call.arguments, _VALUES, style="whole", leading=0)
    module = options.value("-m")
    if module is not None and module.plain is not None:
        at = call.words.index(module)
        base = _MODULES.get(module.plain.split(".")[0], module.plain)
        return base, replace(call, words=call.words[at:])
    if options.operands and (script := options.operands[0].plain) is not None:
        base = script.rsplit("/", 1)[-1]
        return base, replace(call, words=tuple(options.operands))
    return None


def _other_user(call: Call, reader: Reader) -> Classification:
    """`su -c text`: a shell of another user."""
    options = cut(call.arguments, ("-c", "--command", "-s", "--shell", "-g", "-G", "-u"))
    text = options.value("-c", "--command")
    plain = all(name in ("-c", "--command", "-", "-l", "--login") for name, _ in options.given)
    if options.unsure or text is None or text.plain is None or not plain:
        return union(doing("admin"), opaque("a shell of another user reads its commands from elsewhere"))
    return union(doing("admin"), reader.text(text.plain, replace(call, directory=None)))


def _unread(_call: Call, _reader: Reader) -> Classification:
    return opaque("another kind of shell runs its own language")


def _package_manager(call: Call, _reader: Reader) -> Classification:
    """`yarn <something>` runs a script of the project, or a program of that name."""
    known = by_entry(commands()["npm"], call)
    words: tuple[Word, ...] = call.arguments
    if not known.unknown or not words or (words[0].plain or "-").startswith("-"):
        return known
    name = words[0].plain or ""
    inner = migration(name, replace(call, words=words))
    itself = doing("read", thing("command", name, Operation.EXECUTE))
    return doing("exec") if inner is None else union(itself, inner)


INTERPRETERS: dict[str, Callable[[Call, Reader], Classification]] = {
    **dict.fromkeys(("sh", "bash", "dash", "ash", "zsh", "ksh"), _shell),
    **dict.fromkeys(("fish", "csh", "tcsh", "pwsh", "powershell", "cmd", "nu", "xonsh", "expect"), _unread),
    **dict.fromkeys(
        (
            "python",
            "pypy",
            "perl",
            "ruby",
            "node",
            "nodejs",
            "php",
            "lua",
            "deno",
            "rscript",
            "osascript",
            "tclsh",
        ),
        _code,
    ),
    **dict.fromkeys(("su", "runuser"), _other_user),
    **dict.fromkeys(("yarn", "pnpm", "bun"), _package_manager),
}
