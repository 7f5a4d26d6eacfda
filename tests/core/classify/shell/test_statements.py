"""The corpus of command lines: nothing that a command does is missing, and little is refused in vain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance.core.model.effects import EffectClass
from clearance.core.normalize import understood

FILE = Path(__file__).parents[4] / "vectors/statements/shell.yaml"
ROWS: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
MOST_CLOSED = 0.15  # of what a reader of the text could tell


@pytest.mark.parametrize("row", ROWS, ids=[row["command"][:60] for row in ROWS])
def test_no_effect_and_no_object_of_a_command_is_missing(row: dict[str, Any]) -> None:
    found = understood(row["command"])
    missing = {EffectClass(effect) for effect in row["effects"].split("+")} - found.effects
    closed = EffectClass.UNKNOWN in found.effects
    assert not missing or closed, sorted(missing)
    assert set(row.get("objects", ())) <= {named.name for named in found.objects}
    if row.get("opaque"):
        assert closed
        assert found.unknown


def test_few_commands_are_refused_that_could_be_read() -> None:
    rows = [row for row in ROWS if not row.get("opaque")]
    closed = [row["command"] for row in rows if EffectClass.UNKNOWN in understood(row["command"]).effects]
    assert len(closed) <= MOST_CLOSED * len(rows), closed


def test_the_corpus_is_large_and_each_line_stands_once() -> None:
    commands = [row["command"] for row in ROWS]
    assert len(commands) == len(set(commands)) >= 130
    assert sum(bool(row.get("held_out")) for row in ROWS) >= 20


def test_no_password_leaves_with_an_object_or_a_reason() -> None:
    for command in (
        "DATABASE_URL=postgres://u:hunter2@h/db prisma migrate reset",
        "dbmate -u postgres://u:hunter2/x@h/db drop",
        "dbmate -u 'postgres://u:12#hunter2@h/db' drop",
        "mysql -phunter2 -e 'DROP TABLE x'",
        "curl https://u:hunter2@a.example/x?key=hunter2",
        "curl 'https://u:1#hunter2@a.example/'",
        "psql 'host=h password=hunter2' -c 'DROP TABLE x'",
        "psql postgres://u:hunter2@h/db -c 'DELETE FROM t WHERE x = 1'",
    ):
        found = understood(command)
        assert "hunter2" not in str(found.objects) + str(found.unknown), command
