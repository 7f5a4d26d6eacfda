"""A system's counts for requests, its identity and its options, on a real MariaDB where one is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance.adapters.systems.mysql import open_session, open_system
from clearance.adapters.systems.mysql.system import MysqlSystem
from clearance.core.model import EffectClass, Environment, Exactness, Operation, Reversibility
from clearance.errors import ConfigurationError, SystemUnavailableError
from tests.adapters.systems.mysql.conftest import Database, request_for


def counted(
    system: MysqlSystem, shop: Database, operation: Operation, **arguments: object
) -> dict[str, int | None]:
    measured = system.measure(request_for(operation, **arguments), ["users"])
    return {touch.resource.removeprefix(f"{shop.name}."): touch.count for touch in measured.radius.touches}


@pytest.mark.servers
def test_records_named_by_id_are_counted_with_what_refers_to_them(
    shop: Database, system: MysqlSystem
) -> None:
    before = shop.dump()
    found = counted(system, shop, Operation.DELETE, record_ids=[1, 2, 99])
    assert found == {"users": 2, "orders": 3, "items": 4, "notes": 3, "badges": 3}
    assert shop.dump() == before


@pytest.mark.servers
def test_a_table_without_ids_is_counted_whole_as_an_estimate(shop: Database, system: MysqlSystem) -> None:
    measured = system.measure(request_for(Operation.DELETE), ["users"])
    assert measured.radius.count == 5
    assert measured.radius.touches[0].exactness is Exactness.ESTIMATE
    assert measured.radius.reversibility is Reversibility.NONE


@pytest.mark.servers
def test_a_statement_is_rehearsed_and_taken_back(shop: Database, system: MysqlSystem) -> None:
    before = shop.dump()
    found = counted(system, shop, Operation.UNKNOWN, sql="DELETE FROM users WHERE id = %s", parameters=[1])
    assert found == {"users": 1, "orders": 2, "items": 3, "notes": 2, "badges": 2}
    assert shop.dump() == before


@pytest.mark.servers
def test_a_drop_in_a_request_is_counted_and_not_run(shop: Database, system: MysqlSystem) -> None:
    measured = system.measure(request_for(Operation.READ, query="DROP TABLE items"), ["users"])
    assert measured.operation is Operation.DDL
    assert measured.radius.count == 5
    assert "items" in shop.dump()


@pytest.mark.servers
def test_a_statement_that_fails_is_unknown_and_quotes_nothing(shop: Database, system: MysqlSystem) -> None:
    measured = system.measure(
        request_for(Operation.READ, sql="SELECT nothing FROM users WHERE name = 'secret'"), []
    )
    assert EffectClass.UNKNOWN in measured.radius.effects
    assert "secret" not in str(measured.radius)


@pytest.mark.servers
def test_a_table_that_is_not_there_is_unknown(shop: Database, system: MysqlSystem) -> None:
    measured = system.measure(request_for(Operation.DELETE, record_ids=[1]), ["users", "nowhere"])
    assert measured.radius.count is None


@pytest.mark.servers
def test_the_fingerprint_is_of_the_server_and_decides_the_environment_before_its_marker(
    shop: Database, place: str, tmp_path: Path
) -> None:
    plain = open_system("one", {"dsn": place}, images=tmp_path)
    plain.install()
    info = plain.info()
    assert info.environment is Environment.UNKNOWN
    shop.run("INSERT INTO clearance_guard.marker VALUES ('production')")
    try:
        assert plain.info().environment is Environment.PRODUCTION
        named = open_system(
            "two", {"dsn": place, "environments": {info.fingerprint: "sandbox"}}, images=tmp_path
        )
        assert (named.info().environment, named.info().fingerprint) == (Environment.SANDBOX, info.fingerprint)
        shop.run("INSERT INTO clearance_guard.marker VALUES ('sandbox')")
        assert plain.info().environment is Environment.UNKNOWN
    finally:
        shop.run("DELETE FROM clearance_guard.marker")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dsn": "postgres://u@h/d"},
        {"dsn": "mysql://u@h"},
        {"dsn": "mysql://u:hidden@h:x/d"},
        {"dsn_env": "CLEARANCE_TEST_NOT_SET"},
        {"dsn": "mysql://u@h/d", "unknown": 1},
        {"dsn": "mysql://u@h/d", "most_rows": 0},
    ],
)
def test_options_that_do_not_fit_are_told_without_the_password(
    options: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_system("shop", options, images=tmp_path)
    assert "hidden" not in str(caught.value)


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(SystemUnavailableError) as caught:
        open_session("shop", {"dsn": "mysql://u:hidden@127.0.0.1:1/d"}, images=tmp_path)
    assert "hidden" not in str(caught.value)
