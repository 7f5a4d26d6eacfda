"""What a stream and a long wait cost a server: nothing once the reader is gone, or may no longer read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from clearance.adapters.identity import new_key
from clearance.config import Settings
from clearance.core.model import ActionCall, Agent, CredentialKind, Person, PersonSource, Principal, Role
from clearance.gateway.app import Application
from clearance.runtime import hold_watch
from clearance.wiring import Assembly, assemble, utc_now
from tests.doors.approvers import ASKS


@pytest.fixture
def assembly() -> Iterator[Assembly]:
    opened = assemble(Settings(store="memory"))
    opened.control_point.policies.create({"name": "ask_mail", **ASKS}, by="test")
    yield opened
    opened.close()


class Reader:
    """One ASGI request, read as it comes, that can go away at any time."""

    def __init__(self, app: Application, path: str, token: str, query: str = "") -> None:
        self.app, self.path, self.token, self.query = app, path, token, query
        self.gone = asyncio.Event()
        self.got = bytearray()
        self.status = 0
        self._asked = False

    async def read(self) -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": self.query.encode(),
            "headers": [(b"authorization", f"Bearer {self.token}".encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        await self.app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.got += message.get("body", b"")


def ops_token(assembly: Assembly) -> tuple[str, str]:
    at = utc_now()
    person = Person(name="ops", created_at=at, roles=(Role.VIEWER,), source=PersonSource.SERVICE)
    assembly.state.people.add_person(person)
    text, token = new_key("ops", kind=CredentialKind.SERVICE_TOKEN, at=at)
    assembly.state.credentials.add_credential(token)
    return text, token.credential_id


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - what another task does
            await asyncio.sleep(0.01)


def application(assembly: Assembly) -> Application:
    return Application(assembly, version="0", report_timeout=timedelta(hours=1))


async def test_a_reader_that_goes_away_frees_its_place(assembly: Assembly) -> None:
    app, (token, _) = application(assembly), ops_token(assembly)
    watch = app._door.watch
    readers = [Reader(app, "/v1/holds/events", token) for _ in range(20)]
    tasks = [asyncio.create_task(reader.read()) for reader in readers]
    await until(lambda: watch.waiting == 20)
    for reader in readers:
        reader.gone.set()
    await asyncio.gather(*tasks)
    await until(lambda: watch.waiting == 0)


async def test_a_token_that_is_revoked_ends_its_streams(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_watch, "HEARTBEAT_SECONDS", 0.05)
    app, (token, credential_id) = application(assembly), ops_token(assembly)
    reader = Reader(app, "/v1/holds/events", token)
    task = asyncio.create_task(reader.read())
    await until(lambda: reader.got.count(b":\n\n") >= 2)
    assembly.state.credentials.revoke_credential(credential_id, utc_now())
    async with asyncio.timeout(5):
        await task
    assert reader.status == 200


async def test_a_hold_is_followed_by_its_own_agent_and_not_by_another(assembly: Assembly) -> None:
    app = application(assembly)
    at = utc_now()
    tokens = {}
    for name in ("billing", "stranger"):
        assembly.state.agents.add_agent(Agent(name=name, created_at=at))
        tokens[name], key = new_key(name, at=at)
        assembly.state.credentials.add_credential(key)
    call = ActionCall(action="send_email")
    held = assembly.control_point.clear(call, Principal(agent="billing"), door="test")
    for name, status in (("billing", 200), ("stranger", 404)):
        reader = Reader(app, f"/v1/holds/{held.hold_id}/events", tokens[name])
        task = asyncio.create_task(reader.read())
        await until(lambda reader=reader: reader.status != 0)  # type: ignore[misc]
        assert reader.status == status
        reader.gone.set()
        await task
