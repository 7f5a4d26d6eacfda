"""Commands whose words hold a small program or a place of their own: sed, awk, tar, tee, dd, uniq."""

from __future__ import annotations

import re
from collections.abc import Callable

from clearance.core.classify.found import doing, opaque, union
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.options import Options, cut
from clearance.core.classify.shell.words import Word
from clearance.core.model import Operation
from clearance.core.model.effects import Classification

_SED_ADDRESS = r"(?:\d+|\$|/(?:[^/\\\n]|\\.)*/)?(?:,(?:\+?\d+|\$|/(?:[^/\\\n]|\\.)*/))?\s*!?"
# Addresses with p, d, q, =, n or a substitution: no `e` (runs), `w` (writes), `r` (reads), no label.
_SED_SAFE = re.compile(
    rf"(?:\s*{_SED_ADDRESS}(?:[pdqnN=DGHPhgx]|s([/|#,:@_!~%])(?:(?!\1)[^\\\n]|\\.)*\1(?:(?!\1)[^\\\n]|\\.)*\1[gpiI0-9]*"
    r"|[aic]\\?[^\n]*(?=\n|$)|y/[^/\n]*/[^/\n]*/)\s*(?:;|\n|$))*"
)
_SED_OPTIONS_LIST = """
    -n -r -E -s -u -z -i -e --quiet --silent --regexp-extended --in-place --expression --separate
    --null-data --posix --debug --sandbox
"""
_SED_OPTIONS = tuple(_SED_OPTIONS_LIST.split())
# What lets an awk program run, write or read elsewhere; a comparison with `>` looks alike and ends trust too.
_AWK_ACTS = re.compile(r"system|getline|[>|@]|print\s*>|close|fflush|ENVIRON|\bload\b")
_TAR_EXEC_LIST = """
    --to-command --checkpoint-action -I --use-compress-program --rsh-command --rmt-command -F
    --info-script --new-volume-script --index-file
"""
_TAR_EXEC = tuple(_TAR_EXEC_LIST.split())
_TAR_VALUES = (
    "-f",
    "--file",
    "-C",
    "--directory",
    "-T",
    "-X",
    "-b",
    "-g",
    "-N",
    "-V",
    "-K",
    "--exclude",
    "--transform",
)


def _sed(call: Call, _reader: Reader) -> Classification:
    options = cut(call.arguments, ("-e", "--expression", "-f", "--file", "-l"))
    if options.unsure or any(name not in _SED_OPTIONS for name, _ in _sed_given(options)):
        return opaque("an option or a script of sed is not reviewed")
    scripts = [value for name, value in options.given if name in ("-e", "--expression")]
    operands = list(options.operands)
    if not scripts:
        scripts, operands = [*operands[:1]], operands[1:]
    if any(
        script is None or script.text is None or not _SED_SAFE.fullmatch(script.text) for script in scripts
    ):
        return opaque("a sed script may run or write what was not read")
    in_place = any(name.startswith(("-i", "--in")) for name, _ in options.given)
    operation = Operation.UPDATE if in_place else Operation.READ
    effect = "read+write" if in_place else "read"
    return doing(effect, *(call.file(word, operation) for word in operands))


def _sed_given(options: Options) -> list[tuple[str, Word | None]]:
    """The options, without what follows `-i`: it is the suffix of a backup, never more options."""
    given: list[tuple[str, Word | None]] = []
    suffix = False
    for name, value in options.given:
        if suffix and not name.startswith("--") and name not in ("-e", "-n"):
            continue
        suffix = suffix or name == "-i"
        given.append((name, value))
    return given


def _awk(call: Call, _reader: Reader) -> Classification:
    options = cut(call.arguments, ("-F", "-v", "-f", "--field-separator", "--assign", "--file"))
    allowed = ("-F", "-v", "--field-separator", "--assign")
    if options.unsure or any(name not in allowed for name, _ in options.given) or not options.operands:
        return opaque("an option of awk is not reviewed")
    program, *files = options.operands
    if program.text is None or _AWK_ACTS.search(program.text):
        return opaque("an awk program may run or write what was not read")
    return doing("read", *(call.file(word, Operation.READ) for word in files))


def _tar(call: Call, _reader: Reader) -> Classification:
    """The first word may hold the letters without a dash: `tar xzf a.tgz`."""
    words = list(call.arguments)
    if words and words[0].plain and re.fullmatch(r"[A-Za-z]+", words[0].plain):
        words[0] = Word(text=f"-{words[0].plain}", lead="-")
    options = cut(words, _TAR_VALUES)
    archive = options.value("-f", "--file")
    if options.unsure or options.has(*_TAR_EXEC):
        return opaque("tar may run another program")
    if archive is not None and (archive.text is None or re.match(r"[^/]+:", archive.text)):
        return opaque("the archive may be on another machine")
    found = []
    if options.has("-t", "--list"):
        found.append(doing("read", *([call.file(archive, Operation.READ)] if archive else [])))
    if options.has("-x", "--extract", "--get"):
        into = options.value("-C", "--directory") or "."
        found.append(doing("read+write+delete", call.file(into, Operation.UPDATE)))
    if options.has("-c", "-r", "-u", "-A", "--create", "--append", "--update", "--catenate", "--delete"):
        made = [call.file(archive, Operation.DELETE)] if archive else []
        found.append(doing("read+write+delete" if made else "read", *made))
    if options.has("--remove-files"):
        found.append(doing("delete", *(call.file(word, Operation.DELETE) for word in options.operands)))
    return union(*found) if found else opaque("what tar does is not told by its words")


def _tee(call: Call, _reader: Reader) -> Classification:
    options = cut(call.arguments, ())
    if options.unsure:
        return doing("write+delete", *(call.file(word, Operation.DELETE) for word in options.operands))
    appends = options.has("-a", "--append")
    operation = Operation.UPDATE if appends else Operation.DELETE
    named = [word for word in options.operands if word.plain not in ("/dev/null", "/dev/stderr", "/dev/tty")]
    effect = ("write" if appends else "write+delete") if named else "read"
    return doing(effect, *(call.file(word, operation) for word in named))


def _dd(call: Call, _reader: Reader) -> Classification:
    found = [doing("read")]
    for word in call.arguments:
        name, _, value = (word.plain or word.lead).partition("=")
        place = Word(text=value if word.plain is not None else None, lead=value)
        if name == "if":
            found.append(doing("read", call.file(place, Operation.READ)))
        elif name == "of" and value != "/dev/null":
            found.append(doing("write+delete", call.file(place, Operation.DELETE)))
        elif not name or (word.text is None and "=" not in word.lead):
            found.append(opaque("an operand of dd is not known before it runs"))
    return union(*found)


def _uniq(call: Call, _reader: Reader) -> Classification:
    """The second operand is a file that is overwritten."""
    options = cut(call.arguments, ("-f", "-s", "-w"))
    if options.unsure:
        return opaque("an operand of uniq is not known before it runs")
    read = [call.file(word, Operation.READ) for word in options.operands[:1]]
    written = [call.file(word, Operation.DELETE) for word in options.operands[1:]]
    return doing("read+write+delete" if written else "read", *read, *written)


FILTERS: dict[str, Callable[[Call, Reader], Classification]] = {
    "sed": _sed,
    "gsed": _sed,
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _awk),
    **dict.fromkeys(("tar", "gtar", "bsdtar"), _tar),
    "tee": _tee,
    "dd": _dd,
    "uniq": _uniq,
}
