"""What is recorded of a model call once it has ended. Redaction for storage is the core's."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from msgspec import Struct

from clearance.core.dialects.answer import Answer
from clearance.gateway.model_proxy.proposals import Proposal


class Timing:
    """Of one call, from the moment that it was cleared."""

    def __init__(self) -> None:
        self._began = perf_counter()
        self._first: float | None = None

    def first_piece(self) -> None:
        """Something of the answer is here."""
        if self._first is None:
            self._first = perf_counter()

    @property
    def seconds(self) -> float:
        """So far."""
        return perf_counter() - self._began

    def told(self) -> dict[str, float]:
        """Seconds."""
        told = {"latency_seconds": round(self.seconds, 6)}
        if self._first is not None:
            told["time_to_first_token_seconds"] = round(self._first - self._began, 6)
        return told


class Said(Struct, frozen=True, kw_only=True):
    """An answer as the client got it."""

    answer: Answer
    upstream: str
    proposals: Sequence[Proposal] = ()
    conversation: tuple[str, ...] = ()
    messages: int = 0


def recorded(said: Said, timing: Timing, cost: float | None) -> dict[str, Any]:
    """The result of an outcome. Tool calls are named; their arguments stand in their own records."""
    answer = said.answer
    return {
        "id": answer.id,
        "model": answer.model,
        "upstream": said.upstream,
        "texts": list(answer.texts),
        "refusals": list(answer.refusals),
        "tool_calls": [_plain(one) for one in said.proposals],
        "finish": list(answer.finish),
        "usage": {
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
            "cached_input_tokens": answer.usage.cached_input_tokens,
        },
        "cost_usd": cost,
        **timing.told(),
        "conversation": list(said.conversation),
        "messages": said.messages,
    }


def _plain(one: Proposal) -> dict[str, str]:
    named = {"id": one.id, "name": one.name, "action_id": one.action_id, "refused": one.refused}
    return {name: value for name, value in named.items() if value}
