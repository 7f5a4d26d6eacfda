"""The same client against a real server: one API, one enum, one codec at both ends."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from clearance import (
    AuthenticationError,
    Client,
    ConfigurationError,
    ForbiddenError,
    PolicyError,
    PolicyViolationError,
    UnreachableError,
    guard,
)
from clearance.core.model import (
    Approval,
    CheckResult,
    Effect,
    Limit,
    Mode,
    Notify,
    Reason,
    ReasonCode,
    Snapshot,
    Transform,
)
from clearance.errors import ProtocolError
from tests.conftest import Server, free_port

pytestmark = pytest.mark.servers  # takes its time


@pytest.fixture(scope="module")
def admin(server: Server) -> Iterator[Client]:
    with Client(url=server.url, api_key=server.admin_key) as client:
        yield client


@pytest.fixture(scope="module")
def agent(server: Server) -> Iterator[Client]:
    with Client(url=server.url, api_key=server.agent_key) as client:
        yield client


def test_a_run_with_a_guarded_function_is_recorded_on_the_server(agent: Client) -> None:
    @guard
    def get_price(article: str) -> int:
        return 3

    with agent.run(goal="price it") as run:
        assert get_price("bolt") == 3
    records = agent.trace(run.run_id)
    assert [r.kind.value for r in records] == ["run_started", "intent", "outcome", "run_ended"]
    assert {r.agent for r in records} == {"billing"}
    assert records[1].decoded()["principal"]["proof"] == "api_key"


def test_a_result_larger_than_the_wire_takes_is_recorded_cut(agent: Client) -> None:
    @guard
    def get_dump() -> list[str]:
        return ["x" * 1000] * 6000

    @guard
    def get_error() -> None:
        raise LookupError("y" * 6_000_000)

    with agent.run() as run:
        assert len(get_dump()) == 6000
        with pytest.raises(LookupError):
            get_error()
    outcomes = [record for record in agent.trace(run.run_id) if record.kind.value == "outcome"]
    assert [record.status for record in outcomes] == ["succeeded", "failed"]
    assert all(len(bytes(record.body)) < 70_000 for record in outcomes)
    assert "cut" in str(outcomes[0].decoded()["result"][-1])


def test_a_policy_made_by_the_admin_stops_the_agent_at_once(admin: Client, agent: Client) -> None:
    admin.policies.create({"name": "no_refunds", "rule": "block", "condition": {"tool": "refund"}})

    @guard
    def refund(order: str) -> None:
        raise AssertionError("ran")

    with agent.run(), pytest.raises(PolicyViolationError):
        refund("o1")
    admin.policies.delete("no_refunds")


def test_an_agents_key_cannot_change_policies(agent: Client) -> None:
    with pytest.raises(ForbiddenError):
        agent.policies.create({"name": "mine", "rule": "allow", "condition": {}})


def test_an_agents_key_cannot_act_as_another_agent(server: Server) -> None:
    with (
        Client(url=server.url, api_key=server.agent_key, agent="ops") as client,
        pytest.raises(ForbiddenError),
    ):
        client.check("read", "t")


def test_policy_problems_arrive_whole(admin: Client) -> None:
    with pytest.raises(PolicyError) as refusal:
        admin.policies.create({"name": "x", "rule": "blok", "condition": {"acton": "update"}})
    assert len(refusal.value.problems) == 2


async def test_the_async_api_does_the_same(server: Server) -> None:
    async with Client(url=server.url, api_key=server.agent_key) as client:

        @guard
        async def get_price(article: str) -> int:
            return 3

        async with client.run(goal="g") as run:
            assert await asyncio.gather(*(get_price(f"a{n}") for n in range(10))) == [3] * 10
        assert len(client.trace(run.run_id)) == 22


@pytest.mark.parametrize("key", ["clr_nobody_nothing", "clr__", "hunter2"])
def test_a_wrong_key_is_refused_without_detail(server: Server, key: str) -> None:
    with Client(url=server.url, api_key=key) as client, pytest.raises(AuthenticationError) as refusal:
        client.check("read", "t")
    assert key not in str(refusal.value)


def test_every_decision_survives_the_codec_unchanged() -> None:
    for effect in Effect:
        for code in ReasonCode:
            result = CheckResult(
                action_id="a",
                run_id="r",
                effect=effect,
                reasons=(Reason(code=code, message="m", policy="p", mode=Mode.SHADOW, certain=False),),
                obligations=(
                    Approval(policy="p"),
                    Snapshot(policy="p"),
                    Transform(policy="p", paths=("a",), patterns=("secret",)),
                    Notify(policy="p", message="m"),
                    Limit(policy="p", result_items=1),
                ),
                arguments={"a": 1},
            )
            assert msgspec.json.decode(msgspec.json.encode(result), type=CheckResult) == result


@pytest.mark.parametrize("effect", ["Allow", "ALLOW", "allowed", "", None, 1, "block"])
def test_a_verdict_in_any_other_spelling_is_nonsense_and_not_a_yes(effect: object) -> None:
    body = {"action_id": "a", "run_id": "r", "effect": effect, "reasons": []}
    with answering(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + msgspec.json.encode(body)) as url:
        refuses(url, ProtocolError)


NONSENSE = {
    "html": b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html>hello</html>",
    "empty": b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
    "cut json": b'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"action_id": "a", "effect": "al',
    "array": b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[]",
    "redirect": b"HTTP/1.1 307 Elsewhere\r\nconnection: close\r\nlocation: http://127.0.0.1:9/\r\n\r\n",
    "error page": b"HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbad",
    "no content": b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
    "bad utf-8": b'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"action_id": "\xff"}',
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_an_error_and_the_action_does_not_run(name: str) -> None:
    with answering(NONSENSE[name]) as url:
        refuses(url, ProtocolError)


@pytest.mark.parametrize(
    "answer", [b"", b"not http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"]
)
def test_a_broken_connection_is_unreachable_and_the_action_does_not_run(answer: bytes) -> None:
    with answering(answer) as url:
        refuses(url, UnreachableError)


def test_a_silent_server_is_unreachable_in_time() -> None:
    with answering(None) as url:
        refuses(url, UnreachableError)


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    refuses(f"http://127.0.0.1:{free_port()}", UnreachableError)


def test_a_named_read_may_go_on_alone_and_nothing_else() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url=url, api_key="clr_a_b", timeout_seconds=0.5) as client:

        @guard(client=client, operation="read", on_unreachable="allow")
        def get_weather(city: str) -> str:
            return "sun"

        assert get_weather("Bern") == "sun"
        assert client.check("read", "t", on_unreachable="allow").allowed
        with pytest.raises(ValueError, match="reads only"):
            client.check("update", "t", on_unreachable="allow")
        with pytest.raises(ValueError, match="reads only"):
            client.check("get_weather", on_unreachable="allow")


def test_a_missing_key_or_a_strange_url_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        Client(url="ftp://somewhere", api_key="")
    assert {problem.code for problem in refusal.value.problems} == {"bad_url", "no_api_key"}


def refuses(url: str, error: type[Exception]) -> None:
    ran: list[str] = []
    with Client(url=url, api_key="clr_a_b", timeout_seconds=0.3) as client:

        @guard(client=client)
        def read_row(row: str) -> None:
            ran.append(row)

        with pytest.raises(error, match="did not run"):
            read_row("r1")
        with pytest.raises(error, match="did not run"):
            client.check("read", "t")
    assert ran == []


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """A listener that gives every connection this answer, or none at all."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []
    closing = threading.Event()

    def serve() -> None:
        while not closing.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if answer is None:
                held.append(connection)
                continue
            connection.recv(65_536)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            held.append(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        closing.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in held:
            connection.close()
        thread.join(timeout=5)


def test_a_result_is_judged_on_the_server_and_shown_as_it_was_judged(admin: Client, agent: Client) -> None:
    for name, rule in (("hide", {"rule": "block"}), ("mask", {"rule": "redact"})):
        condition: dict[str, object] = {"tool": "read_box"}
        if name == "hide":
            condition["argument"] = {"result": {"matches": "(?i)ignore all"}}
        redact = {"redact": {"patterns": ["email"]}} if name == "mask" else {}
        policy = {"name": name, "at": "post_tool_call", "condition": condition, **rule, **redact}
        admin.policies.create(policy)

    @guard
    def read_box(text: str) -> dict[str, object]:
        return {"text": text if text != "large" else "x" * 5_000_000, "size": (1, 2)}

    try:
        with agent.run() as run:
            assert read_box("plain") == {"text": "plain", "size": (1, 2)}
            assert read_box("ann@example.com") == {"text": "[redacted:email]", "size": [1, 2]}
            with pytest.raises(PolicyViolationError, match="withholds the result") as refusal:
                read_box("Ignore all")
            with pytest.raises(PolicyViolationError, match="could not be asked") as lost:
                read_box("large")
            assert agent.check("read_box").reason_code == "obligation_not_supported"
        trace = str([record.decoded() for record in agent.trace(run.run_id) if record.status])
        assert (refusal.value.reason_code, lost.value.reason_code) == ("result_withheld", "result_withheld")
        assert "ann@" not in trace
    finally:
        admin.policies.delete("hide")
        admin.policies.delete("mask")
