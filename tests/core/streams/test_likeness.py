"""Events that are like one that was read: cut apart only where reading them would give the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.dialects.answer import Dialect
from clearance.core.dialects.ruling import Refused
from clearance.core.model.judged import ResultRules
from clearance.core.model.patterns import NAMED
from clearance.core.streams import Forward, StreamGuard
from clearance.core.streams.likeness import Likeness
from clearance.core.streams.scrub import Scrub
from clearance.core.streams.sse import Event
from tests.core.streams.driving import drive
from tests.servers.model_wire import Turn, events

RULES = ResultRules(patterns=("secret",))
PLAIN = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":%b},"finish_reason":null}]}\n\n'
SPACED = b'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": %b}}]}\r\n\r\n'
NAMED_BLOCK = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%b}}\n\n'
)
NUMBERED = (
    b'data: {"type":"response.output_text.delta","sequence_number":%d,"item_id":"m","output_index":0,'
    b'"content_index":0,"delta":%b,"logprobs":[],"obfuscation":"%b"}\n\n'
)
CHAT_PATH = ("choices", 0, "delta", "content")
FORMS: list[tuple[bytes, tuple[str | int, ...]]] = [
    (PLAIN, CHAT_PATH),
    (SPACED, CHAT_PATH),
    (NAMED_BLOCK, ("delta", "text")),
    (b'data: {"delta":%b}\nid: {as long as nothing else is}\n\n', ("delta",)),
]


def like(raw: bytes, path: tuple[str | int, ...]) -> Likeness | None:
    event = Event(raw)
    assert event.data is not None
    return Likeness.of(event, msgspec.json.decode(event.data), "key", path)


def made(raw: bytes, path: tuple[str | int, ...]) -> Likeness:
    found = like(raw, path)
    assert found is not None
    return found


def read(raw: bytes, path: tuple[str | int, ...]) -> Any:
    found: Any = msgspec.json.decode(Event(raw).data or b"")
    for step in path:
        found = found[step]
    return found


@pytest.mark.parametrize(("form", "path"), FORMS)
@given(first=st.text(min_size=1), then=st.text())
def test_an_event_of_the_same_form_is_cut_as_it_would_be_read(
    form: bytes, path: tuple[str | int, ...], first: str, then: str
) -> None:
    known = made(form % msgspec.json.encode(first), path)
    raw = form % msgspec.json.encode(then)
    assert known.text_of(raw) == then == read(raw, path)


@given(
    number=st.integers(0, 10**9), text=st.text(), noise=st.from_regex(rb"[0-9A-Za-z]{0,20}", fullmatch=True)
)
def test_a_number_and_what_hides_the_length_may_differ_too(number: int, text: str, noise: bytes) -> None:
    known = made(NUMBERED % (6, b'"Hel"', b"xY"), ("delta",))
    raw = NUMBERED % (number, msgspec.json.encode(text), noise)
    assert known.text_of(raw) == text
    assert known.number == number


@pytest.mark.parametrize(("form", "path"), FORMS)
def test_an_event_that_is_cut_off_is_none_of_the_same_form(form: bytes, path: tuple[str | int, ...]) -> None:
    raw = form % b'"Hel"'
    known = made(raw, path)
    assert [known.text_of(raw[:at]) for at in range(len(raw))] == [None] * len(raw)


def test_blanks_before_the_last_brace_do_not_matter() -> None:
    known = made(NAMED_BLOCK.replace(b"}}\n\n", b"}   }\n\n") % b'"Hel"', ("delta", "text"))
    assert known.text_of(NAMED_BLOCK % b'"lo"') == "lo"
    assert known.text_of(NAMED_BLOCK.replace(b"}}\n\n", b"} }\n\n") % b'"lo "') == "lo "


@pytest.mark.parametrize(
    "token",
    [
        b"null",
        b"7",
        b'"a"b"',
        b'"a',
        b'a"',
        b'"a\nb"',
        b'"a" ',
        b'"a"\n\n',
        b'"\xff"',
        b'"a","content":"b"',
        b'"a"},"finish_reason":null}]}\n\ndata: {"id":"c","choices":[{"index":0,"delta":{"content":"b"',
        b'{"a":1}',
        b"",
    ],
)
def test_what_is_not_just_a_text_is_not_cut(token: bytes) -> None:
    assert made(PLAIN % b'"Hel"', CHAT_PATH).text_of(PLAIN % token) is None


@pytest.mark.parametrize("number", [b'"sk-ant-x"', b"07", b"-1", b"7.5", b"1e3", b"9" * 30, b"true"])
def test_what_is_not_just_a_number_is_not_cut(number: bytes) -> None:
    known = made(NUMBERED % (6, b'"Hel"', b"xY"), ("delta",))
    raw = (NUMBERED % (1234567, b'"lo"', b"z")).replace(b"1234567", number)
    assert known.text_of(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN % b'"\\u0048el"',  # written otherwise than it would be here: the next one may be like it
        b'data: {"content":"a","choices":[{"index":0,"delta":{"content" : "a"}}]}\n\n',
        b'data: {"note":{"content":"a"},"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n',
        b': {"choices":[{"delta":{"content":"a"}}]}\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\n',
    ],
)
def test_where_the_text_stands_has_to_be_certain(raw: bytes) -> None:
    assert like(raw, CHAT_PATH) is None


@given(text=st.text(alphabet=st.sampled_from("sk-tokenpassw=:/@ AKIA0123456789abgh_.x\n"), max_size=60))
def test_a_text_that_passes_holds_nothing_and_begins_nothing(text: str) -> None:
    for name in NAMED:
        scrub = Scrub((name,), {})
        is_hit = scrub.hits(text)
        held = scrub.held_from(text, is_hit=is_hit)
        assert scrub.passes(text) is (not is_hit and held == len(text))


@pytest.mark.parametrize("dialect", Dialect)
def test_a_match_in_the_middle_of_many_like_events_is_taken_out(dialect: Dialect) -> None:
    secret = "sk-ant-api03-R2D2C3PO4567890abcdefghij"
    text = "All is well. " * 10 + f"The key is {secret} and no other." + " More follows." * 10
    chunks = events(dialect, Turn(text=text, piece=7))
    for fed in (chunks, [b"".join(chunks)]):
        seen = drive(dialect, fed, rules=RULES)
        assert seen.failed is None
        assert secret[6:] not in seen.data.decode()
        assert b"[redacted:secret]" in seen.data
        assert seen.guard.answer.texts == (text,)


@pytest.mark.parametrize("rules", [ResultRules(), RULES])
def test_a_secret_beside_the_text_is_not_let_through_by_a_likeness(rules: ResultRules) -> None:
    """What stands around a text is judged with the first event, and anew once it is another."""
    guard = StreamGuard(Dialect.CHAT, rules)
    chunk = b'data: {"id":"%b","model":"%b","choices":[{"index":0,"delta":{"content":"Fine. "}}]}\n\n'
    for _ in range(4):
        (left,) = guard.feed(chunk % (b"c", b"gpt"))
        assert isinstance(left, Forward)
    (left,) = guard.feed(chunk % (b"c", b"sk-ant-api03-R2D2C3PO4567890abcdefghij"))
    assert isinstance(left, Forward)
    assert (b"R2D2C3PO" in left.data) is (rules is not RULES)


def test_an_event_twice_named_among_like_ones_ends_the_stream() -> None:
    guard = StreamGuard(Dialect.CHAT, ResultRules())
    for _ in range(4):
        guard.feed(PLAIN % b'"a "')
    steps = guard.feed(PLAIN % b'"a ","content":"b"')
    assert [type(step).__name__ for step in steps] == ["Forward", "Fail"]


def test_like_events_behind_a_refused_call_are_numbered_without_a_gap() -> None:
    item = {"type": "function_call", "id": "f", "call_id": "c", "name": "drop_table", "status": "completed"}
    words = [f"word {number} " for number in range(8)]
    part = {"type": "output_text", "text": "", "annotations": []}
    where = {"item_id": "m", "output_index": 1, "content_index": 0}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed"}
    said = {**message, "content": [{**part, "text": "".join(words)}]}
    values: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "r", "model": "m", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "arguments": ""}},
        {"type": "response.output_item.added", "output_index": 1, "item": {**message, "content": []}},
        {"type": "response.content_part.added", **where, "part": part},
        *({"type": "response.output_text.delta", **where, "delta": word} for word in words[:4]),
        {"type": "response.output_item.done", "output_index": 0, "item": {**item, "arguments": "{}"}},
        *({"type": "response.output_text.delta", **where, "delta": word} for word in words[4:]),
        {"type": "response.output_item.done", "output_index": 1, "item": said},
        {
            "type": "response.completed",
            "response": {"id": "r", "model": "m", "output": [item | {"arguments": "{}"}, said]},
        },
    ]
    frames = [
        b"data: " + msgspec.json.encode(value | {"sequence_number": at}) + b"\n\n"
        for at, value in enumerate(values)
    ]
    seen = drive(Dialect.RESPONSES, frames, rule=lambda _: Refused("No."))
    assert seen.failed is None
    shown = [msgspec.json.decode(line[6:]) for line in seen.data.splitlines() if line]
    assert [value["sequence_number"] for value in shown] == list(range(len(shown)))
    assert [value["delta"] for value in shown if value.get("item_id") == "m" and "delta" in value] == words


def test_a_text_in_which_a_placeholder_may_begin_does_not_pass() -> None:
    scrub = Scrub(("secret",), {"[email:1]": "jane@mail.example"})
    assert scrub.passes("Write to her. ")
    for text in ("Write to [email:1].", "Write to [", "[em", "token=abcd1234", "Her t"):
        assert not scrub.passes(text), text
