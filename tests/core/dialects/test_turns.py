"""Conversations told by their hashes."""

from __future__ import annotations

from typing import Any

import pytest

from clearance.core.dialects.answer import Dialect
from clearance.core.dialects.turns import Chain, first_answer, spoken
from clearance.core.dialects.wire import FORMS
from tests.servers.model_wire import Turn, body

HI: list[Any] = [{"role": "user", "content": "Hi."}]


def marks(items: list[Any], dialect: Dialect = Dialect.CHAT) -> list[str]:
    chain = Chain(dialect)
    chain.add(items)
    return chain.marks


def replayed(dialect: Dialect, answer: dict[str, Any]) -> list[Any]:
    """The answer as a client sends it again."""
    match dialect:
        case Dialect.CHAT:
            return [answer["choices"][0]["message"]]
        case Dialect.MESSAGES:
            return [{"role": "assistant", "content": answer["content"]}]
        case Dialect.RESPONSES:
            return list(answer["output"])


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(
    "turn",
    [Turn(text="Hello."), Turn(text="I will.", tool_calls=[("f", {"a": 1})]), Turn(tool_calls=[("f", {})])],
)
def test_an_answer_sent_again_is_the_answer_that_was_given(dialect: Dialect, turn: Turn) -> None:
    answer = body(dialect, turn)
    chain = Chain(dialect)
    chain.add(HI)
    (given,) = spoken(dialect, FORMS[dialect].read_answer(answer))
    assert chain.after(given) == marks([*HI, *replayed(dialect, answer)], dialect)[-1]


def test_a_conversation_that_goes_on_has_the_marks_of_its_beginning() -> None:
    longer = [*HI, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "More."}]
    assert marks(longer)[:2] == marks(longer[:2])
    assert len(set(marks(longer))) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"role": "user", "content": "Hi."}, {"role": "user", "content": [{"type": "text", "text": "Hi."}]}),
        (
            {"role": "user", "content": [{"type": "text", "text": "Hi."}]},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Hi.", "cache_control": {"type": "ephemeral"}}],
            },
        ),
        (
            {"role": "assistant", "content": "Hi."},
            {"role": "assistant", "content": "Hi.", "refusal": None, "annotations": []},
        ),
    ],
)
def test_what_clients_change_on_the_way_back_does_not_count(one: Any, other: Any) -> None:
    assert marks([one]) == marks([other])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"role": "user", "content": "a"}, {"role": "system", "content": "a"}),
        ({"role": "user", "content": "a"}, {"role": "user", "content": "b"}),
        (
            {"role": "tool", "tool_call_id": "1", "content": "a"},
            {"role": "tool", "tool_call_id": "2", "content": "a"},
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a"}}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "b"}}]},
        ),
    ],
)
def test_what_is_said_otherwise_is_another_conversation(one: Any, other: Any) -> None:
    assert marks([one]) != marks([other])


def test_where_the_model_first_spoke_is_found() -> None:
    assert first_answer(HI) == 1
    assert first_answer([*HI, {"role": "assistant", "content": "a"}, *HI]) == 1
    assert first_answer([*HI, {"type": "function_call", "call_id": "c"}]) == 1
