"""Bodies: lists are counted, conditions are not."""

from __future__ import annotations

from typing import Any

import pytest

from clearance.core.classify.http_bulk import bulk_count, bulk_touch
from clearance.core.model import Operation
from clearance.core.model.radius import Exactness

URL = "https://a.example/v1/things"
PART = "--b\r\nContent-Type: application/http\r\n\r\nDELETE /x\r\n"


@pytest.mark.parametrize(
    ("method", "url", "body", "count"),
    [
        ("DELETE", f"{URL}/7", None, 1),
        ("POST", URL, {"name": "x", "tags": ["a", "b"]}, 1),
        ("POST", URL, [{}, {}, {}], 3),
        ("POST", URL, '[{"a":1},{"a":2}]', 2),
        ("POST", URL, {"requests": [{}] * 5}, 5),
        ("POST", URL, {"operations": [{}] * 4}, 4),
        ("POST", URL, {"compositeRequest": [{}] * 3}, 3),
        ("POST", URL, {"RequestItems": {"t": [{}, {}], "u": [{}]}}, 3),
        ("POST", URL, {"data": {"records": [1, 2]}}, 2),
        ("POST", URL, '{"delete":{"_id":1}}\n{"index":{"_id":2}}\n{"f":1}\n', 2),
        ("POST", URL, PART * 3 + "--b--", 3),
        ("DELETE", f"{URL}?ids=1,2,3", None, 3),
        ("DELETE", f"{URL}?id=1&id=2", None, 2),
        ("POST", "https://a.example/i/_delete_by_query", {"query": {"match_all": {}}}, None),
        ("PATCH", URL, {"filter": {"age": 3}}, None),
        ("PATCH", URL, {"input": {"where": {"age": 3}, "ids": [1]}}, None),
        ("DELETE", URL, None, None),
        ("DELETE", f"{URL}?filter=old", None, None),
        ("POST", URL, "{bad", None),
        ("POST", URL, {"requests": [{"ids": [1, 2]}, {"ids": [3]}]}, 3),
        ("POST", URL, {"blocks": [{}, {}], "ids": [1]}, 1),
        ("DELETE", f"{URL}?id=gt.5", None, None),
        ("DELETE", f"{URL}?key=secret", None, None),
        ("DELETE", "https://a.example/logs-*", None, None),
        ("POST", "http://[::1", None, None),
        ("POST", URL, [{}] * 12_000, 12_000),
    ],
)
def test_things_are_counted_and_conditions_are_not(
    method: str, url: str, body: Any, count: int | None
) -> None:
    assert bulk_count(method, url, body) == count


def test_a_touch_never_claims_to_be_exact_nor_keeps_the_query() -> None:
    touch = bulk_touch("DELETE", f"{URL}?ids=1,2&token=x", operation=Operation.DELETE)
    assert (touch.count, touch.exactness, touch.resource) == (2, Exactness.ESTIMATE, URL)
    assert bulk_touch("DELETE", URL, operation=Operation.DELETE).exactness is Exactness.UNKNOWN
