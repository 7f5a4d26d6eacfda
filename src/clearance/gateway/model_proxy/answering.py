"""An answer in one piece: its texts judged, each of its tool calls cleared, what is refused taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from clearance.core import redact
from clearance.core.dialects.answer import Answer
from clearance.core.dialects.ruling import Allowed, AllowedWith, Ruling
from clearance.core.dialects.slots import forget_probabilities
from clearance.core.dialects.turns import spoken
from clearance.core.dialects.wire import FORMS, WireForm
from clearance.core.model import Judged, OutcomeReport, OutcomeStatus, ResultRules
from clearance.core.streams.scrub import Scrub
from clearance.gateway.body import decode, decode_object
from clearance.gateway.model_proxy.call import Call, Parts, close
from clearance.gateway.model_proxy.outcome import Said, recorded
from clearance.gateway.model_proxy.proposals import Proposal
from clearance.gateway.model_proxy.refusal import WithheldError

_ENCODER = msgspec.json.Encoder()
# Members of tool calls, which are decided on their own.
_CALLS = frozenset({"action", "actions", "function_call", "input", "operation", "tool_calls"})


async def answer_of(parts: Parts, call: Call, upstream: str, raw: bytes) -> bytes:
    """The answer as the client may see it, recorded. Untouched, it is what the upstream sent, to the byte.

    Raises RequestError for what is no answer, WithheldError, StoreError.
    """
    form = FORMS[call.asked.place.dialect]
    body, written = decode_object(raw)
    answer = form.read_answer(body)
    kept_back = Scrub((), parts.passage.restorations(call.check.action_id))
    judged, changed = None, False
    if _ask_about(parts.passage.result_rules(call.check.action_id), written):
        judged, changed = await _judged_texts(parts, call, form, body, upstream, answer)
    if kept_back.is_active:
        form.rule(body, [AllowedWith(kept_back.restored_json(one.arguments)) for one in answer.tool_calls])
        answer, changed = form.read_answer(body), True
    rulings, proposals = await _rule_all(parts, call, answer)
    if any(not isinstance(one, Allowed) for one in rulings):
        form.rule(body, rulings)
        changed = True
    answer = form.read_answer(body) if changed else answer
    for holder, name in form.slots(body) if kept_back.is_active else ():  # no record holds what was put back
        holder[name] = kept_back.restored(holder[name])
    if changed:
        forget_probabilities(body)
    await record(parts, call, said_by(call, answer, upstream, proposals), judged)
    return _ENCODER.encode(body) if changed else raw


async def passed_on(parts: Parts, call: Call, upstream: str, raw: bytes) -> bytes:
    """An answer that asks for nothing: embeddings, a count. Recorded without its content."""
    body: dict[str, Any] = decode(raw, dict)
    form = FORMS[call.asked.place.dialect]
    usage = form.read_answer({"usage": body.get("usage")}).usage
    said = Said(answer=Answer(model=str(body.get("model") or ""), usage=usage), upstream=upstream)
    await record(parts, call, said, None)
    return raw


def _ask_about(rules: ResultRules, written: bytes) -> bool:
    """Whether policies may have something to say of this answer. Most hold nothing to be taken out."""
    return rules.whole or (bool(rules.patterns) and not redact.is_free_of(written, rules.patterns))


async def _judged_texts(
    parts: Parts, call: Call, form: WireForm, body: dict[str, Any], upstream: str, answer: Answer
) -> tuple[Judged | None, bool]:
    """What policies say of the texts, carried out in the body. Raises WithheldError, which is recorded."""
    slots = form.slots(body)
    texts = [holder[name] for holder, name in slots]
    judged = judge_texts(parts, call, texts)
    if judged.withheld:
        nothing = Answer(id=answer.id, model=answer.model, finish=answer.finish, usage=answer.usage)
        await record(parts, call, Said(answer=nothing, upstream=upstream), judged)
        raise WithheldError(judged, call.check.action_id)
    for (holder, name), text in zip(slots, judged.value["texts"], strict=True):
        holder[name] = text
    rules = parts.passage.result_rules(call.check.action_id)
    rest = Scrub(rules.patterns, {}).clean_value(body, skip=_CALLS)  # annotations, what provider's tools gave
    is_changed = rest is not body
    if is_changed:
        body |= rest
    return judged, is_changed or bool(judged.redacted)


def _count(parts: Parts, said: Said, measured: Mapping[str, float]) -> None:
    usage = said.answer.usage
    parts.passage.metrics.spent(
        said.upstream,
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cost_usd=measured.get("cost_usd"),
    )


def judge_texts(parts: Parts, call: Call, texts: Sequence[str]) -> Judged:
    """What policies say of an answer's texts: `result.texts.*` to their conditions."""
    return parts.passage.judge_result(call.check.action_id, {"texts": list(texts)})


async def _rule_all(parts: Parts, call: Call, answer: Answer) -> tuple[list[Ruling], list[Proposal]]:
    """Every tool call, cleared one after the other: rules that count see them in the model's order."""
    rulings, proposals = [], []
    for asked_for in answer.tool_calls:
        ruling, proposal = await parts.proposals.rule(
            asked_for, call.within, offered=call.asked.request.offered
        )
        rulings.append(ruling)
        proposals.append(proposal)
    return rulings, proposals


def said_by(call: Call, answer: Answer, upstream: str, proposals: Sequence[Proposal]) -> Said:
    """An answer, and how far the conversation is with it."""
    asked = call.asked
    items = spoken(asked.place.dialect, answer)
    return Said(
        answer=answer,
        upstream=upstream,
        proposals=proposals,
        conversation=tuple(asked.chain.after(one) for one in items),
        messages=len(asked.chain.marks) + max(map(len, items), default=0),
    )


async def record(parts: Parts, call: Call, said: Said, judged: Judged | None) -> None:
    """Before the client sees the end of it."""
    measured = parts.prices.measured(call.asked.request.model, said.answer.usage)
    result = recorded(said, call.timing, measured.get("cost_usd"))
    report = OutcomeReport(status=OutcomeStatus.SUCCEEDED, result=result)
    await close(parts, call, report, measured=measured, judged=judged)
    _count(parts, said, measured)
    for mark in said.conversation:
        parts.conversations.remember(call.run, mark, said.messages)
    if said.answer.id:
        parts.conversations.answered(call.run, said.answer.id)
