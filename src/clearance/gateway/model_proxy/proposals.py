"""Tool calls that a model asks for, each cleared before the agent sees it; and what then came of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from clearance.core.dialects.answer import ToolCall
from clearance.core.dialects.request import ProviderTool, ToolResult
from clearance.core.dialects.ruling import Allowed, AllowedWith, Refused, Ruling
from clearance.core.dialects.slots import json_text
from clearance.core.model import ActionCall, ObligationKind, OutcomeReport, OutcomeStatus, Principal
from clearance.errors import ConflictError, NotFoundError, RequestError
from clearance.gateway.body import decode
from clearance.gateway.model_proxy.refusal import NotClearedError, sentence
from clearance.gateway.passage import Passage
from clearance.runtime.proposals import PROPOSING
from clearance.runtime.recent import Recent

DOOR = PROPOSING
HONOURS = (ObligationKind.TRANSFORM, ObligationKind.INSPECT)
_KEPT = 65_536  # calls whose results are waited for, or were judged
_MOST_NAME = 256  # characters


class Within(Struct, frozen=True, kw_only=True):
    """Where an action belongs: whose it is, its run, and the model call that asked for it."""

    principal: Principal
    run_id: str
    parent_id: str = ""


class Proposal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tool call, as the record of its model call names it."""

    id: str
    name: str
    action_id: str = ""
    refused: str = ""  # a reason code


class _Open(Struct, frozen=True):
    """A call that the agent was given. `shown` stands for its result once that is judged and changed."""

    action_id: str
    is_told: bool = False
    shown: tuple[Any, ...] = ()


class Proposals:
    """Belongs to one event loop. Call ids are an upstream's: they count within their run only."""

    def __init__(self, passage: Passage, prefixes: Sequence[str]) -> None:
        self._passage = passage
        self._prefixes = prefixes
        self._open: Recent[_Open] = Recent(_KEPT)

    async def rule(
        self, call: ToolCall, within: Within, *, offered: frozenset[str]
    ) -> tuple[Ruling, Proposal]:
        """Raises StoreError: then, too, the agent may not see it."""
        name = self._own_name(call.name)
        if call.name not in offered or not name.strip() or len(name) > _MOST_NAME:
            return _malformed(call, "the request offers no such tool", code="tool_not_offered")
        try:
            arguments = decode(call.arguments.encode() or b"{}", dict)
        except RequestError as error:
            return _malformed(call, "its arguments cannot be read", code=error.reason)
        check = await self._clear(name, arguments, within)
        if not check.allowed:
            told = f"Clearance refused the tool call {call.name}: {sentence(check)} [{check.reason_code}]"
            entry = Proposal(id=call.id, name=call.name, action_id=check.action_id, refused=check.reason_code)
            return Refused(told), entry
        self._open.put(_key(within.run_id, call.id), _Open(check.action_id))
        entry = Proposal(id=call.id, name=call.name, action_id=check.action_id)
        if check.arguments is None:
            return Allowed(), entry
        return AllowedWith(json_text(check.arguments)), entry

    async def clear_provider_tools(self, tools: Sequence[ProviderTool], within: Within) -> list[str]:
        """The action ids of what the provider will run. Raises NotClearedError; nothing is sent then."""
        cleared: list[str] = []
        for tool in tools:
            check = await self._clear(tool.name, tool.arguments, within, honours=())
            if not check.allowed:
                await self.ended(cleared, OutcomeStatus.FAILED, "the request was refused")
                raise NotClearedError(check)
            cleared.append(check.action_id)
        return cleared

    async def ended(self, action_ids: Sequence[str], status: OutcomeStatus, error: str = "") -> None:
        """Close what the provider ran, or did not."""
        for action_id in action_ids:
            await self._passage.told(action_id, OutcomeReport(status=status, error=error))

    async def judge(self, result: ToolResult, run_id: str) -> tuple[Any, ...]:
        """What the model may read instead of a result: one value, or nothing where it is as it came.

        A result closes its call, once; a conversation repeats it in every request, and gets the same.
        """
        key = _key(run_id, result.call_id)
        known = self._open.get(key)
        if known is None:
            return ()
        if known.is_told:
            return known.shown
        value, is_json = _opened(result.value)
        judged = self._passage.judge_result(known.action_id, value)
        shown: tuple[Any, ...] = ()
        if judged.withheld:
            shown = (f"Clearance withheld the result: {judged.reason}",)
        elif judged.value is not value:
            shown = (json_text(judged.value) if is_json else judged.value,)
        status = OutcomeStatus.FAILED if result.failed else OutcomeStatus.SUCCEEDED
        kept = None if judged.withheld else judged.value
        report = OutcomeReport(status=status, result=kept)
        with suppress(ConflictError, NotFoundError):  # whoever ran it has told already
            await self._passage.told(known.action_id, report, judged=judged)
        self._open.put(key, _Open(known.action_id, True, shown))
        return shown

    def remember(self, run_id: str, proposals: Sequence[Proposal]) -> None:
        """Calls of an earlier process, whose results may still come."""
        for one in proposals:
            if one.action_id and not one.refused:
                self._open.put(_key(run_id, one.id), _Open(one.action_id))

    async def _clear(
        self,
        name: str,
        arguments: dict[str, Any],
        within: Within,
        honours: tuple[ObligationKind, ...] = HONOURS,
    ) -> Any:
        call = ActionCall(
            action=name,
            arguments=arguments,
            run_id=within.run_id,
            parent_id=within.parent_id,
            honours=honours,
        )
        return await self._passage.clear(call, within.principal, door=DOOR)

    def _own_name(self, name: str) -> str:
        for prefix in self._prefixes:
            if name.startswith(prefix):
                return name[len(prefix) :]
        return name


def _malformed(call: ToolCall, why: str, *, code: str) -> tuple[Ruling, Proposal]:
    told = f"Clearance refused a tool call: {why} [{code}]"
    return Refused(told), Proposal(id=call.id, name=call.name[:_MOST_NAME], refused=code)


def _opened(value: Any) -> tuple[Any, bool]:
    """A result as policies look at it: JSON text opened."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return decode(value.encode(), object), True
        except (RequestError, UnicodeEncodeError):
            pass
    return value, False


def _key(run_id: str, call_id: str) -> str:
    return f"{run_id}\0{call_id}"
