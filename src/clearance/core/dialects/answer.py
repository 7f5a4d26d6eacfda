"""What a model answered, in no provider's words: what is judged, recorded and priced."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Dialect(StrEnum):
    """A wire format."""

    CHAT = "openai_chat"  # OpenAI Chat Completions, and every server that speaks it
    RESPONSES = "openai_responses"  # OpenAI Responses
    MESSAGES = "anthropic_messages"  # Anthropic Messages


class ToolCall(Struct, frozen=True, kw_only=True):
    """One tool call that the model asks for. `arguments` is its JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str
    choice: int = 0


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens, as the provider counted them; None where it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int = 0


class Answer(Struct, frozen=True, kw_only=True):
    """Everything that a model answered. `texts` and `refusals` by choice, in order."""

    id: str = ""
    model: str = ""
    texts: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    finish: tuple[str, ...] = ()
    usage: Usage = Usage()
