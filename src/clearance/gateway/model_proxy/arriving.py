"""One request to a model, read once and understood; and the run that it belongs to. Clears nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs

from clearance.config.models import ModelSettings
from clearance.core.dialects.reading import of_one_model, plainly_named, worded
from clearance.core.dialects.request import ModelRequest
from clearance.core.dialects.turns import Chain
from clearance.core.dialects.wire import FORMS
from clearance.core.model import Principal, RecordKind
from clearance.errors import NotFoundError, RequestError
from clearance.gateway.body import decode_object, read
from clearance.gateway.doors import RUN_ID, Receive, Scope
from clearance.gateway.model_proxy.conversation import Conversations, Known, goal_of
from clearance.gateway.model_proxy.headers import value_of
from clearance.gateway.model_proxy.places import Place, Work
from clearance.gateway.model_proxy.proposals import DOOR
from clearance.gateway.passage import Passage
from clearance.gateway.presented import presented_as_key
from clearance.ports import RecordQuery
from clearance.runtime.joining import Hints
from clearance.runtime.runs import Run

_MOST_SAID = 10  # records of an agent's that name an answer


@dataclass(frozen=True, slots=True)
class Arrived:
    """`raw` is the body as the client wrote it; `body` the same, read, with the model that the path names.

    `written` is that body's JSON, where it is at hand.
    """

    place: Place
    principal: Principal
    scope: Scope
    raw: bytes
    body: dict[str, Any]
    written: bytes
    request: ModelRequest
    chain: Chain

    def without_body(self) -> Arrived:
        """What the end of the call still needs to know of it."""
        request = structs.replace(self.request, items=[], provider_tools=(), results=(), goal="")
        return replace(self, raw=b"", body={}, request=request)

    @property
    def is_as_written(self) -> bool:
        """Whether `raw` says the same as `body`."""
        return not self.place.model or self.place.work is Work.MODEL


async def arrived(
    passage: Passage, settings: ModelSettings, place: Place, scope: Scope, receive: Receive
) -> Arrived:
    """Raises AuthenticationError, ForbiddenError, RequestError."""
    caller = await passage.identify(presented_as_key(scope))
    raw = await read(receive, settings.most_body_bytes)
    body, written = decode_object(raw)
    if place.model:
        body["model"], written = place.model, b""
    request = read_request(place, body)
    if not request.model:
        raise RequestError("`model` is missing.", reason="missing_field")
    chain = Chain(place.dialect)
    chain.add(request.items)
    return Arrived(place, caller.principal, scope, raw, body, written, request, chain)


def read_request(place: Place, body: dict[str, Any]) -> ModelRequest:
    """Raises RequestError."""
    if place.work is Work.CONVERSE:
        return FORMS[place.dialect].read_request(body)
    of_one_model(body)
    plainly_named((body,))
    return ModelRequest(model=worded(body, "model"), most_output=0)


async def run_of(asked: Arrived, passage: Passage, conversations: Conversations) -> tuple[Run, int]:
    """The run, and how many of the request's first messages its trace holds.

    Raises NotFoundError, ForbiddenError, RequestError, StoreError.
    """
    agent, request = asked.principal.agent, asked.request
    is_retry = value_of(asked.scope["headers"], b"x-stainless-retry-count") not in ("", "0")
    known = conversations.find(agent, request.items, asked.chain, is_retry=is_retry)
    if known is None:
        known = conversations.held(agent, asked.chain)
    said = _named(asked)
    if request.previous:
        before = await _run_of_answer(agent, request.previous, passage, conversations)
        said = said or before
    trace = value_of(asked.scope["headers"], b"traceparent")
    run = await _joined(asked, passage, said, trace, known)
    return run, known.messages if known is not None and known.run_id == run.run_id else 0


async def _joined(asked: Arrived, passage: Passage, said: str, trace: str, known: Known | None) -> Run:
    if said:
        return await passage.join(asked.principal, Hints(run_id=said))
    if not trace and known is not None:
        try:
            return await passage.join(asked.principal, Hints(run_id=known.run_id))
        except NotFoundError:
            pass  # no longer kept: it begins anew
    return await passage.join(asked.principal, Hints(traceparent=trace, goal=goal_of(asked.request.goal)))


def _named(asked: Arrived) -> str:
    """The run that the request names, in a header, its path or its metadata."""
    metadata = asked.body.get("metadata")
    in_body = metadata.get("clearance_run") if isinstance(metadata, Mapping) else None
    names = {
        asked.scope.get(RUN_ID, ""),
        value_of(asked.scope["headers"], b"clearance-run"),
        in_body if isinstance(in_body, str) else "",
    } - {""}
    if len(names) > 1:
        raise RequestError("The request names two runs.", reason="wrong_value")
    return names.pop() if names else ""


async def _run_of_answer(agent: str, answer_id: str, passage: Passage, conversations: Conversations) -> str:
    """Raises NotFoundError: nobody goes on from another agent's answer, though the provider knows it.

    Nor from one that it only says it was given: what agents tell of their own actions is in the journal too.
    """
    if run_id := conversations.run_of_answer(agent, answer_id):
        return run_id
    said = f'"id":"{answer_id}"'
    query = RecordQuery(
        agent=agent, operation="model_call", kind=RecordKind.OUTCOME.value, text=said, limit=_MOST_SAID
    )
    for record in await asyncio.to_thread(passage.point.journal.search, query):
        if passage.point.came_by(record.action_id).door == DOOR:
            return record.run_id
    raise NotFoundError("No answer of this id was given to this agent here.")
