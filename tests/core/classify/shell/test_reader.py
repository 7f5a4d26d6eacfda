"""Reading never raises, never calls nothing harmless, and is quick."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.classify.shell import classify_shell
from clearance.core.model.effects import EffectClass

_WORDS = (
    "rm ls git sudo env xargs find -exec -rf -c $X $( ) ` ' \" ; | & && || > >> < << E \n { } ( ) "
    "if then fi for in do done case esac # \\ * ? [ ] ~ = X=1 bash eval a b / .. -- + ! $(( )) <( 2>&1"
)
PIECES = st.sampled_from(_WORDS.split(" "))


@given(
    st.one_of(
        st.text(max_size=60), st.lists(PIECES, max_size=14).map(" ".join), st.lists(PIECES).map("".join)
    )
)
def test_no_text_fails(command: str) -> None:
    found = classify_shell(command)
    assert found.effects
    assert bool(found.unknown) == (EffectClass.UNKNOWN in found.effects)


@given(st.lists(PIECES, max_size=10).map(" ".join))
def test_a_deletion_beside_anything_is_never_lost(rest: str) -> None:
    """Behind two line ends after any text: the deletion is found, or the text is not read."""
    found = classify_shell(f"{rest}\n\nrm -rf /srv/x")
    assert found.effects & {EffectClass.DELETE, EffectClass.UNKNOWN} or "#" in rest or "<<" in rest


@pytest.mark.parametrize(
    "command", ["", "  ", "# only a comment", [], ["ls", 1], ["l\0s"], None, 7, {"a": 1}]
)
def test_what_is_no_command_is_unknown(command: object) -> None:
    assert EffectClass.UNKNOWN in classify_shell(command).effects  # type: ignore[arg-type]


def test_words_of_a_list_are_not_expanded() -> None:
    found = classify_shell(["rm", "-r", "$HOME; x", "*.log"])
    assert {named.name for named in found.objects} == {"command:rm", "file:$HOME; x", "file:*.log"}


def test_commands_that_run_commands_end_somewhere() -> None:
    deep = "env " * 40 + "rm x"
    assert EffectClass.UNKNOWN in classify_shell(deep).effects
    nested = "rm x"
    for _ in range(20):
        nested = "eval " + nested
    assert EffectClass.UNKNOWN in classify_shell(nested).effects


def test_a_hostile_text_does_not_take_long() -> None:
    texts = (
        "sed '" + "a;" * 5_000 + "X'",
        "sed 's/" + "x" * 10_000,
        "echo " + "{a,b}" * 5_000,
        "ls " + "$(" * 2_000,
        "ls; " * 8_000,
        "f() { cd x; }; " * 500,
        "x=1 " * 8_000 + "ls",
        "while cd /x; do " * 25 + "ls; " + "done; " * 25,
        "while cd x; do " * 40 + "ls; " + "done; " * 40,
    )
    for text in texts:
        start = time.process_time()
        classify_shell(text)
        assert time.process_time() - start < 5, text[:40]
