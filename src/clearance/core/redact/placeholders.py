"""Values that a model must not see, each under a name of its own, so that the answer can be made whole."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clearance.core.model.patterns import NAMED
from clearance.core.redact.text import replaced, scrubbed

_WRITTEN = re.compile(rf"\[(?:{'|'.join(NAMED)}):[0-9]{{1,18}}\]")


class Placeholders:
    """`[email:1]` for the first address, the same for the same address: numbered in the order of the text.

    Of a conversation that only grows the beginning so stays as it was. What the text says already is no
    placeholder: `reserve` it first, all of it.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """`names` of patterns.NAMED, in its order."""
        self.values: dict[str, str] = {}  # by placeholder
        self._names = names
        self._placeholders: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()
        self._last = dict.fromkeys(names, 0)

    def reserve(self, text: str) -> str:
        """The text as it is; what looks like a placeholder in it will not be one."""
        self._taken.update(_WRITTEN.findall(text))
        return text

    def put_into(self, text: str) -> str:
        """The text with a placeholder for each hit. What only then looks like a hit is gone for good."""
        for name in self._names:
            text = replaced(text, name, lambda value, name=name: self._of(name, value))  # type: ignore[misc]
        return scrubbed(text, self._names)

    def _of(self, name: str, value: str) -> str:
        placeholder = self._placeholders.get((name, value))
        if placeholder is None:
            placeholder = self._placeholders[name, value] = self._free(name)
            self.values[placeholder] = value
        return placeholder

    def _free(self, name: str) -> str:
        while True:
            self._last[name] += 1
            placeholder = f"[{name}:{self._last[name]}]"
            if placeholder not in self._taken:
                return placeholder
