"""What an action may run with: its arguments, what a policy names taken out of them. Stores nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clearance.core.model import Transform
from clearance.core.model.patterns import NAMED
from clearance.core.redact.opening import MAX_DEPTH, MAX_INTEGER, opened
from clearance.core.redact.placeholders import Placeholders
from clearance.core.redact.storage import unused
from clearance.core.redact.text import REDACTED, found, printable, scrubbed
from clearance.core.redact.written import is_free_of
from clearance.errors import ConfigurationError, Problem


def transformed(
    arguments: dict[str, Any], transforms: Sequence[Transform], *, written: bytes = b""
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arguments as they may be used, and the dotted paths that were changed.

    What stands at `paths` (`customer.email`, `items.*.note`) becomes `[redacted]`; what `patterns` find in a
    text, a key, a number or bytes becomes `[redacted:<pattern>]`. An object that holds something to take out
    is replaced by its fields. Where a transform restores, a placeholder (`[email:1]`) stands for each value
    instead; a pattern that another one takes out for good is gone. Untouched arguments come back as the same
    object. `written`, if given, is their JSON. Raises ConfigurationError for a pattern that nobody defined.
    """
    if not transforms or (written and _find_nothing(transforms, written)):
        return arguments, ()
    result, changed, _ = _applied(arguments, transforms)
    return result, changed


def restorations(arguments: dict[str, Any], transforms: Sequence[Transform]) -> Mapping[str, str]:
    """Which value each placeholder stands for in the same arguments, transformed. Never to be stored."""
    return _applied(arguments, transforms)[2]


def _applied(
    arguments: dict[str, Any], transforms: Sequence[Transform]
) -> tuple[dict[str, Any], tuple[str, ...], Mapping[str, str]]:
    taken = {name for transform in transforms for name in transform.patterns if not transform.restore}
    restored = {name for transform in transforms for name in transform.patterns} - taken
    if unknown := sorted((taken | restored) - NAMED.keys()):
        raise ConfigurationError([_unknown_pattern(name) for name in unknown])
    result: Any = arguments
    changed: list[str] = []
    for transform in transforms:
        for path in transform.paths:
            result = _without(result, tuple(path.split(".")), (), changed)
    names = _ordered(taken)
    if names and _may_hold(result, names):
        result = _Scrub(lambda text: scrubbed(text, names), changed).of(result, ())
    placeholders = Placeholders(_ordered(restored))
    if restored and _may_hold(result, _ordered(restored)):
        _Scrub(placeholders.reserve, []).of(result, ())
        result = _Scrub(placeholders.put_into, changed).of(result, ())
    return result, tuple(dict.fromkeys(changed)), placeholders.values


def _find_nothing(transforms: Sequence[Transform], written: bytes) -> bool:
    names = {name for transform in transforms for name in transform.patterns}
    if names - NAMED.keys() or any(transform.paths for transform in transforms):
        return False
    return is_free_of(written, _ordered(names))


def _ordered(names: set[str]) -> tuple[str, ...]:
    return tuple(name for name in NAMED if name in names)


def _unknown_pattern(name: str) -> Problem:
    known = ", ".join(sorted(NAMED))
    return Problem(code="unknown_pattern", message=f"No pattern is named {name}; use one of {known}.")


def _without(value: Any, steps: tuple[str, ...], here: tuple[str, ...], changed: list[str]) -> Any:
    """The value with what stands at `steps` replaced; the same object where nothing stands there."""
    if not steps:
        if type(value) is str and value == REDACTED:
            return value
        changed.append(".".join(here))
        return REDACTED
    view = value if type(value) in (dict, list, tuple) else opened(value)
    step, rest, whole = steps[0], steps[1:], ".".join(steps)
    if isinstance(view, dict):
        made: Any = {}
        for key, item in view.items():
            name = str(key) if isinstance(key, (str, int)) else ""
            left = () if name == whole else rest if step in ("*", name) else None
            made[key] = item if left is None else _without(item, left, (*here, name), changed)
        return made if any(made[key] is not view[key] for key in made) else value
    if isinstance(view, (list, tuple)):
        made = [
            _without(item, rest, (*here, str(at)), changed) if step in ("*", str(at)) else item
            for at, item in enumerate(view)
        ]
        kept = all(item is before for item, before in zip(made, view, strict=True))
        return value if kept else tuple(made) if isinstance(view, tuple) else made
    return value


