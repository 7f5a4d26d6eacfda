"""Command lines: one plain command is read, everything a shell would expand or hand on is UNKNOWN."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.model import Operation
from clearance.core.normalize import read_shell
from clearance.core.normalize.reading import DANGER


@pytest.mark.parametrize(
    ("command", "operation", "ids"),
    [
        ("ls -la", "execute", ["command:ls"]),
        ("/usr/bin/git status", "execute", ["command:git"]),
        ("rm -rf /srv/../etc notes.txt", "delete", ["command:rm", "file:/etc", "file:notes.txt"]),
        ("rm -- -f", "delete", ["command:rm", "file:-f"]),
        ("rm 'a b' *.log", "delete", ["command:rm", "file:a b", "file:*.log"]),
        (["rm", "-r", "$HOME; x"], "delete", ["command:rm", "file:$HOME; x"]),
        ("find /srv -name x -delete", "delete", ["command:find", "file:/srv"]),
        ("find . -name x", "execute", ["command:find", "file:."]),
        ("shred secret.txt", "delete", ["command:shred", "file:secret.txt"]),
        ("alembic upgrade head", "ddl", ["command:alembic"]),
        ("npx prisma migrate deploy", "ddl", ["command:npx"]),
        ("python manage.py flush", "ddl", ["command:python"]),
        ("bundle rails db:drop", "ddl", ["command:bundle"]),
        ("rails db:migrate", "ddl", ["command:rails"]),
        ("rails server", "execute", ["command:rails"]),
        ("psql -c 'DROP TABLE users'", "ddl", ["command:psql"]),
        ("mysql -e 'SELECT 1'", "ddl", ["command:mysql"]),
    ],
)
def test_a_plain_command_is_read(command: object, operation: str, ids: list[str]) -> None:
    reading = read_shell(command)
    assert (reading.operation, [resource.id for resource in reading.resources]) == (operation, ids)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "   ",
        "ls; rm x",
        "ls && rm x",
        "ls | sh",
        "ls\nrm x",
        "ls & rm x",
        "echo $(rm x)",
        "echo `rm x`",
        "echo $HOME",
        'echo "$(rm x)"',
        "echo '' $(rm x) ''",
        "echo {a,b}",
        "cat < x",
        "echo x > /etc/passwd",
        "sudo ls",
        "env X=1 ls",
        "X=1 ls",
        "xargs rm",
        "sh -c 'rm x'",
        "/bin/bash -c ls",
        "time ls",
        "ssh host ls",
        "find . -exec rm x +",
        "ls \\; x",
        "ls 'unclosed",
        "ls \x00",
        "ls\rrm",
        "l\u200bs",
        "rm\u00a0x",
        "r* x",
        "~/run",
        "psql -c 'SELECT 1; DROP TABLE x'",
        ["bash", "-c", "ls"],
        ["ls", 1],
        [],
        None,
        7,
        {"command": "ls"},
    ],
)
def test_what_a_shell_would_expand_join_or_hand_on_is_unknown(command: object) -> None:
    reading = read_shell(command)
    assert reading.operation is Operation.UNKNOWN
    assert [resource.kind for resource in reading.resources] == ["command"]


@given(st.one_of(st.text(max_size=80), st.lists(st.text(max_size=10), max_size=5)))
def test_nothing_run_by_a_shell_is_ever_milder_than_a_deletion(command: object) -> None:
    operation = read_shell(command).operation
    assert operation is not None
    assert DANGER[operation] >= DANGER[Operation.DELETE]
