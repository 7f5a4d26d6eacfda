"""What a guarded stream asks of its door, and what the door answers. Values only."""

from __future__ import annotations

from msgspec import Struct

from clearance.core.dialects.answer import ToolCall
from clearance.core.dialects.ruling import Allowed, Refused


class Forward(Struct, frozen=True):
    """Whole events that the client may see now."""

    data: bytes


class AskTool(Struct, frozen=True):
    """A tool call is whole. Nothing behind it leaves until `decided`."""

    call: ToolCall


class AskText(Struct, frozen=True):
    """Every text of the answer, in the order in which they began. Nothing leaves until `judged`."""

    texts: tuple[str, ...]


class Fail(Struct, frozen=True):
    """The stream is over, and what was kept back never leaves.

    `code` is one of upstream_error, upstream_truncated, malformed_stream, unknown_event, too_much_held.
    """

    code: str
    message: str


Step = Forward | AskTool | AskText | Fail


class Rewritten(Struct, frozen=True):
    """Each text of an AskText as it may be shown, in the same order."""

    texts: tuple[str, ...]


TextRuling = Allowed | Rewritten | Refused
