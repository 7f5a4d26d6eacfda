"""With nothing to change, what leaves is what came, byte for byte; whatever the split."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.core.dialects.answer import Dialect
from clearance.core.model.judged import ResultRules
from tests.core.streams.driving import drive, split
from tests.examples import examples
from tests.servers.model_wire import Turn, Wire, events

TEXT = 'Grüße 🌦, 漢字: ‘hi’ it is 10.2 °C\n"quoted" and a token of words.'
CALLS = [("get_weather", {"city": "Zürich", "days": 3}), ("send", '{"to": "a", "n": [1, {}]}')]
TURNS = {
    "text": Turn(text=TEXT),
    "one character a delta": Turn(text=TEXT, piece=1),
    "a refusal": Turn(refusal="I will not say that."),
    "thinking": Turn(text=TEXT, reasoning="Let me see, what is that?"),
    "tools": Turn(text=TEXT, tool_calls=CALLS),
    "only tools": Turn(tool_calls=CALLS, piece=2),
    "interleaved tools": Turn(tool_calls=CALLS, interleave=True, reasoning="hm"),
    "several choices": Turn(text=TEXT, tool_calls=CALLS, choices=3),
    "odd line ends": Turn(text=TEXT, tool_calls=CALLS, wire=Wire(crlf=True, comments=True, extra=True)),
    "nothing": Turn(),
}
RULES = [
    ResultRules(),
    ResultRules(patterns=("secret", "email", "iban", "credit_card", "ipv4")),
    ResultRules(whole=True),
    ResultRules(patterns=("secret",), whole=True),
]


@pytest.mark.parametrize("rules", RULES, ids=["none", "patterns", "whole", "both"])
@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
@pytest.mark.parametrize("dialect", Dialect)
def test_what_nothing_changes_passes_byte_for_byte(dialect: Dialect, turn: Turn, rules: ResultRules) -> None:
    frames = events(dialect, turn)
    data = b"".join(frames)
    for chunks, late in ((frames, True), ([data], False), (split(data, 1), False), (split(data, 97), True)):
        seen = drive(dialect, chunks, rules=rules, restore={"[email_1]": "a@b.ch"}, late=late)
        assert seen.failed is None
        assert seen.data == data
        assert seen.guard.done
        assert len(seen.asked) == len(turn.tool_calls) * (turn.choices if dialect is Dialect.CHAT else 1)


@pytest.mark.parametrize("dialect", Dialect)
def test_text_leaves_with_its_own_chunk(dialect: Dialect) -> None:
    frames = events(dialect, Turn(text=TEXT))
    assert drive(dialect, frames).parts == frames


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data(), dialect=st.sampled_from(Dialect), turn=st.sampled_from(list(TURNS.values())))
def test_any_split_gives_the_same_bytes(data: st.DataObject, dialect: Dialect, turn: Turn) -> None:
    whole = b"".join(events(dialect, turn))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    seen = drive(dialect, chunks, rules=data.draw(st.sampled_from(RULES)))
    assert seen.failed is None
    assert seen.data == whole


@pytest.mark.parametrize("dialect", Dialect)
def test_the_answer_is_told_as_the_model_gave_it(dialect: Dialect) -> None:
    turn = Turn(text=TEXT, tool_calls=CALLS, usage=(31, 17))
    answer = drive(dialect, events(dialect, turn, "m-1")).guard.answer
    assert answer.texts == (TEXT,)
    assert [call.name for call in answer.tool_calls] == ["get_weather", "send"]
    assert answer.tool_calls[0].arguments == '{"city": "Zürich", "days": 3}'
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (31, 17)
    assert answer.model == "m-1"
    assert answer.finish in (("tool_calls",), ("completed",), ("tool_use",))


@pytest.mark.parametrize("dialect", Dialect)
def test_ten_megabytes_of_text_pass(dialect: Dialect) -> None:
    turn = Turn(text="Lorem ipsum 漢字. " * 400_000, piece=100_000)
    data = b"".join(events(dialect, turn))
    assert len(data) > 8_000_000
    seen = drive(dialect, split(data, 65_536), rules=ResultRules(patterns=("secret",)))
    assert seen.failed is None
    assert seen.data == data
