"""Every type at its extremes: an image of a row is the row, bit by bit."""

# ruff: noqa: E501  statements are read more easily on one line

from __future__ import annotations

import pytest

from clearance.core.model import RestoreStatus, Reversibility
from tests.adapters.systems.postgres.conftest import Guarded

pytestmark = pytest.mark.servers

TYPES: dict[str, tuple[str, ...]] = {
    "smallint": ("-32768", "32767"),
    "integer": ("-2147483648", "0"),
    "bigint": ("-9223372036854775808", "9223372036854775807"),
    "numeric": ("NaN", "Infinity", "1e-1000", "1.10", "1.1000", "123456789012345678901234567890.5"),
    "numeric(8,3)": ("1.100", "-99999.999"),
    "real": ("-0", "NaN", "1e-45", "3.4028235e38", "0.1"),
    "double precision": ("-0", "-Infinity", "5e-324", "0.1", "1.7976931348623157e308"),
    "money": ("-92233720368547758.08", "0.01"),
    "boolean": ("true", "false"),
    "text": ("", "NULL", "tab\there", "quote\"'\\", "{a,b}", "(1,2)", "zero width \u200b", "\U0001f600"),
    "varchar(5)": ("abc  ", ""),
    "char(5)": ("ab", ""),
    '"char"': ("a", "\\377"),
    "name": ("x" * 63,),
    "bytea": ("\\x", "\\x00ff5c27"),
    "date": ("infinity", "-infinity", "4713-01-01 BC", "5874897-12-31"),
    "time": ("24:00:00", "00:00:00.000001"),
    "timetz": ("24:00:00+15:59:59", "12:00:00.5-03:30"),
    "timestamp": ("infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999"),
    "timestamptz": (
        "-infinity",
        "2021-10-31 01:30:00+00",
        "2021-10-31 00:30:00+00",
        "0001-01-01 00:00:00+00 BC",
    ),
    "interval": ("-1 mons +1 day", "178000000 years", "-00:00:00.000001", "1 mon -30 days"),
    "uuid": ("ffffffff-ffff-ffff-ffff-ffffffffffff",),
    "json": ('{"a":1,  "a":2}', "null", "1.10", '"\\u0041"'),
    "jsonb": ("null", '{"b": 1.10, "a": [null]}', "1e400"),
    "inet": ("10.1.2.3/8", "::ffff:1.2.3.4"),
    "cidr": ("10.0.0.0/8",),
    "macaddr": ("08:00:2b:01:02:03",),
    "macaddr8": ("08:00:2b:01:02:03:04:05",),
    "bit(3)": ("101",),
    "bit varying": ("", "1" * 65),
    "point": ("(-0,1e-300)", "(Infinity,NaN)"),
    "line": ("{1,-1,0}",),
    "lseg": ("[(0,0),(1,1)]",),
    "box": ("(1,1),(0,0)",),
    "path": ("[(0,0),(1,1)]", "((0,0),(1,1))"),
    "polygon": ("((0,0),(1,1),(1,0))",),
    "circle": ("<(0,0),0>",),
    "tsvector": ("'a':1A 'it''s':2B",),
    "tsquery": ("'a' & !'b':*",),
    "int4range": ("empty", "[1,5)", "(,)"),
    "numrange": ("[1.10,2.0]", "empty"),
    "tstzrange": ("[-infinity,infinity]",),
    "int8multirange": ("{[1,3), [5,)}",),
    "integer[]": ("[0:1]={1,2}", "{{1,NULL},{3,4}}", "{}"),
    "text[]": ('{NULL,"NULL","",a\\"b}', "[-1:-1]={x}"),
    "mood": ("good", "it's bad"),
    "short": ("abc",),
    "pair": ('(1,"a b")', "(,)", '(,"")'),
    "pair[]": ('{"(1,x)",NULL}',),
    "oid": ("4294967295",),
    "pg_lsn": ("FFFFFFFF/FFFFFFFF",),
    "oidvector": ("1 2 3",),
    "regclass": ("pg_class",),
    "jsonpath": ('$."a"[*] ? (@ > 1)',),
}
_SCHEMA = """
CREATE TYPE mood AS ENUM ('good', 'it''s bad');
CREATE DOMAIN short AS text CHECK (length(VALUE) < 5);
CREATE TYPE pair AS (n int, t text);
"""


def _rows(guarded: Guarded) -> None:
    columns = ", ".join(f'"c {number}" {name}' for number, name in enumerate(TYPES))
    guarded.build(
        f"{_SCHEMA} CREATE TABLE every (id int PRIMARY KEY, {columns}); CREATE TABLE bare ({columns})"
    )
    most = max(len(values) for values in TYPES.values())
    for row in range(most + 1):
        values = [None if row == most else values[row % len(values)] for values in TYPES.values()]
        given = ", ".join(f"%s::text::{name}" for name in TYPES)
        guarded.owner.execute(f"INSERT INTO every VALUES ({row}, {given})", values)
        guarded.owner.execute(f"INSERT INTO bare VALUES ({given})", values)


