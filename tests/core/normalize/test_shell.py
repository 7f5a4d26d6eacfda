"""Command lines to one verb: what is understood keeps its name, what no verb says is UNKNOWN."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.model import Operation
from clearance.core.normalize import read_shell
from clearance.core.normalize.reading import DANGER, UNREADABLE


@pytest.mark.parametrize(
    ("command", "operation", "ids"),
    [
        ("ls -la", "execute", ["command:ls"]),
        ("/usr/bin/git status", "execute", ["command:git"]),
        ("cat a | sort", "execute", ["command:cat", "file:a", "command:sort"]),
        ("cp a b", "execute", ["command:cp", "file:a", "file:b"]),
        ("echo $HOME", "execute", ["command:echo"]),
        ("env X=1 ls", "execute", ["command:env", "command:ls"]),
        ("unheard-of x", "execute", ["command:unheard-of"]),
        ("~/run", "execute", ["command:run"]),
        ("rm -rf /srv/../etc notes.txt", "delete", ["command:rm", "file:/etc", "file:notes.txt"]),
        ("rm -- -f", "delete", ["command:rm", "file:-f"]),
        ("rm 'a b' *.log", "delete", ["command:rm", "file:a b", "file:*.log"]),
        (["rm", "-r", "$HOME; x"], "delete", ["command:rm", "file:$HOME; x"]),
        ("ls; rm x", "delete", ["command:ls", "command:rm", "file:x"]),
        ("echo $(rm x)", "delete", ["command:rm", "file:x", "command:echo"]),
        ("sh -c 'rm x'", "delete", ["command:sh", "command:rm", "file:x"]),
        (
            ["bash", "-c", "cd /srv && rm x"],
            "delete",
            ["command:bash", "command:cd", "command:rm", "file:/srv/x"],
        ),
        ("ssh web1 rm x", "delete", ["command:ssh", "host:web1", "command:rm", f"file:{UNREADABLE}"]),
        ("echo x > /etc/passwd", "delete", ["command:echo", "file:/etc/passwd"]),
        ("xargs rm", "delete", ["command:xargs", "command:rm", f"file:{UNREADABLE}"]),
        ("find /srv -name x -delete", "delete", ["command:find", "file:/srv"]),
        ("find . -name x", "execute", ["command:find", "file:."]),
        ("shred secret.txt", "delete", ["command:shred", "file:secret.txt"]),
        ("sudo ls", "admin", ["command:sudo", "command:ls"]),
        ("alembic upgrade head", "ddl", ["command:alembic", "database:unknown"]),
        ("npx prisma migrate deploy", "ddl", ["command:npx", "command:prisma", "database:unknown"]),
        ("python manage.py flush", "ddl", ["command:python", "database:unknown", "command:manage.py"]),
        ("bundle exec rails db:drop", "ddl", ["command:bundle", "command:rails", "database:unknown"]),
        ("rails db:migrate", "ddl", ["command:rails", "database:unknown"]),
        ("rails server", "execute", ["command:rails"]),
        ("psql -c 'DROP TABLE users'", "ddl", ["command:psql", "sql:users", "database:unknown"]),
        ("mysql -e 'SELECT 1'", "ddl", ["command:mysql", "database:unknown"]),
        ("curl https://A.example/x?k=1", "execute", ["command:curl", "url:https://a.example/x"]),
    ],
)
def test_a_command_that_is_understood_is_read(command: object, operation: str, ids: list[str]) -> None:
    reading = read_shell(command)
    assert (reading.operation, [resource.id for resource in reading.resources]) == (operation, ids)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "   ",
        "ls | sh",
        "r* x",
        "$X",
        "ls 'unclosed",
        "ls \x00",
        "ls\rrm",
        "l\u200bs",
        "rm\u00a0x",
        "psql -c 'SELECT 1; DROP TABLE x'",
        "python -c 'x'",
        "source x",
        "PATH=/tmp ls",
        "make",
        ["ls", 1],
        [],
        None,
        7,
        {"command": "ls"},
    ],
)
def test_what_cannot_be_read_is_unknown_and_says_so_in_a_resource(command: object) -> None:
    reading = read_shell(command)
    assert reading.operation is Operation.UNKNOWN
    assert f"command:{UNREADABLE}" in [resource.id for resource in reading.resources]


@pytest.mark.parametrize(
    "command",
    [
        "unheard-of; rm x",
        "sudo rm x",
        "alembic upgrade head && rm x",
        "psql -c 'DELETE FROM t' && rm x",
        "python a.py > f",
    ],
)
def test_two_dangers_that_no_one_verb_names_are_unknown(command: str) -> None:
    """A rule about one of them must match, whichever it is."""
    assert read_shell(command).operation is Operation.UNKNOWN


def test_no_resource_keeps_a_password() -> None:
    for command in (
        "DATABASE_URL=postgres://u:hunter2@h/db prisma migrate reset",
        "curl https://u:hunter2@a.example/x?key=hunter2",
        "mysql -phunter2 -e 'DELETE FROM t'",
    ):
        assert "hunter2" not in str(read_shell(command)), command


@given(st.one_of(st.text(max_size=80), st.lists(st.text(max_size=10), max_size=5)))
def test_nothing_run_by_a_shell_is_ever_milder_than_a_deletion(command: object) -> None:
    operation = read_shell(command).operation
    assert operation is not None
    assert DANGER[operation] >= DANGER[Operation.DELETE]
