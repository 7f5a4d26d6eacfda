"""SQLite's own reading of every statement of the corpus, on its schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
import yaml

from clearance.adapters.systems.sqlite.options import read_target
from clearance.adapters.systems.sqlite.reading import Reading, read_statement
from clearance.core.model import EffectClass, Operation

pytestmark = pytest.mark.servers

CORPUS = yaml.safe_load(
    (Path(__file__).parents[4] / "vectors/statements/sqlite.yaml").read_text(encoding="utf-8")
)
STATEMENTS: list[dict[str, Any]] = CORPUS["statements"]
RANK = ["read", "create", "update", "send", "delete", "execute", "ddl", "admin", "unknown"]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    from clearance.adapters.systems.sqlite.connection import connect

    path = tmp_path_factory.mktemp("reading") / "a.db"
    made = apsw.Connection(str(path))
    made.execute(CORPUS["schema"])
    made.close()
    opened = connect(read_target("db", {"path": str(path)}, images=path.parent))
    yield opened
    opened.close()


def objects(reading: Reading) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for named in reading.classification.objects:
        found.setdefault(named.name, set()).add(named.operation.value)
    return found


@pytest.mark.parametrize("case", STATEMENTS, ids=lambda case: case["sql"][:40])
def test_no_statement_is_judged_less_than_it_is(connection: apsw.Connection, case: dict[str, Any]) -> None:
    before = connection.total_changes()
    reading = read_statement(connection, case["sql"])
    found = reading.classification
    if EffectClass.UNKNOWN not in found.effects:
        assert {EffectClass(name) for name in case["effects"]} <= found.effects
        for name, operation in case.get("objects", {}).items():
            assert operation in objects(reading)[name]
    assert connection.total_changes() == before
    assert not connection.in_transaction


def test_few_statements_are_left_unread_and_none_is_called_more_than_it_is(
    connection: apsw.Connection,
) -> None:
    known = [case for case in STATEMENTS if "unknown" not in case["effects"]]
    closed, over = [], []
    for case in known:
        found = read_statement(connection, case["sql"]).classification
        if EffectClass.UNKNOWN in found.effects:
            closed.append(case["sql"])
        elif {effect.value for effect in found.effects} != set(case["effects"]):
            over.append((case["sql"], sorted(found.effects)))
    assert len(closed) <= 0.15 * len(known), closed
    assert not over


def test_a_pragma_that_acts_when_it_is_prepared_does_not_act_when_it_is_read(
    connection: apsw.Connection,
) -> None:
    for text in ("PRAGMA foreign_keys = OFF", "EXPLAIN PRAGMA foreign_keys = OFF"):
        assert read_statement(connection, text).refused
    assert connection.pragma("foreign_keys") == 1


@pytest.mark.parametrize(
    "text",
    [
        "ATTACH '/tmp/x.db' AS x",
        "VACUUM INTO '/tmp/x.db'",
        "SELECT load_extension('x')",
        "PRAGMA writable_schema = 1",
        "PRAGMA recursive_triggers = 0",
        "PRAGMA nothing_known = 1",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT x",
        "SELECT 1; SELECT 2",
        "SELECT * FROM _clearance_images",
        "DROP TABLE _CLEARANCE_images",
        "CREATE TABLE _clearance_marker (environment)",
        "ALTER TABLE accounts RENAME TO _clearance_marker",
        "ALTER TABLE accounts RENAME TO '_Clearance_Marker'",
        "CREATE TRIGGER x AFTER INSERT ON _clearance_images BEGIN SELECT 1; END",
    ],
)
def test_what_would_undermine_the_guard_is_refused(connection: apsw.Connection, text: str) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS _clearance_images (snapshot_id, part, content, digest)")
    try:
        assert read_statement(connection, text).refused
    finally:
        connection.execute("DROP TABLE _clearance_images")


def test_a_right_that_is_not_reviewed_is_unknown(connection: apsw.Connection) -> None:
    from clearance.adapters.systems.sqlite.reading import _Judgement

    judgement = _Judgement(connection)
    judgement.take(9999, "x", None, "main")
    assert judgement.unknown


def test_a_schema_qualified_shadow_of_a_builtin_is_a_table_not_a_function(
    connection: apsw.Connection,
) -> None:
    reading = read_statement(connection, "SELECT main.abs(1)")
    assert reading.classification.operation is Operation.UNKNOWN