def _may_hold(value: Any, names: tuple[str, ...]) -> bool:
    """False only where no text of a plain value holds what the patterns find. One search: texts are many."""
    texts = _texts_of(value)
    return texts is None or found("\n".join(texts), names)


def _texts_of(value: Any) -> list[str] | None:
    """Every text, key and number of JSON; None for anything else. A loop, level by level: it is often run."""
    texts: list[str] = []
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for container in level:
            if not _gathered(container, texts, below):
                return None
        if not below:
            return texts
        level = below
    return None


def _gathered(container: Any, texts: list[str], below: list[Any]) -> bool:
    items = container
    if type(container) is dict:
        if not all(type(key) is str for key in container):
            return False
        texts += container
        items = container.values()
    for item in items:
        kind = type(item)
        if kind is str:
            texts.append(item)
        elif kind is dict or kind is list:
            below.append(item)
        elif kind is int or kind is float:
            texts.append(str(item) if abs(item) < MAX_INTEGER else "")
        elif kind is not bool and item is not None:
            return False
    return True


class _Scrub:
    """Cleans every text of any value, and notes where that changed something."""

    def __init__(self, clean: Callable[[str], str], changed: list[str]) -> None:
        self._clean = clean
        self._changed = changed
        self._open: set[int] = set()  # the containers around the value, by identity
        self._done: dict[int, tuple[Any, Any]] = {}  # by identity: the value, kept alive, and its result

    def of(self, value: Any, here: tuple[str, ...]) -> Any:
        if value is None or type(value) is bool:
            return value
        if type(value) is str:
            return self._text(value, here)
        if type(value) in (int, float):
            return self._number(value, here)
        if id(value) in self._done:
            return self._done[id(value)][1]
        if id(value) in self._open or len(here) > MAX_DEPTH:
            return self._note("[redacted:too_deep]", here)
        self._open.add(id(value))
        result = self._container(value, here)
        self._open.remove(id(value))
        self._done[id(value)] = (value, result)
        return result

    def _container(self, value: Any, here: tuple[str, ...]) -> Any:
        if type(value) is dict:
            return self._mapping(value, here)
        if type(value) in (list, tuple):
            made = [self.of(item, (*here, str(at))) for at, item in enumerate(value)]
            kept = all(item is before for item, before in zip(made, value, strict=True))
            return value if kept else type(value)(made)
        if isinstance(value, (bytes, bytearray, memoryview)):
            text = bytes(value).decode("utf-8", "replace")
            clean = self._text(text, here)
            return value if clean == text else clean.encode()
        view = opened(value)
        clean = self.of(view, here)
        return value if clean is view else clean

    def _mapping(self, value: dict[Any, Any], here: tuple[str, ...]) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        kept = True
        for key, item in value.items():
            text = key if type(key) is str else str(opened(key))
            clean = self._text(text, here)
            name = key if clean is text else unused(made, clean)
            made[name] = self.of(item, (*here, str(name)))
            kept = kept and name is key and made[name] is item
        return value if kept else made

    def _number(self, value: int | float, here: tuple[str, ...]) -> Any:
        text = str(value) if abs(value) < MAX_INTEGER else ""
        clean = self._text(text, here)
        return value if clean == text else clean

    def _text(self, text: str, here: tuple[str, ...]) -> str:
        plain = printable(text)
        clean = self._clean(plain)
        return text if clean == plain else self._note(clean, here)

    def _note(self, result: str, here: tuple[str, ...]) -> str:
        self._changed.append(".".join(here))
        return result
