"""What is looked through as JSON text: never passed for free of what the texts in it hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clearance.core import redact
from clearance.core.model.patterns import NAMED, SECRET_NAMES
from clearance.core.model.plain import written
from clearance.core.redact.text import scrubbed

ALL = tuple(NAMED)
PIECES = st.sampled_from(
    [
        *("sk-", "abcdefghij0123456789", "AKIAIOSFODNN7EXAMPLE", "ghp_" + "a1B2" * 10, "é", "\n", "\t", "\\"),
        *('"', "'", " ", "=", ":", "/", "//", "@", ".", "-", "x", "9", "0", "\x01", "\0", "[", "{", "token"),
        *(
            "password=",
            'secret="',
            "bearer ",
            "Authorization: ",
            "basic ",
            "jane@example.com",
            "192.168.17.204",
        ),
        *("4111 1111 1111 1111", "CH93 0076 2011 6238 5295 7", "postgres://a:b@", "hunter2hunter", "\u2028"),
        *(
            "-----BEGIN RSA PRIVATE KEY-----",
            "QUJD" * 8,
            "eyJhbGciOi.eyJzdWIiOi.dozjgNryP4J3",
            "_",
            "API",
            "Key",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.integers(-(2**70), 2**70) | st.floats() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in texts_of(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else [str(value)]


@settings(max_examples=400, deadline=None)
@given(value=st.dictionaries(TEXTS, VALUES, max_size=3))
@example(value={"a": "\nbearer abcdefghij0123456789"})
@example(value={"a": 'password=\\"hunter2hunter'})
@example(value={"a": '"secret="a\nbcd'})
@example(value={"a\ntoken\n": "x"})
@example(value={"ｔｏｋｅｎ": "x"})
def test_what_is_free_of_everything_holds_nothing(value: dict[str, Any]) -> None:
    raw = written(value)
    if raw and redact.is_free_of(raw, ALL):
        for text in texts_of(value):
            assert scrubbed(text, ALL) == text
    if raw and redact.is_storable(raw):
        assert redact.stored(value) is value


@pytest.mark.parametrize("name", sorted(SECRET_NAMES))
@pytest.mark.parametrize("spelled", ["{}", "X-{}", "my_{}", "{}!", "{}\n"])
def test_a_member_of_a_secrets_name_is_never_storable(name: str, spelled: str) -> None:
    for form in (name, name.upper(), name.replace("_", "-"), name.title().replace("_", "")):
        assert not redact.is_storable(written({spelled.format(form): "x"}))


def test_what_most_calls_say_is_looked_at_once() -> None:
    call = {"model": "m", "max_tokens": 5, "messages": [{"role": "tool", "content": '{"a": "é", "b": 1.5}'}]}
    assert redact.is_free_of(written(call), ALL)
    assert redact.is_storable(written(call))


@pytest.mark.parametrize("value", [(1, 2), {1, 2}, b"x", object(), float("nan"), {1: 2}, "\ud800"])
def test_what_is_not_json_is_not_written(value: Any) -> None:
    assert written({"a": value}) == b""
