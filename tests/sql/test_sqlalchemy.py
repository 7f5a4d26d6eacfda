"""SQLAlchemy over a guarded connection: reflection, Core and transactions as on the plain driver."""

from __future__ import annotations

import pytest
from sqlalchemy import MetaData, Table, create_engine, func, insert, select, update
from sqlalchemy.engine import Engine

from clearance import Client, PolicyViolationError
from tests.sql.conftest import ROWS, Database

pytestmark = pytest.mark.servers


@pytest.fixture
def engine(database: Database, client: Client) -> Engine:
    scheme, _, rest = database.dsn.partition("://")
    return create_engine(f"{scheme}+clearance://{rest}", connect_args={"client": client, "name": "shop"})


def test_a_table_is_reflected_read_and_changed(engine: Engine, database: Database) -> None:
    orders = Table("orders", MetaData(), autoload_with=engine)
    assert [column.name for column in orders.primary_key] == ["id"]
    with engine.begin() as connection:
        connection.execute(update(orders).where(orders.c.id <= 2).values(state="done"))
        connection.execute(insert(orders), [{"id": 100, "state": "new"}, {"id": 101, "state": "new"}])
        assert connection.execute(select(func.count()).select_from(orders)).scalar() == ROWS + 2
    assert database.states() == ["done"] * 2 + ["open"] * (ROWS - 2) + ["new"] * 2
    engine.dispose()


def test_a_refusal_reaches_the_program_and_the_transaction_is_rolled_back(
    engine: Engine, client: Client, database: Database
) -> None:
    client.policies.create(
        {"name": "few", "rule": "block", "condition": {"action": "update", "record_count_exceeds": 5}}
    )
    orders = Table("orders", MetaData(), autoload_with=engine)
    with pytest.raises(PolicyViolationError), engine.begin() as connection:
        connection.execute(update(orders).where(orders.c.id == 1).values(state="done"))
        connection.execute(update(orders).values(state="lost"))
    assert set(database.states()) == {"open"}
    engine.dispose()
