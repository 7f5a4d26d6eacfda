"""What a model call may cost, before it, and what it did cost, after it. Numbers only; sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from clearance.config.models import ModelSettings, Price
from clearance.core.dialects.answer import Usage

_BYTES_PER_TOKEN = 3  # no tokenizer in use makes more tokens of text than one for every three bytes of JSON
_MILLION = 1_000_000
_MOST_MODELS = 1_024  # whose names a client may make up
NOTHING = {"input_tokens": 0.0, "output_tokens": 0.0, "total_tokens": 0.0, "cost_usd": 0.0}


class Prices:
    """By glob; the first that fits counts, as it is written."""

    def __init__(self, settings: ModelSettings) -> None:
        self._prices: Mapping[str, Price] = settings.prices
        self._found: dict[str, Price | None] = {}  # by model: what the globs say of it
        self._reserve = settings.reserve_output_tokens

    def reserved(
        self, model: str, *, body_bytes: int, most_output: int | None, choices: int = 1
    ) -> dict[str, int | float | None]:
        """The facts that budgets hold back. A model without a price costs None: nobody knows."""
        given = -(-body_bytes // _BYTES_PER_TOKEN)
        made = (self._reserve if most_output is None else most_output) * max(choices, 1)
        return {
            "input_tokens": given,
            "output_tokens": made,
            "total_tokens": given + made,
            "cost_usd": self._cost(model, given=given, made=made),
        }

    def measured(self, model: str, usage: Usage) -> dict[str, float]:
        """What the provider counted; empty where it did not: what was held back is then what it cost."""
        given, made = usage.input_tokens, usage.output_tokens or 0
        if given is None:
            return {}
        found: dict[str, float] = {
            "input_tokens": given,
            "output_tokens": made,
            "total_tokens": given + made,
        }
        cost = self._cost(model, given=given, made=made, cached=usage.cached_input_tokens)
        return found if cost is None else {**found, "cost_usd": cost}

    def _cost(self, model: str, *, given: int, made: int, cached: int = 0) -> float | None:
        price = self._price(model)
        if price is None:
            return None
        cached = min(cached, given)
        cheaper = price.input if price.cached_input is None else price.cached_input
        dollars = (given - cached) * price.input + cached * cheaper + made * price.output
        return round(dollars / _MILLION, 9)

    def _price(self, model: str) -> Price | None:
        if model not in self._found:
            if len(self._found) >= _MOST_MODELS:
                self._found.clear()
            fits = (price for glob, price in self._prices.items() if fnmatchcase(model, glob))
            self._found[model] = next(fits, None)
        return self._found[model]
