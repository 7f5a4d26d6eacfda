"""One simple command with what surrounds it, and what its reader may ask back. Values and one Protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from clearance.core.classify.found import thing
from clearance.core.classify.paths import normalised_path
from clearance.core.classify.shell.words import Word
from clearance.core.model import Operation
from clearance.core.model.effects import Classification, Named

# What reads the SQL text given to a database client.
SqlReader = Callable[[str], Classification]


class Call(Struct, frozen=True, kw_only=True):
    """A command's words, its name first.

    `directory` is where it runs: empty where the text begins, None where that cannot be told. `stdin` is
    the text it is given, where that is written out. `variables` are those set before it in the same text.
    """

    words: tuple[Word, ...]
    directory: str | None = ""
    stdin: str | None = None
    variables: Mapping[str, Word] = {}
    functions: frozenset[str] = frozenset()
    depth: int = 0

    @property
    def arguments(self) -> tuple[Word, ...]:
        return self.words[1:]

    def file(self, word: Word | str, operation: Operation) -> Named:
        """`file:<path>`, seen from where the command runs."""
        path = word if isinstance(word, str) else word.text
        if path is None or path == "" or (self.directory is None and not path.startswith(("/", "~"))):
            return thing("file", None, operation)
        if self.directory and not path.startswith(("/", "~")):
            path = f"{self.directory}/{path}"
        return thing("file", normalised_path(path), operation)


class Reader(Protocol):
    """What the reading of one command may ask: the reading of another one that it runs."""

    sql: SqlReader

    def text(self, command: str, within: Call) -> Classification:
        """A command line handed to another shell."""
        ...

    def words(self, words: Sequence[Word], within: Call) -> Classification:
        """A command given as words that no shell expands again."""
        ...
