"""When two bodies are the same record."""

from __future__ import annotations

import pytest

from clearance.adapters.systems.http.content import digest

JSON = "application/json; charset=utf-8"


def same(one: bytes, other: bytes, kind: str = JSON, ignore: tuple[str, ...] = ()) -> bool:
    return digest(one, kind, ignore=ignore) == digest(other, kind, ignore=ignore)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a": 1, "b": [1, 2]}', b'{"b":[1,2],"a":1}'),
        ('{"a": "ü"}'.encode(), b'{"a": "\\u00fc"}'),
        (b'{"a": "\\ud800"}', b'{ "a" : "\\ud800" }'),
    ],
)
def test_writing_the_same_otherwise_makes_no_difference(one: bytes, other: bytes) -> None:
    assert same(one, other)
    assert not same(one, other, "text/plain")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a": 1}', b'{"a": 1.0}'),
        (b'{"a": 1}', b'{"a": "1"}'),
        (b'{"a": 1}', b'{"a": true}'),
        (b'{"a": null}', b'{"a": "None"}'),
        (b'{"a": null}', b"{}"),
        (b'{"a": 10000000000000000000001}', b'{"a": 10000000000000000000002}'),
        (b'{"a": 0.1}', b'{"a": 0.10}'),
        (b'{"a": 1, "a": 2}', b'{"a": 2}'),
        (b'{"a": 1, "a": 2}', b'{"a": 2, "a": 1}'),
        (b"[1, 2]", b"[2, 1]"),
        (b"{}", b"[]"),
        (b'[["a", 1]]', b'{"a": 1}'),
        (b'{"object": []}', b"{}"),
        (b'{"a": NaN}', b'{"a": "NaN"}'),
        (b"not json", b"not  json"),
        (b"", b"{}"),
    ],
)
def test_whatever_may_differ_does(one: bytes, other: bytes) -> None:
    assert not same(one, other)


def test_fields_of_the_server_are_left_out_by_their_path() -> None:
    one = b'{"n": 1, "at": 5, "meta": {"rev": 1, "by": "x"}, "parts": [{"at": 1, "k": 2}]}'
    other = b'{"n": 1, "at": 9, "meta": {"rev": 2, "by": "x"}, "parts": [{"at": 1, "k": 2}]}'
    assert not same(one, other, ignore=("at",))
    assert same(one, other, ignore=("at", "meta.rev"))
    assert not same(one, other.replace(b'"k": 2', b'"k": 3'), ignore=("at", "meta.rev"))


def test_deep_nesting_is_compared_byte_by_byte() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert same(deep, deep)
    assert not same(deep, deep + b" ")
