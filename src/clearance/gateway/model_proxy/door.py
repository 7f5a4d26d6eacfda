"""The model proxy as a door of the server: paths, errors in the provider's form, start and end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from http import HTTPStatus

from clearance.config import Settings
from clearance.errors import ClearanceError, RequestError
from clearance.gateway.departure import ClientGone
from clearance.gateway.doors import Receive, Scope, Send
from clearance.gateway.ending import Ending
from clearance.gateway.model_proxy.call import Parts
from clearance.gateway.model_proxy.conversation import Conversations
from clearance.gateway.model_proxy.conversing import converse
from clearance.gateway.model_proxy.listing import list_models
from clearance.gateway.model_proxy.places import SEGMENTS, Place, Work, dialect_of, place_of
from clearance.gateway.model_proxy.prices import Prices
from clearance.gateway.model_proxy.proposals import DOOR, Proposals
from clearance.gateway.model_proxy.refusal import ProxyError, told
from clearance.gateway.model_proxy.routing import Routes
from clearance.gateway.model_proxy.sending import Sender
from clearance.gateway.passage import Passage
from clearance.gateway.upstream.pool import Attempt, Upstreams

_LOG = logging.getLogger("clearance")


class ModelProxy:
    """A `NetworkDoor`. Open where the settings name an upstream."""

    segments: tuple[str, ...] = SEGMENTS

    def __init__(self, passage: Passage) -> None:
        settings = passage.assembly.settings.models
        self._passage = passage
        self._retired: list[Upstreams] = []  # what they began goes on; nothing new begins there
        self._parts = Parts(
            passage=passage,
            settings=settings,
            upstreams=Upstreams(settings.upstreams, self._tried),
            sender=Sender(settings),
            routes=Routes(settings),
            prices=Prices(settings),
            proposals=Proposals(passage, settings.tool_prefixes),
            conversations=Conversations(),
            ending=Ending(),
        )

    def check(self, settings: Settings) -> None:
        """Raises ConfigurationError: a key may be missing."""
        Sender(settings.models)

    async def reload(self, settings: Settings) -> None:
        """Calls that are under way end as they began."""
        models, before = settings.models, self._parts
        if models == before.settings:
            return
        self._retired.append(before.upstreams)
        self._parts = replace(
            before,
            settings=models,
            upstreams=Upstreams(models.upstreams, self._tried),
            sender=Sender(models),
            routes=Routes(models),
            prices=Prices(models),
        )

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, answered in its provider's form whatever happens."""
        path: str = scope["path"]
        try:
            with self._parts.ending.answering():
                place = _place(path, scope["method"])
                work = list_models if place.work in (Work.MODELS, Work.MODEL) else converse
                await work(self._parts, place, scope, receive, send)
        except ClientGone:
            return
        except Exception as error:  # the door answers every failure; what is unexpected is logged by its kind
            if not isinstance(error, ClearanceError):
                _LOG.error("the model proxy failed at %s (%s)", scope["method"], type(error).__name__)
            answer = told(error, dialect_of(path))
            headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": answer.body})

    async def start(self) -> None:
        """Read back which conversation belongs to which run."""
        outcomes = await asyncio.to_thread(self._parts.conversations.read_back, self._passage.point)
        for run_id, proposals in outcomes:
            self._parts.proposals.remember(run_id, proposals)

    def _tried(self, attempt: Attempt) -> None:
        metrics = self._passage.metrics
        metrics.answered(DOOR, attempt.upstream, status=attempt.status, seconds=attempt.seconds)
        metrics.resting(attempt.upstream, is_open=attempt.rests)

    async def drain(self) -> None:
        """Answers that are under way go on."""
        await self._parts.ending.drain()

    async def close(self) -> None:
        """Streams end with an error event; then the connections are let go."""
        await self._parts.ending.close()
        for upstreams in (*self._retired, self._parts.upstreams):
            await upstreams.close()


def _place(path: str, method: str) -> Place:
    place = place_of(path)
    if place is None:
        message = "This endpoint is not offered: what it carries would pass unread."
        raise ProxyError(message, reason="not_offered", status=HTTPStatus.NOT_FOUND)
    if method != place.method:
        raise RequestError(f"This path takes {place.method}.", reason="method_not_allowed")
    return place
