"""YAML text or plain values to a small tree that knows its lines. Runs nothing: tags are refused."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

import yaml
from msgspec import Struct

from clearance.core.policy.problems import ProblemCode
from clearance.errors import Problem

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 100_000
_INT64: Final = 2**63

# The core schema of YAML 1.2: `on`, `yes` and `12:30` stay the text they look like.
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_INTEGER = re.compile(r"[-+]?[0-9]{1,20}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}

Scalar: TypeAlias = str | int | float | bool | None
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Located(Struct, frozen=True):
    """One value and where it stands. `key_line` is the line of its key. Lines are 0 outside files."""

    value: Scalar | tuple[Located, ...] | dict[str, Located]
    file: str
    line: int = 0
    key_line: int = 0


class _UnreadableError(Exception):
    """The rest of the text cannot be read; carries the reason."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def plain(at: Located) -> Any:
    """The value without its places."""
    if isinstance(at.value, dict):
        return {key: plain(child) for key, child in at.value.items()}
    if isinstance(at.value, tuple):
        return [plain(child) for child in at.value]
    return at.value


def locate_yaml(text: str, file: str) -> tuple[tuple[Located, ...], tuple[Problem, ...]]:
    """Every document of one text, and what is wrong with it. Never raises on bad text."""
    builder = _Builder(file)
    try:
        if len(text.encode()) > MAX_BYTES:
            builder.stop(ProblemCode.TOO_LARGE, f"The text is larger than {MAX_BYTES} bytes; split it.", 0)
        for event in yaml.parse(text, Loader=_Loader):
            builder.feed(event)
    except _UnreadableError as unreadable:
        return (), (*builder.problems, unreadable.problem)
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        return (), (_problem(ProblemCode.CONTROL_CHARACTER, "A lone surrogate is not text.", file, line),)
    except yaml.YAMLError as error:
        return (), (*builder.problems, _syntax_problem(error, text, file))
    return tuple(builder.roots), tuple(builder.problems)


def locate_value(value: Any, source: str) -> tuple[tuple[Located, ...], tuple[Problem, ...]]:
    """The same for a value that came through the API: it has no lines."""
    builder = _Builder(source)
    try:
        return (builder.located(value, depth=0),), tuple(builder.problems)
    except _UnreadableError as unreadable:
        return (), (*builder.problems, unreadable.problem)


def _problem(code: ProblemCode, message: str, file: str, line: int) -> Problem:
    return Problem(code=code.value, message=message, file=file, line=line)


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        said = getattr(error, "problem", None) or "malformed"
        return _problem(ProblemCode.YAML_SYNTAX, f"This is not YAML: {said}.", file, mark.line + 1)
    position = getattr(error, "position", 0)
    line = text.count("\n", 0, position) + 1
    return _problem(ProblemCode.CONTROL_CHARACTER, "Control characters are not allowed.", file, line)


class _Frame:
    """A list or mapping that is still open."""

    __slots__ = ("entries", "is_mapping", "items", "key", "key_line", "line")

    def __init__(self, line: int, *, is_mapping: bool) -> None:
        self.line = line
        self.is_mapping = is_mapping
        self.entries: dict[str, Located] = {}
        self.items: list[Located] = []
        self.key: str | None = None
        self.key_line = 0


class _Builder:
    """Puts the tree together without recursion, so that no nesting can exhaust the stack."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.roots: list[Located] = []
        self.problems: list[Problem] = []
        self._stack: list[_Frame] = []
        self._values = 0

    def stop(self, code: ProblemCode, message: str, line: int) -> None:
        raise _UnreadableError(_problem(code, message, self.file, line))

    def refuse(self, code: ProblemCode, message: str, line: int) -> None:
        self.problems.append(_problem(code, message, self.file, line))

    def feed(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            self.stop(ProblemCode.ALIAS_NOT_READ, "Aliases are not read: write the value out.", line)
        if getattr(event, "tag", None) is not None:
            self.stop(ProblemCode.TAG_NOT_READ, "Tags are not read: write a plain value.", line)
        if isinstance(event, yaml.ScalarEvent):
            value = _resolve(event.value) if event.implicit[0] else event.value
            self._place(self.scalar(value, line), line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close()

    def _open(self, event: yaml.CollectionStartEvent, line: int) -> None:
        self._count(len(self._stack), line)
        if self._stack and self._stack[-1].is_mapping and self._stack[-1].key is None:
            self.stop(ProblemCode.KEY_NOT_TEXT, "A key must be text, not a list or a mapping.", line)
        self._stack.append(_Frame(line, is_mapping=isinstance(event, yaml.MappingStartEvent)))

    def _close(self) -> None:
        frame = self._stack.pop()
        self._place(frame.entries if frame.is_mapping else tuple(frame.items), frame.line)

    def _place(self, value: Scalar | tuple[Located, ...] | dict[str, Located], line: int) -> None:
        if not self._stack:
            self.roots.append(Located(value, self.file, line, line))
            return
        frame = self._stack[-1]
        if not frame.is_mapping:
            frame.items.append(Located(value, self.file, line, line))
        elif frame.key is None:
            if not isinstance(value, str):
                self.refuse(ProblemCode.KEY_NOT_TEXT, "A key must be text: put it in quotes.", line)
            frame.key, frame.key_line = str(value), line
        else:
            self._enter(frame, Located(value, self.file, line, frame.key_line))

    def _enter(self, frame: _Frame, child: Located) -> None:
        key, frame.key = frame.key or "", None
        first = frame.entries.setdefault(key, child)
        if first is not child:
            message = f'The key "{key[:60]}" stands here a second time; first on line {first.key_line}.'
            self.refuse(ProblemCode.DUPLICATE_KEY, message, child.key_line)

    def _count(self, depth: int, line: int) -> None:
        self._values += 1
        if depth >= MAX_DEPTH:
            self.stop(ProblemCode.TOO_DEEP, f"Nested deeper than {MAX_DEPTH} levels.", line)
        if self._values > MAX_VALUES:
            self.stop(ProblemCode.TOO_LARGE, f"More than {MAX_VALUES} values; split the text.", line)

    def scalar(self, value: Any, line: int) -> Scalar:
        """One scalar, checked; what is refused becomes None."""
        self._count(0, line)
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            if -_INT64 <= value < _INT64:
                return int(value)
            self.refuse(ProblemCode.NUMBER_OUT_OF_RANGE, "A whole number must fit in 64 bits.", line)
        elif isinstance(value, str):
            if not _NOT_TEXT.search(value):
                return str(value)
            self.refuse(ProblemCode.CONTROL_CHARACTER, "Text holds a NUL or a lone surrogate.", line)
        else:
            kind = type(value).__name__
            self.refuse(ProblemCode.BAD_TYPE, f"A {kind} cannot stand in a policy document.", line)
        return None

    def located(self, value: Any, *, depth: int) -> Located:
        """A plain value as a located tree, without lines."""
        if isinstance(value, dict):
            self._count(depth, 0)
            entries = {self._key(key): self.located(child, depth=depth + 1) for key, child in value.items()}
            return Located(entries, self.file)
        if isinstance(value, list | tuple):
            self._count(depth, 0)
            return Located(tuple(self.located(child, depth=depth + 1) for child in value), self.file)
        return Located(self.scalar(value, 0), self.file)

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            self.refuse(ProblemCode.KEY_NOT_TEXT, "A key must be text.", 0)
            return repr(type(key).__name__)
        return str(self.scalar(key, 0) or "")


def _resolve(text: str) -> Scalar:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return float(_SPECIAL[text]) if text in _SPECIAL else text
