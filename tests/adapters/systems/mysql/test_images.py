"""Every type comes back bit for bit, at its extremes, deleted and changed, on a real MariaDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clearance.adapters.systems.mysql import open_session, open_system
from clearance.adapters.systems.mysql.images import number_of
from clearance.core.model import RestoreMode, RestoreStatus, Reversibility
from tests.adapters.systems.mysql.conftest import Database

Fresh = Callable[[], str]

TYPES = {
    "TINYINT": ["-128", "127"],
    "SMALLINT UNSIGNED": ["65535"],
    "MEDIUMINT": ["-8388608"],
    "INT UNSIGNED ZEROFILL": ["7"],
    "BIGINT UNSIGNED": ["18446744073709551615"],
    "DECIMAL(38, 18)": ["12345678901234567890.123456789012345678", "-0.000000000000000001"],
    "FLOAT": ["3.1415927410125732", "1.17549435e-38", "'-0'"],
    "DOUBLE": ["1.7976931348623157e308", "0.1", "'-0'"],
    "BIT(5)": ["b'10101'"],
    "DATE": ["'0000-00-00'", "'2020-00-00'", "'9999-12-31'"],
    "DATETIME(6)": ["'0000-00-00 00:00:00'", "'2024-02-29 23:59:59.999999'"],
    "TIMESTAMP(6) NULL": ["'0000-00-00 00:00:00'", "'2024-10-27 01:30:00.000001'", "'2038-01-19 03:14:07'"],
    "TIME(3)": ["'-838:59:59.999'", "'838:59:59.000'"],
    "YEAR": ["0", "2155"],
    "CHAR(5)": ["'a  '", "''"],
    "VARCHAR(50) COLLATE utf8mb4_general_ci": ["'Straße 😀 \\\\ '", "'a '", "'A'"],
    "VARCHAR(20) CHARACTER SET latin1": ["'é'"],
    "BINARY(4)": ["x'00FF'"],
    "VARBINARY(20)": ["x'00ff270a00'", "''"],
    "TEXT": ["REPEAT('x', 60000)"],
    "BLOB": ["x'0001FE80'"],
    "JSON": ['\'{"a": 1, "a": 2, "b": 1.0}\'', "'null'"],
    "ENUM('a', '', 'b')": ["'b'", "''"],
    "SET('x', 'y', 'z')": ["'x,z'", "''"],
    "POINT": ["ST_GeomFromText('POINT(1.5 -2)')"],
    "INET6": ["'2001:db8::1'"],
    "UUID": ["'123e4567-e89b-12d3-a456-426614174000'"],
}


@pytest.fixture
def typed(empty: Database) -> Iterator[Database]:
    empty.run("SET SESSION sql_mode = 'ALLOW_INVALID_DATES', time_zone = 'SYSTEM'")
    columns = ", ".join(f"`c {at}` {kind}" for at, kind in enumerate(TYPES))
    empty.run(f"CREATE TABLE typed (id INT PRIMARY KEY, {columns}) CHARACTER SET utf8mb4")
    rows = max(len(values) for values in TYPES.values())
    for row in range(rows):
        cells = [values[row] if row < len(values) else "NULL" for values in TYPES.values()]
        empty.run(f"INSERT INTO typed VALUES ({row}, {', '.join(cells)})")
    empty.run(f"INSERT INTO typed (id) VALUES ({rows})")
    yield empty


@pytest.mark.servers
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM typed",
        "UPDATE typed SET " + ", ".join(f"`c {at}` = NULL" for at in range(len(TYPES))),
        "UPDATE typed SET `c 15` = 'a' WHERE `c 15` = 'A'",  # only case and a blank change
    ],
)
def test_every_type_is_kept_and_put_back_bit_for_bit(
    typed: Database, mariadb_dsn: str, tmp_path: Path, fresh: Fresh, statement: str
) -> None:
    before, snapshot = typed.dump(), fresh()
    session = open_session("types", {"dsn": mariadb_dsn}, images=tmp_path)
    measured = session.attempt(statement, None, snapshot_id=snapshot)
    assert measured.radius.reversibility is Reversibility.EXACT, measured.radius.irreversible
    session.complete()
    session.commit()
    assert typed.dump() != before
    system = open_system("types", {"dsn": mariadb_dsn}, images=tmp_path)
    assert (
        system.restore(snapshot, as_snapshot=fresh(), mode=RestoreMode.ALL).status is RestoreStatus.RESTORED
    )
    assert typed.dump() == before
    session.close()


@pytest.mark.servers
def test_names_that_are_words_of_sql_or_hold_quotes_are_kept(
    empty: Database, mariadb_dsn: str, tmp_path: Path, fresh: Fresh
) -> None:
    empty.run(
        "CREATE TABLE `select ``from`` x` (`key` INT, `n` INT, `c0` INT, `phase` VARCHAR(9),"
        " `Odd ``Name` INT,"
        " PRIMARY KEY (`n`, `phase`))",
        "INSERT INTO `select ``from`` x` VALUES (1, 2, 3, 'p', 4), (5, 6, 7, 'q', 8)",
    )
    before, snapshot = empty.dump(), fresh()
    session = open_session("odd", {"dsn": mariadb_dsn}, images=tmp_path)
    measured = session.attempt(
        "DELETE FROM `select ``from`` x` WHERE `Odd ``Name` = 4", None, snapshot_id=snapshot
    )
    assert measured.radius.touches[0].sample == ("2, p",)
    session.complete()
    session.commit()
    session.close()
    system = open_system("odd", {"dsn": mariadb_dsn}, images=tmp_path)
    system.restore(snapshot, as_snapshot=fresh(), mode=RestoreMode.ALL)
    assert empty.dump() == before


@pytest.mark.servers
def test_a_dropped_image_table_leaves_the_change_out_and_not_the_image(
    empty: Database, mariadb_dsn: str, tmp_path: Path, fresh: Fresh
) -> None:
    empty.run("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    session = open_session("dropped", {"dsn": mariadb_dsn}, images=tmp_path)
    session.attempt("DELETE FROM t", None, snapshot_id=fresh())
    session.discard()
    for (name,) in empty.run("SHOW TABLES FROM clearance_guard LIKE 'img%'").fetchall():
        if empty.number(f"SELECT COUNT(*) FROM clearance_guard.`{name}`") == 0:
            empty.run(f"DROP TABLE clearance_guard.`{name}`")
    session.attempt("DELETE FROM t", None, snapshot_id=fresh())  # made again
    assert session.saved().count == 1
    session.close()
    assert empty.number("SELECT COUNT(*) FROM t") == 1


def test_a_snapshot_has_the_same_number_always_and_another_snapshot_another() -> None:
    assert number_of("a") == number_of("a") != number_of("b")
    assert 0 <= number_of("a") < 2**63


@pytest.mark.servers
def test_a_timestamp_in_the_hour_that_a_clock_change_repeats_does_not_move(
    empty: Database, mariadb_dsn: str, tmp_path: Path, fresh: Fresh
) -> None:
    empty.run("SET SESSION time_zone = '+02:00'", "CREATE TABLE t (id INT PRIMARY KEY, at TIMESTAMP NULL)")
    empty.run("INSERT INTO t VALUES (1, '2024-10-27 02:30:00'), (2, '2024-10-27 03:30:00')")
    before, snapshot = empty.dump(), fresh()
    session = open_session("clock", {"dsn": mariadb_dsn}, images=tmp_path)
    session.attempt("DELETE FROM t", None, snapshot_id=snapshot)
    session.complete()
    session.commit()
    session.close()
    open_system("clock", {"dsn": mariadb_dsn}, images=tmp_path).restore(
        snapshot, as_snapshot=fresh(), mode=RestoreMode.ALL
    )
    assert empty.dump() == before
