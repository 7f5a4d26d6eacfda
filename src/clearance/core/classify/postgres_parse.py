"""Text to the parser's own tree, with the limits. Raises UnreadableError, never anything else."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

postgast: Final[Any] = import_module(
    "postgast"
)  # its own type stubs are not valid Python, mypy stops at them
Tree = Any  # a protobuf message: the parser's wire payload
MOST_BYTES: Final = 1_000_000  # a statement beyond it is not read: 8 s of parsing at the measured 8 µs a byte


class UnreadableError(Exception):
    """A text that was not parsed. The message quotes nothing of it."""


def statements_of(text: str) -> list[Tree]:
    """One tree a statement. An empty text has none."""
    return [raw.stmt for raw in parse(text).stmts]


def parse(text: str) -> Tree:
    """The whole result, with the place of every statement."""
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise UnreadableError(f"longer than {MOST_BYTES} bytes")
    if "\0" in text:
        raise UnreadableError("holds a NUL character, after which the server would not read on")
    try:
        return postgast.parse(text)
    except postgast.PgQueryError:
        raise UnreadableError("not valid PostgreSQL") from None
    except UnicodeEncodeError:
        raise UnreadableError("not valid Unicode") from None
    except (RecursionError, MemoryError):
        raise UnreadableError("nested too deeply") from None
    except Exception as error:  # the decoder of the tree has errors of its own, for depth among others
        raise UnreadableError(f"nested too deeply, or not readable ({type(error).__name__})") from None


def plpgsql_of(definition: str) -> list[Any]:
    """The PL/pgSQL of a CREATE FUNCTION, as the parser's own JSON."""
    try:
        functions: list[Any] = postgast.parse_plpgsql(definition)
    except (postgast.PgQueryError, ValueError):
        raise UnreadableError("its PL/pgSQL was not parsed") from None
    return functions


def pieces(text: str) -> tuple[str, ...]:
    """Every statement's exact text, in order, without the semicolons."""
    parsed = parse(text)  # also says whether the text can be encoded at all
    raw = text.encode("utf-8")
    found = []
    for statement in parsed.stmts:
        start = statement.stmt_location
        end = start + statement.stmt_len if statement.stmt_len else len(raw)
        found.append(raw[start:end].decode("utf-8").strip())
    return tuple(found)
