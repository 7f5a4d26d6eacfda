"""Which upstreams serve a model, and under which name. Decides by configuration alone."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from http import HTTPStatus

from msgspec import Struct

from clearance.config.models import ModelSettings
from clearance.core.dialects.answer import Dialect
from clearance.gateway.model_proxy.refusal import ProxyError


class Way(Struct, frozen=True):
    """The upstreams to try, in order, and their name for the model."""

    upstreams: tuple[str, ...]
    model: str


class Routes:
    """The first route that fits counts; without routes, every upstream of the client's kind."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings

    def way(self, model: str, dialect: Dialect) -> Way:
        """Raises ProxyError where nobody serves it."""
        for route in self._settings.routes:
            if fnmatchcase(model, route.model):
                speaking = self._speaking(dialect, route.upstreams)
                if speaking:
                    return Way(speaking, route.send_as or model)
                break
        else:
            if not self._settings.routes and (all_of := self.all_of(dialect)):
                return Way(all_of, model)
        message = "No upstream serves this model in this wire format: see `models:` in clearance.yaml."
        raise ProxyError(message, reason="model_not_served", status=HTTPStatus.NOT_FOUND)

    def all_of(self, dialect: Dialect) -> tuple[str, ...]:
        """Every upstream that speaks a wire format."""
        return self._speaking(dialect, tuple(self._settings.upstreams))

    def named(self, dialect: Dialect) -> list[str]:
        """The models that routes name without a pattern."""
        return [
            route.model
            for route in self._settings.routes
            if not set(route.model) & set("*?[") and self._speaking(dialect, route.upstreams)
        ]

    def _speaking(self, dialect: Dialect, names: Sequence[str]) -> tuple[str, ...]:
        anthropic = dialect is Dialect.MESSAGES
        return tuple(
            name for name in names if (self._settings.upstreams[name].kind == "anthropic") is anthropic
        )
