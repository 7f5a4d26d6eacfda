"""A run that somebody else began, named by CLEARANCE_RUN_ID: joined by all, ended by none of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearance import Client
from clearance.core.model import RecordKind
from tests.conftest import Server


@pytest.fixture
def outer(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Begun over HTTP, and named in the environment."""
    monkeypatch.setenv("CLEARANCE_URL", server.url)
    monkeypatch.setenv("CLEARANCE_API_KEY", server.agent_key)
    with server.http() as http:
        run_id = http.post("/v1/runs", json={"goal": "all"}).json()["run_id"]
    monkeypatch.setenv("CLEARANCE_RUN_ID", run_id)
    yield run_id


def kinds(server: Server, run_id: str) -> list[RecordKind]:
    with Client(url=server.url, api_key=server.agent_key) as client:
        return [record.kind for record in client.trace(run_id)]


def test_blocks_and_single_actions_belong_to_it_and_do_not_end_it(server: Server, outer: str) -> None:
    with Client() as client:
        assert client.check("read_file").run_id == outer
        with client.run("a part") as run:
            assert (run.run_id, run.goal) == (outer, "all")
            with client.run("a part of the part") as inner:
                assert inner.run_id != outer
    found = kinds(server, outer)
    assert found.count(RecordKind.NOTE) == 1
    assert RecordKind.RUN_ENDED not in found


async def test_the_same_holds_on_an_event_loop(server: Server, outer: str) -> None:
    async with Client() as client:
        async with client.run("a part") as run:
            assert (await run.acheck("read_file")).run_id == outer
        assert (await client.acheck("read_file")).run_id == outer
    assert RecordKind.RUN_ENDED not in kinds(server, outer)


def test_a_run_that_is_named_or_a_store_of_its_own_is_no_part_of_it(
    server: Server, outer: str, tmp_path: object
) -> None:
    with Client() as client, client.run(run_id=outer):
        pass
    assert kinds(server, outer)[-1] is RecordKind.RUN_ENDED
    with Client(f"{tmp_path}/store", agent="tester") as client:
        assert client.check("read_file").run_id != outer
