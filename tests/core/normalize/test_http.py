"""HTTP calls and URLs: the method tells the operation, and one address has one spelling."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.normalize import UNREADABLE, read_http, read_urls


@pytest.mark.parametrize(
    ("arguments", "operation"),
    [
        ({"method": "GET"}, "read"),
        ({"method": " head "}, "read"),
        ({"method": "POST"}, "send"),
        ({"method": "put"}, "update"),
        ({"http_method": "PATCH"}, "update"),
        ({"method": "DELETE"}, "delete"),
        ({"method": "TRACE"}, "unknown"),
        ({"method": 7}, "unknown"),
        ({"method": None}, "unknown"),
        ({"method": "GET", "body": "data"}, "send"),
        ({"method": "GET", "verb": "DELETE"}, "delete"),
        ({"method": "POST", "headers": {"X-HTTP-Method-Override": "DELETE"}}, "delete"),
        ({"method": "GET", "headers": {"x-http-method": "put"}}, "update"),
        ({"method": "DELETE", "headers": {"X-HTTP-Method-Override": "GET"}}, "delete"),
        ({"method": "GET", "headers": [["X-Method-Override", "PURGE"]]}, "unknown"),
        ({"method": "GET", "headers": [{"name": "X-HTTP-Method-Override", "value": "PUT"}]}, "update"),
        ({"method": "POST", "data": {"_method": "DELETE"}}, "delete"),
        ({}, None),
        ({"json": {"a": 1}}, "send"),
    ],
)
def test_a_request_is_as_dangerous_as_its_method_and_every_override(
    arguments: dict[str, Any], operation: str | None
) -> None:
    assert read_http(arguments, "https://a.example/").operation == operation


def test_an_override_in_the_query_counts() -> None:
    assert read_http({"method": "GET"}, "https://a.example/x?_method=DELETE").operation == "delete"


def test_an_address_that_cannot_be_read_makes_the_request_unknown() -> None:
    assert read_http({"method": "GET"}, "https://good.example\\@evil.example").operation == "unknown"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("HTTPS://User:pw@Example.COM.:443/a/../b/?q=secret#f", "https://example.com/b/"),
        ("https://good.example@evil.example/", "https://evil.example/"),
        ("http://a.example:8080", "http://a.example:8080/"),
        ("www.a.example/x", "https://www.a.example/x"),
        ("//a.example/x", "https://a.example/x"),
        ("localhost:8080/x", "https://localhost:8080/x"),
        ("https://münchen.example/", "https://xn--mnchen-3ya.example/"),
        ("http://[2001:DB8:0::1]:80/", "http://[2001:db8::1]/"),
        ("http://2130706433/", "http://2130706433/"),
        ("https://a.example/%2e%2E/b//c", "https://a.example/b/c"),
        ("wss://a.example:443/s", "wss://a.example/s"),
    ],
)
def test_one_address_has_one_spelling(url: str, name: str) -> None:
    (resource,) = read_urls(url)
    assert (resource.kind, resource.name) == ("url", name)
    assert resource.attributes["host"] in name


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://a.example\\@evil.example",
        "https://a b.example",
        "ht\ntps://a.example",
        "https://exa%6dple.com",
        "https://a.example:99999/",
        "https://",
        "http://[::1",
        "https://ev\u0456l\x00.example",
        7,
        {"url": "x"},
        "https://a.example/" + "x" * 70_000,
    ],
)
def test_what_is_no_address_is_unreadable(url: object) -> None:
    (resource,) = read_urls(url)
    assert (resource.id, resource.attributes) == (f"url:{UNREADABLE}", {"unreadable": True})


def test_a_file_address_is_a_file() -> None:
    assert [resource.id for resource in read_urls("file:///srv/../etc/passwd")] == ["file:/etc/passwd"]


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_unreadable_and_has_no_userinfo(text: str) -> None:
    for resource in read_urls(f"https://{text}"):
        host = resource.name.split("://", 1)[-1].split("/", 1)[0]
        assert resource.name == UNREADABLE or "@" not in host
