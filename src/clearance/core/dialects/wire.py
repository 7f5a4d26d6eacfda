"""One table of the wire formats: how each is read and rewritten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from clearance.core.dialects import chat, messages, responses
from clearance.core.dialects.answer import Answer, Dialect
from clearance.core.dialects.request import ModelRequest
from clearance.core.dialects.ruling import Ruling
from clearance.core.dialects.slots import Slot


class WireForm(Struct, frozen=True):
    """The functions of one dialect, named as in its module."""

    read_request: Callable[[dict[str, Any]], ModelRequest]
    read_answer: Callable[[dict[str, Any]], Answer]
    rule: Callable[[dict[str, Any], Sequence[Ruling]], None]
    slots: Callable[[dict[str, Any]], list[Slot]]


FORMS = {
    dialect: WireForm(form.read_request, form.read_answer, form.rule, form.slots)
    for dialect, form in (
        (Dialect.CHAT, chat),
        (Dialect.RESPONSES, responses),
        (Dialect.MESSAGES, messages),
    )
}
