"""Text made safe and measured for a terminal."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.cli import moment, terminal_text
from clearance.cli.terminal_text import columns, cut, fold, safe


@pytest.mark.parametrize("module", [terminal_text, moment])
def test_the_examples_of_the_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@settings(max_examples=40)
@given(st.text())
def test_safe_text_is_printable_and_safe_already(text: str) -> None:
    assert safe(text).isprintable()
    assert safe(safe(text)) == safe(text)


@settings(max_examples=40)
@given(st.text(), st.integers(2, 40))
def test_cut_text_fits_its_width(text: str, width: int) -> None:
    assert columns(cut(safe(text), width)) <= width


@settings(max_examples=40)
@given(st.text(), st.integers(2, 40))
def test_folded_text_fits_its_width_and_loses_nothing_but_spaces(text: str, width: int) -> None:
    text = safe(text)
    lines = fold(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
