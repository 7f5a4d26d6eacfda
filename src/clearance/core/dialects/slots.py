"""Places of texts in an answer, and JSON texts of arguments. Knows no wire format."""

from __future__ import annotations

from typing import Any

import msgspec

Slot = tuple[dict[str, Any], str]  # an object of the answer, and which of its members is the text
_ENCODER = msgspec.json.Encoder()


def forget_probabilities(value: Any) -> None:
    """Leave out the token probabilities of an answer that was changed: they repeat what it said."""
    if type(value) is dict:
        if value.get("logprobs"):
            value["logprobs"] = [] if type(value["logprobs"]) is list else None
        for item in value.values():
            forget_probabilities(item)
    elif type(value) is list:
        for item in value:
            forget_probabilities(item)


def json_text(value: Any) -> str:
    """A value as JSON."""
    return _ENCODER.encode(value).decode()


def of_strings(arguments: str, name: str) -> Any:
    """One member of arguments that are JSON text."""
    return msgspec.json.decode(arguments).get(name)
