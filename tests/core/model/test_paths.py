"""Dotted paths into arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.model.paths import MISSING, at_path

ARGUMENTS = {"a": {"b": [10, {"c": None}]}, "a.b": "whole", "n": 5}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("n", 5),
        ("a.b.0", 10),
        ("a.b.1.c", None),
        ("a.b", "whole"),
        ("a.b.2", MISSING),
        ("a.b.-1", MISSING),
        ("a.x", MISSING),
        ("n.x", MISSING),
        ("", MISSING),
        ("a.b.99999999999999999999", MISSING),
    ],
)
def test_a_path_leads_to_a_value_or_is_missing(path: str, value: object) -> None:
    found = at_path(ARGUMENTS, path)
    assert found is value if value is MISSING else found == value


@given(st.text(max_size=20))
def test_no_path_fails_on_any_value(path: str) -> None:
    assert at_path(ARGUMENTS, path) is not ...
    assert at_path(7, path) is MISSING
