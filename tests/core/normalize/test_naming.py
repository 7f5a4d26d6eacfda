"""What a name alone suggests, against a table of names whose true class a person wrote down."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.model import Operation
from clearance.core.normalize import suggested
from clearance.core.normalize.reading import DANGER
from clearance.core.normalize.verbs import CLEAR, DOUBTFUL, LEADING

TABLE = yaml.safe_load((Path(__file__).parent / "tool_names.yaml").read_text(encoding="utf-8"))
NAMES = [(name, Operation(value)) for value, names in TABLE.items() for name in names.split()]


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len({name for name, _ in NAMES}) == len(NAMES) >= 200


@pytest.mark.parametrize(("name", "operation"), NAMES, ids=[name for name, _ in NAMES])
def test_a_name_suggests_what_its_tool_does(name: str, operation: Operation) -> None:
    assert (suggested(name).operation or Operation.UNKNOWN) is operation


def test_every_verb_is_listed_once() -> None:
    words = [
        word for table in (CLEAR, DOUBTFUL, LEADING) for group in table.values() for word in group.split()
    ]
    assert sorted(words) == sorted(set(words))


def test_no_name_is_read_as_a_restore_which_rules_on_updates_do_not_meet() -> None:
    assert suggested("restore").operation is Operation.UPDATE


@pytest.mark.parametrize("operation", [verb for verb in Operation if verb is not Operation.RESTORE])
def test_the_verbs_of_the_language_mean_themselves(operation: Operation) -> None:
    assert suggested(operation.value).operation is operation


CLEAR_VERBS = [(word, operation) for operation, words in CLEAR.items() for word in words.split()]


@given(
    verb=st.sampled_from(CLEAR_VERBS),
    before=st.lists(st.sampled_from(["get", "list", "user", "item", "and"]), max_size=3),
    after=st.lists(st.sampled_from(["user", "items", "by", "id"]), max_size=3),
)
def test_a_clear_verb_anywhere_is_never_read_as_something_milder(
    verb: tuple[str, Operation], before: list[str], after: list[str]
) -> None:
    found = suggested("_".join([*before, verb[0], *after])).operation
    assert found is not None
    assert DANGER[found] >= DANGER[verb[1]]


@given(st.text(max_size=300))
def test_any_text_is_a_name_and_never_fails(name: str) -> None:
    found = suggested(name)
    assert found.operation is None or isinstance(found.operation, Operation)


def test_a_letter_that_only_looks_latin_suggests_nothing() -> None:
    assert suggested("get_us\u0435r").operation is None
    assert suggested("ｇet_user").operation is Operation.READ
