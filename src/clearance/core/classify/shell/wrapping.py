"""Commands that run another command: what they run is read, and what they add is added."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from clearance.core.classify.found import doing, opaque, thing, union
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.catalogue import Wrapper, wrappers
from clearance.core.classify.shell.migrating import migration
from clearance.core.classify.shell.options import Options, cut
from clearance.core.classify.shell.variables import assigned
from clearance.core.classify.shell.words import ANY, Word, literal
from clearance.core.model import Operation
from clearance.core.model.effects import Classification, Named

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_REPLACED = ("-I", "--replace", "-i")
# Options of ssh that only say how to connect; others can run a program on either side.
_CONNECTS = re.compile(
    r"(?i)(?:StrictHostKeyChecking|UserKnownHostsFile|BatchMode|Connect\w+|ServerAlive\w+|LogLevel|Port|User"
    r"|IdentitiesOnly|IdentityFile|PasswordAuthentication|Compression)[= ].*"
)
_INPUTS = (":::", "::::", ":::+", "::::+")
_MOST_NAME_WORDS = 3


def wrapped(base: str, call: Call, reader: Reader) -> Classification | None:
    """None where the command is no wrapper."""
    for length in range(_MOST_NAME_WORDS, 0, -1):
        name = " ".join([base, *(word.plain or "" for word in call.arguments[: length - 1])])
        wrapper = wrappers().get(name)
        if wrapper is not None and len(call.words) >= length:
            return _wrapped(wrapper, replace(call, words=call.words[length - 1 :]), reader)
    return None


def _wrapped(wrapper: Wrapper, call: Call, reader: Reader) -> Classification:
    options = cut(call.arguments, wrapper.values, leading=wrapper.operands)
    problem = _problem(wrapper, options)
    if problem:
        return union(doing(wrapper.effects), opaque(problem))
    words, variables, found = list(options.operands[wrapper.operands :]), dict(call.variables), []
    while wrapper.assigns and words and (pair := _ASSIGNMENT.fullmatch(words[0].plain or words[0].lead)):
        found.append(assigned(pair[1], words[0]))
        value = literal(pair[2]) if words[0].plain is not None else replace(words[0], lead=pair[2])
        variables[pair[1]] = value
        words.pop(0)
    if not words:
        return union(_itself(wrapper, options), *found, _alone(wrapper, options))
    directory = (
        None if options.has("-C", "--chdir", "-w", "--workdir", "-D", "--directory") else call.directory
    )
    inner = replace(call, variables=variables, directory=None if wrapper.host else directory)
    return union(_itself(wrapper, options), *found, _run(wrapper, words, options, inner, reader))


def _problem(wrapper: Wrapper, options: Options) -> str:
    known = wrapper.values | wrapper.bare
    if options.unsure:
        return "an option of the wrapper is not known before it runs"
    if any(name not in known for name, _ in options.given):
        return "an option of the wrapper is not reviewed"
    settings = [value for name, value in options.given if name == "-o" and wrapper.text and wrapper.host]
    if any(value is None or not _CONNECTS.fullmatch(value.plain or "") for value in settings):
        return "a setting of the connection could run a program"
    return ""


def _itself(wrapper: Wrapper, options: Options) -> Classification:
    host: list[Named] = []
    if wrapper.host and options.operands:
        named = options.operands[0].plain
        host = [thing("host", named.rpartition("@")[2] if named else None, Operation.EXECUTE)]
    return doing(wrapper.effects, *host)


def _alone(wrapper: Wrapper, options: Options) -> Classification:
    """Without a command: `ssh host` reads one from its input, `env` only prints."""
    if wrapper.text and wrapper.host and options.has("-N"):
        return doing("outbound")
    return doing(
        wrapper.alone, why=["a command is read from elsewhere"] if "unknown" in wrapper.alone else []
    )


def _run(
    wrapper: Wrapper, words: Sequence[Word], options: Options, call: Call, reader: Reader
) -> Classification:
    if wrapper.text:
        return _line(wrapper, words, call, reader)
    if wrapper.appends:
        words = _filled(words, options)
    if wrapper.package:
        base = (words[0].plain or "").rsplit("/", 1)[-1].partition("@")[0]
        found = migration(base, replace(call, words=tuple(words)))
        if found is not None:
            return union(doing("read", thing("command", base, Operation.EXECUTE)), found)
        return union(doing("exec"), reader.words(words, call))
    return reader.words(words, call)


def _filled(words: Sequence[Word], options: Options) -> list[Word]:
    """The words with what comes from the input: in the place of a mark, or at the end."""
    marks = [value.plain if value else "{}" for name, value in options.given if name in _REPLACED]
    if not marks:
        return [*words, ANY]
    mark = marks[-1] or "{}"
    return [
        Word(text=None, lead=(word.text or "").split(mark)[0]) if mark in (word.text or "") else word
        for word in words
    ]


def _line(wrapper: Wrapper, words: Sequence[Word], call: Call, reader: Reader) -> Classification:
    """The words are joined to one command line for another shell."""
    texts = []
    for word in words:
        if wrapper.appends and word.plain in _INPUTS:
            break
        if word.plain is None:
            return opaque("the command line for another shell is not known before it runs")
        texts.append(word.plain)
    line = " ".join(texts)
    if wrapper.appends:
        line = re.sub(r"\{[\d.#%/+-]*\}", '"$1"', line) if "{" in line else f"{line} $1"
    return reader.text(line, call)
