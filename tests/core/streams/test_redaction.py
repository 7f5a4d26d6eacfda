"""Sensitive text in an answer that flows: taken out however it was split, and never shown in part."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clearance.core.dialects.answer import Dialect
from clearance.core.model.judged import ResultRules
from clearance.core.model.patterns import NAMED
from clearance.core.redact.text import scrubbed
from clearance.core.streams.scrub import Scrub
from tests.core.streams.driving import drive
from tests.core.streams.test_refusals import decoded_texts, read_by_the_vendor
from tests.examples import examples
from tests.servers.model_wire import Turn, events

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow" + "Ab1/" * 40 + "\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "secret": [
        "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
        "sk-ant-api03-R2D2C3PO4567890abcdefghij",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 10,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        PEM,
        "://admin:hunter2hunter@",
        "Bearer abcdefghijklmnop1234567890",
        'password="correct horse battery staple"',
        "token=abcd1234efgh",
    ],
    "email": ["jane.doe+tag@mail.example.co.uk"],
    "iban": ["CH93 0076 2011 6238 5295 7"],
    "credit_card": ["4111 1111 1111 1111", "5500005555555559"],
    "ipv4": ["192.168.17.204"],
}
EVERY = [(name, text) for name, texts in SECRETS.items() for text in texts]
ALL = ResultRules(patterns=tuple(NAMED))


def shown_text(dialect: Dialect, data: bytes) -> str:
    """The answer's text as the vendor's client joins it."""
    message: Any = read_by_the_vendor(dialect, data)
    match dialect:
        case Dialect.CHAT:
            return str(message["choices"][0]["message"].get("content") or "")
        case Dialect.RESPONSES:
            return "".join(
                part["text"] for one in message["output"] for part in one.get("content", ()) if "text" in part
            )
        case Dialect.MESSAGES:
            return "".join(block["text"] for block in message["content"])


@pytest.mark.parametrize(("name", "secret"), EVERY, ids=[text[:12] for _, text in EVERY])
@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("piece", [1, 3, 11, 500])
def test_a_match_never_shows_however_it_is_split(
    dialect: Dialect, name: str, secret: str, piece: int
) -> None:
    text = f"Here it is: {secret} and that was it."
    seen = drive(dialect, events(dialect, Turn(text=text, piece=piece)), rules=ALL)
    assert seen.failed is None
    want = scrubbed(text, tuple(NAMED))
    assert f"[redacted:{name}]" in want
    assert shown_text(dialect, seen.data) == want
    everything = (seen.data + b"\0" + decoded_texts(seen.data)).decode()
    assert secret not in everything
    assert secret[len(secret) // 2 :] not in everything
    if " " not in secret.strip():
        assert secret[: len(secret) // 2 + 1] not in everything


@pytest.mark.parametrize(("name", "secret"), EVERY, ids=[text[:12] for _, text in EVERY])
def test_every_beginning_of_a_match_is_held_from_its_start(name: str, secret: str) -> None:
    scrub = Scrub((name,), {})
    for at in range(1, len(secret)):
        text = "Look: " + secret[:at]
        assert scrub.held_from(text, is_hit=scrub.hits(text)) <= len("Look: "), secret[:at]


def test_what_cannot_become_a_match_any_more_is_not_held() -> None:
    scrub = Scrub(tuple(NAMED), {})
    for text in ("Hello, world. ", "a b c ", "x = 3;", f"{PEM} then ", "Grüße! "):
        assert scrub.held_from(text, is_hit=scrub.hits(text)) == len(text), text


@pytest.mark.parametrize("dialect", Dialect)
def test_a_match_at_the_very_end_is_taken_out(dialect: Dialect) -> None:
    text = "My key: sk-ant-api03-R2D2C3PO4567890abcdefghij"
    seen = drive(dialect, events(dialect, Turn(text=text, piece=2)), rules=ALL)
    assert shown_text(dialect, seen.data) == "My key: [redacted:secret]"


@pytest.mark.parametrize("dialect", Dialect)
def test_a_match_longer_than_any_window_is_never_shown_in_part(dialect: Dialect) -> None:
    body = "QUJD" * 25_000
    text = f"a -----BEGIN PRIVATE KEY-----\n{body}"
    seen = drive(dialect, events(dialect, Turn(text=text, piece=50)), rules=ALL)
    assert seen.failed is None
    assert b"QUJD" not in seen.data
    assert shown_text(dialect, seen.data) == "a [redacted:secret]"


@pytest.mark.parametrize("dialect", Dialect)
def test_reasoning_and_refusals_are_looked_through_too(dialect: Dialect) -> None:
    turn = Turn(refusal="Ask jane@example.com, not me.", reasoning="mail is jane@example.com ok", piece=3)
    seen = drive(dialect, events(dialect, turn), rules=ResultRules(patterns=("email",)))
    assert seen.failed is None
    assert b"jane" not in seen.data + decoded_texts(seen.data)
    assert seen.data.count(b"[redacted:email]") >= 2


def test_every_choice_has_its_own_window() -> None:
    turn = Turn(text="to jane@example.com now", choices=3, piece=2)
    seen = drive(Dialect.CHAT, events(Dialect.CHAT, turn), rules=ResultRules(patterns=("email",)))
    message = read_by_the_vendor(Dialect.CHAT, seen.data)
    texts = [choice["message"]["content"] for choice in message["choices"]]
    assert texts == ["to [redacted:email] now"] * 3


RESTORE = {"[email_1]": "jane@example.com", "[email_12]": 'o"neil@example.com', "<<PERSON>>": "Zoë Müller"}
SAID = "Dear <<PERSON>>, is [email_12] or [email_1] or [email_ yours? <<PERSO"
WHOLE = 'Dear Zoë Müller, is o"neil@example.com or jane@example.com or [email_ yours? <<PERSO'


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("piece", [1, 2, 5, 300])
def test_placeholders_come_back_however_they_are_split(dialect: Dialect, piece: int) -> None:
    seen = drive(dialect, events(dialect, Turn(text=SAID, piece=piece)), restore=RESTORE)
    assert shown_text(dialect, seen.data) == WHOLE


@pytest.mark.parametrize("dialect", Dialect)
def test_placeholders_come_back_in_arguments_before_the_call_is_decided(dialect: Dialect) -> None:
    turn = Turn(tool_calls=[("mail", {"to": "[email_12]", "cc": ["<<PERSON>>"]})], piece=3)
    seen = drive(dialect, events(dialect, turn), restore=RESTORE)
    want = {"to": 'o"neil@example.com', "cc": ["Zoë Müller"]}
    assert json.loads(seen.asked[0].arguments) == want
    message = read_by_the_vendor(dialect, seen.data)
    match dialect:
        case Dialect.CHAT:
            found = json.loads(message["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])
        case Dialect.RESPONSES:
            found = json.loads(message["output"][-1]["arguments"])
        case Dialect.MESSAGES:
            found = message["content"][0]["input"]
    assert found == want


PIECES = st.sampled_from(
    [
        *("sk-", "ant-", "abcdefghij0123456789", "AKIA", "IOSFODNN7EXAMPLE", PEM[:40], PEM[40:]),
        *("jane", "@", "mail.example.com", "4111 1111 1111 1111", "password=", "192.168.", "7.7"),
        *(" ", "\n", '"', "x", "://", "a:b@", "é", ".", "-", "9"),
    ]
)


@settings(max_examples=examples(300), deadline=None)
@given(texts=st.lists(PIECES, max_size=14), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8))
@example(texts=["AKIA", "IOSFODNN7EXAMPLE", "x"], sizes=[20])
@example(texts=["4111 1111 1111 1111", "password=", "sk-", "sk-"], sizes=[1])
@example(texts=["192.168.", "7.7", "password=", "sk-", "sk-"], sizes=[1])
def test_whatever_is_shown_of_random_text_holds_no_match(texts: list[str], sizes: list[int]) -> None:
    text = "".join(texts)
    frames = []
    at = 0
    while at < len(text):
        size = sizes[len(frames) % len(sizes)]
        frames.append(text[at : at + size])
        at += size
    chunks = [_chat(piece) for piece in frames] + [_chat("", finish="stop"), b"data: [DONE]\n\n"]
    seen = drive(Dialect.CHAT, chunks, rules=ALL)
    assert seen.failed is None
    shown = "".join(_said(line) for line in seen.data.decode().splitlines() if line.startswith("data: {"))
    assert scrubbed(shown, tuple(NAMED)) == shown
    plain = scrubbed(text, tuple(NAMED))
    if plain == text:
        assert seen.data == b"".join(chunks)
    else:
        assert "[redacted:" in shown


def _chat(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _said(line: str) -> str:
    """What a chunk of `_chat` adds to the text."""
    found: str = json.loads(line[6:])["choices"][0]["delta"].get("content", "")
    return found


def test_a_window_costs_no_more_than_the_text_it_holds() -> None:
    """A candidate that goes on and on is looked at ever more seldom: this would take minutes otherwise."""
    text = "a" * 1_000_000
    chunks = [_chat(text[at : at + 50]) for at in range(0, len(text), 50)]
    done = [_chat("", finish="stop"), b"data: [DONE]\n\n"]
    seen = drive(Dialect.CHAT, chunks + done, rules=ResultRules(patterns=("email",)))
    assert seen.data == b"".join(chunks + done)