def test_rows_of_every_type_return_bit_by_bit(guarded: Guarded) -> None:
    assert len(TYPES) >= 47
    _rows(guarded)
    before = guarded.dump()
    bits = guarded.owner.execute(
        "SELECT md5(string_agg(record_send(e)::text, ',' ORDER BY id)) FROM every e"
    ).fetchone()
    for table in ("every", "bare"):
        snapshot_id, radius = guarded.act(f"DELETE FROM {table}", statement_timeout_seconds=30)
        assert radius.reversibility is Reversibility.EXACT
        done = guarded.undo(snapshot_id)
        assert (done.status, done.verified) == (RestoreStatus.RESTORED, True)
    assert guarded.dump() == before
    again = guarded.owner.execute(
        "SELECT md5(string_agg(record_send(e)::text, ',' ORDER BY id)) FROM every e"
    ).fetchone()
    assert again == bits


def test_rows_of_every_type_return_after_each_column_was_emptied(guarded: Guarded) -> None:
    _rows(guarded)
    before = guarded.dump()
    for table in ("every", "bare"):
        emptied = ", ".join(f'"c {number}" = NULL' for number in range(len(TYPES)))
        snapshot_id, radius = guarded.act(f"UPDATE {table} SET {emptied}")
        assert radius.reversibility is Reversibility.EXACT
        assert guarded.dump() != before
        assert guarded.undo(snapshot_id).status is RestoreStatus.RESTORED
        assert guarded.dump() == before


def test_a_value_too_wide_for_a_page_is_kept_though_the_action_left_it_alone(guarded: Guarded) -> None:
    guarded.build(
        "CREATE TABLE wide (id int PRIMARY KEY, big text, n int); ALTER TABLE wide ALTER big SET STORAGE EXTERNAL;"
        "INSERT INTO wide SELECT i, repeat('abcdefgh', 5000 * i), i FROM generate_series(1, 5) i"
    )
    before = guarded.dump()
    first, _ = guarded.act("UPDATE wide SET n = n + 1")
    second, _ = guarded.act("DELETE FROM wide")
    guarded.undo(second)
    guarded.undo(first)
    assert guarded.dump() == before


def test_an_equal_value_that_is_written_otherwise_is_a_conflict(guarded: Guarded) -> None:
    guarded.build("CREATE TABLE one (id int PRIMARY KEY, v numeric); INSERT INTO one VALUES (1, 5)")
    snapshot_id, _ = guarded.act("UPDATE one SET v = 1.10")
    guarded.owner.execute("UPDATE one SET v = 1.1")
    assert guarded.undo(snapshot_id).status is RestoreStatus.CONFLICT


def test_names_that_mean_something_to_the_guard_mean_nothing_as_columns(guarded: Guarded) -> None:
    names = (
        "t",
        "n",
        "o",
        "a",
        "b",
        "r",
        "e",
        "p",
        "select",
        "Odd Name",
        "armed",
        "olds",
        "rows",
        "sign",
        "snapshot",
    )
    columns = ", ".join(
        f'"{name}" int' for name in (*names, "state", "why", "k0", "place", "{packed}", "{table}", "%s")
    )
    guarded.build(
        f'CREATE TABLE "Odd.Table" (id int PRIMARY KEY, {columns}); INSERT INTO "Odd.Table" SELECT i FROM generate_series(1, 9) i;'
        f"CREATE TABLE loose ({columns}); INSERT INTO loose SELECT i FROM generate_series(1, 9) i"
    )
    before = guarded.dump()
    for statement in (
        'UPDATE "Odd.Table" SET t = 5, o = 6, "{packed}" = 1',
        "UPDATE loose SET a = 5 WHERE t < 5",
        "DELETE FROM loose",
    ):
        snapshot_id, radius = guarded.act(statement)
        assert radius.reversibility is Reversibility.EXACT
        assert guarded.undo(snapshot_id).status is RestoreStatus.RESTORED
        assert guarded.dump() == before


def test_the_session_that_wrote_may_have_any_settings(guarded: Guarded) -> None:
    guarded.build(
        "CREATE TABLE one (id int PRIMARY KEY, v float8, t timestamptz, i interval); INSERT INTO one VALUES (1, 0.1, now(), '1 day')"
    )
    database = guarded.dsn.rsplit("/", 1)[1]
    guarded.owner.execute(
        f"ALTER DATABASE {database} SET extra_float_digits = -5; ALTER DATABASE {database} SET datestyle = 'SQL, DMY';"
        f"ALTER DATABASE {database} SET intervalstyle = 'sql_standard'; ALTER DATABASE {database} SET timezone = 'Asia/Tokyo'"
    )
    before = guarded.dump()
    snapshot_id, _ = guarded.act("UPDATE one SET v = 0.3")
    guarded.undo(snapshot_id)
    assert guarded.dump() == before
