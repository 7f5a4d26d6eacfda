"""The paths that the model proxy serves. All else below its segments is refused: nothing passes unread."""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import quote

from msgspec import Struct

from clearance.core.dialects.answer import Dialect

SEGMENTS = ("openai", "anthropic")
_MODEL = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:@/-]{0,199}").fullmatch
_DEPLOYMENT = re.compile(
    r"/openai/deployments/([A-Za-z0-9][A-Za-z0-9._-]{0,99})/(chat/completions|embeddings)"
)


class Work(StrEnum):
    """What is done with a request."""

    CONVERSE = "converse"  # a model call whose answer may ask for tools
    CALL = "call"  # a model call whose answer is passed on: embeddings, a count of tokens
    MODELS = "models"
    MODEL = "model"


class Place(Struct, frozen=True, kw_only=True):
    """One path. `action` is what its calls are recorded as; `path` is what follows a provider's base URL."""

    work: Work
    action: str
    dialect: Dialect
    path: str
    model: str = ""  # named by the path: a deployment of Azure's, or the model that is asked about

    @property
    def method(self) -> str:
        return "GET" if self.work in (Work.MODELS, Work.MODEL) else "POST"


def _call(action: str, path: str, dialect: Dialect = Dialect.CHAT, work: Work = Work.CONVERSE) -> Place:
    return Place(work=work, action=action, dialect=dialect, path=path)


_OPENAI = {
    "/chat/completions": _call("chat_completions", "/chat/completions"),
    "/responses": _call("responses", "/responses", Dialect.RESPONSES),
    "/embeddings": _call("embeddings", "/embeddings", work=Work.CALL),
    "/models": _call("list_models", "/models", work=Work.MODELS),
}
_PLACES = {
    **{f"/openai/v1{path}": place for path, place in _OPENAI.items()},
    "/openai/responses": _OPENAI["/responses"],  # where Azure's client sends them
    "/anthropic/v1/messages": _call("messages", "/v1/messages", Dialect.MESSAGES),
    "/anthropic/v1/messages/count_tokens": _call(
        "count_tokens", "/v1/messages/count_tokens", Dialect.MESSAGES, Work.CALL
    ),
    "/anthropic/v1/models": _call("list_models", "/v1/models", Dialect.MESSAGES, Work.MODELS),
}


def dialect_of(path: str) -> Dialect:
    """In whose form an error on this path is told."""
    if path.startswith("/anthropic/"):
        return Dialect.MESSAGES
    return Dialect.RESPONSES if path.endswith("/responses") else Dialect.CHAT


def place_of(path: str) -> Place | None:
    """What is served there; None for nothing."""
    place = _PLACES.get(path)
    if place is not None:
        return place
    if found := _DEPLOYMENT.fullmatch(path):
        inner = _OPENAI[f"/{found[2]}"]
        return Place(
            work=inner.work, action=inner.action, dialect=inner.dialect, path=inner.path, model=found[1]
        )
    for below in ("/openai/v1/models", "/anthropic/v1/models"):
        model = path.removeprefix(f"{below}/")
        if model != path and _MODEL(model):
            listed = _PLACES[below]
            target = f"{listed.path}/{quote(model, safe='')}"
            return Place(
                work=Work.MODEL, action="get_model", dialect=listed.dialect, path=target, model=model
            )
    return None
