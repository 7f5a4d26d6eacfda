"""A command that stands in the catalogue: its effects by sub-verb and option, and the files it is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from clearance.core.classify.found import doing, union
from clearance.core.classify.shell.call import Call
from clearance.core.classify.shell.catalogue import Entry
from clearance.core.classify.shell.options import Options, cut, matches
from clearance.core.classify.shell.words import Word
from clearance.core.model import Operation
from clearance.core.model.effects import Classification, Named

_LONGEST_VERB = 3  # words
_UNSURE = "an option could be among words that are not known before the command runs"
_NOT = "the sub-command is not reviewed"
_HELP = frozenset({"--help", "--version"})


def by_entry(entry: Entry, call: Call) -> Classification:
    """What the entry says of this call; UNKNOWN where words that are not known could change it."""
    if len(call.words) == 2 and call.arguments[0].plain in _HELP:
        return doing("read")
    options = options_of(entry, call)
    verb, why = sub_verb(entry, options)
    said = entry.verbs.get(verb) or prefixed(entry, verb) if entry.has_sub_verbs else entry.effects
    if why or said is None:
        said = entry.otherwise
    parts = [doing(said, why=_why(said, why))]
    parts += [doing(extra, why=_why(extra, "")) for extra in _extras(entry, options, verb)]
    if options.unsure and (entry.outputs or any(_flags(entry, verb))):
        parts.append(doing("unknown", why=[_UNSURE]))
    parts.append(replace(parts[0], objects=tuple(files(entry.operands, options, call))))
    outputs = [value for name, value in options.given if value and _among(name, entry.outputs)]
    parts += [doing("write+delete", call.file(value, Operation.DELETE)) for value in outputs]
    return union(*parts)


def options_of(entry: Entry, call: Call) -> Options:
    """The call's words, cut by what the entry says of its options."""
    style = "whole" if entry.single_dash else "letters"
    return cut(call.arguments, entry.values | entry.urls | entry.outputs, style=style)


def sub_verb(entry: Entry, options: Options) -> tuple[str, str]:
    """The longest listed sub-verb that the operands begin with, and why it may be another one."""
    if not entry.has_sub_verbs:
        return "", ""
    known = entry.bare | entry.values | entry.urls
    if not options.operands:
        flag = next((name for name in options.early if name in entry.verbs), "")
        return flag, "" if flag else "no sub-command is given"
    if any(name not in known for name in options.early):
        return "", "an option before the sub-command is not reviewed"
    words = _known_words(options.operands)
    if entry.ignore_case:
        words = [word.lower() for word in words]
    if entry.anywhere:
        candidates = [word for word in words if word in entry.verbs]
        return (
            (max(candidates, key=lambda verb: _danger(entry.verbs[verb])), "") if candidates else ("", _NOT)
        )
    for length in range(min(_LONGEST_VERB, len(words)), 0, -1):
        verb = ".".join(words[:length])
        if verb in entry.verbs:
            return _unless_longer(entry, options, verb, known=length)
    if not words:
        return "", "the sub-command is not known before it runs"
    return (words[0], "") if prefixed(entry, words[0]) else ("", _NOT)


def prefixed(entry: Entry, verb: str) -> str | None:
    """The effects of a whole family of sub-verbs (`db:…`)."""
    return next((said for start, said in entry.prefixed.items() if verb.startswith(start)), None)


def files(operands: str, options: Options, call: Call) -> Iterator[Named]:
    """The files among the operands, each with what is done to it."""
    words: Sequence[Word] = options.operands
    if operands.startswith("after"):
        skipped, _, operands = operands.removeprefix("after").partition("-")
        words = words[int(skipped) :]
    if operands in ("copy", "move"):
        target = options.value("-t", "--target-directory")
        before = Operation.DELETE if operands == "move" else Operation.READ
        sources = words if target else words[:-1]
        yield from (call.file(word, before) for word in sources)
        yield from (call.file(word, Operation.UPDATE) for word in ([target] if target else words[-1:]))
    elif operands:
        yield from (call.file(word, Operation(operands)) for word in words)


def _danger(said: str) -> int:
    return max(("read", "exec", "write", "ddl", "delete").index(word) for word in said.split("+"))


def _known_words(operands: Sequence[Word]) -> list[str]:
    words: list[str] = []
    for word in operands:
        if word.plain is None:
            break
        words.append(word.plain)
    return words


def _unless_longer(entry: Entry, options: Options, verb: str, *, known: int) -> tuple[str, str]:
    """A word that is not known may complete a longer sub-verb: `stash $x` may be `stash drop`."""
    longer = any(other.startswith(f"{verb}.") for other in entry.verbs)
    after = options.operands[known : known + 1]
    unsure = longer and bool(after) and after[0].plain is None
    return verb, "the sub-command is not known before it runs" if unsure else ""


def _extras(entry: Entry, options: Options, verb: str) -> Iterator[str]:
    for wanted, extra in _flags(entry, verb):
        if any(matches(name, wanted) for name, _ in options.given):
            yield extra


def _flags(entry: Entry, verb: str) -> Iterator[tuple[str, str]]:
    """The options that count with this sub-verb."""
    for flag, extra in entry.flags.items():
        of_verb, colon, option = flag.rpartition(":-")
        if not colon:
            yield flag, extra
        elif verb == of_verb or verb.startswith(f"{of_verb}."):
            yield f"-{option}", extra


def _why(said: str, why: str) -> list[str]:
    if "unknown" not in said:
        return []
    return [why or "it runs what was not read"]


def _among(name: str, wanted: frozenset[str]) -> bool:
    return any(matches(name, option) for option in wanted)
