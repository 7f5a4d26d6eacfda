"""Where the tolerant grammar and bash part ways, the text is not read."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from clearance.core.classify.shell.grammar import MOST_CHARACTERS, Unreadable, parse


@pytest.mark.parametrize(
    "text",
    [
        "ls 'unclosed",
        "ls && ",
        "if true; then",
        "ls \\ x",  # a blank that is escaped outside a word
        "ls\rrm",
        "ls \x00",
        "l\u200bs",
        "rm\u00a0x",
        "ls \x0b rm",
        "cat <<E\nno end",
        "cat <<-E\n  x\n  E\nrm y\nE\n",  # blanks before the mark: bash reads on
        "echo $((x))",  # bash runs what x holds
        "read x; echo $((x))",
        "for ((i=0;i<n;i++)); do ls; done",
        "[[ $x -eq 1 ]]",
        "echo ${x@P}",
        "echo ${!x}",
        ": ${PATH:=/tmp}",
        "echo !(a|b)",
        "(" * 200 + "ls" + ")" * 200,
        "l" * (MOST_CHARACTERS + 1),
    ],
)
def test_what_bash_may_cut_otherwise_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "ls \\\n -l",
        "cat <<-E\n\tx\n\tE\nls",
        "cat <<'E'\n$(rm x) `rm y`\nE",
        "for ((i=0;i<3;i++)); do ls; done",
        "i=0; i=$((i+1))",
        "echo $(( $# + RANDOM ))",
        "[[ $# -eq 0 ]] && ls",
        '[[ $x == "a b" ]]',
        "echo a#b # a comment; rm x",
        "echo 'it''s' \"a $b c\" $'\\n'",
        "case $x in a|b) ls;; *) ls;; esac",
        "echo grüße > 'ä ö'",
        'while read -r l; do echo "$l"; done < <(ls)',
    ],
)
def test_plain_bash_is_read(text: str) -> None:
    assert parse(text).type == "program"


def test_every_text_that_is_read_here_is_also_bash() -> None:
    """The lines above are checked by bash itself, without running them."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    for text in ("cat <<-E\n\tx\n\tE\nls", "for ((i=0;i<3;i++)); do ls; done", "[[ $# -eq 0 ]] && ls"):
        assert subprocess.run([bash, "-n", "-c", text], check=False).returncode == 0
