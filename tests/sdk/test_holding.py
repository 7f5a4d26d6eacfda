"""A held call in process: it raises or waits, and the same call again goes on, whoever sends it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearance import ApprovalRequiredError, Client, PolicyViolationError, RequestError, guard
from clearance.cli.person_here import local_person
from clearance.core.model import AnswerKind, HoldStatus
from clearance.errors import NotFoundError
from clearance.sdk.embedded import EmbeddedBackend
from tests.doors.approvers import ASKS

pytestmark = pytest.mark.servers  # takes its time


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(tmp_path / "store", agent="billing") as opened:
        opened.policies.create({"name": "ask_mail", **ASKS})
        yield opened


def answer(client: Client, hold_id: str, kind: AnswerKind = AnswerKind.APPROVE) -> None:
    assert isinstance(client.backend, EmbeddedBackend)
    holds = client.backend.assembly.holds
    holds.answer(hold_id, kind, person=local_person(), shown_hash=holds.hold(hold_id).shown_hash)


def answer_next(client: Client, kind: AnswerKind = AnswerKind.APPROVE, *, after: float = 0.3) -> None:
    """Somebody sees the next hold, and answers it."""

    def watch() -> None:
        while not (found := client.holds(status="pending")):
            time.sleep(0.01)
        time.sleep(after)
        answer(client, found[0].hold_id, kind)

    threading.Thread(target=watch, daemon=True).start()


def test_a_check_tells_the_hold_and_the_same_check_with_it_goes_on(client: Client) -> None:
    held = client.check("send_email", arguments={"to": "a@b.example"})
    assert held.blocked
    assert held.hold_id in held.reason
    answer(client, held.hold_id)
    assert client.wait(held.hold_id, 5).status is HoldStatus.APPROVED
    cleared = client.check("send_email", arguments={"to": "a@b.example"}, hold_id=held.hold_id)
    assert cleared.allowed
    assert cleared.action_id == held.action_id
    client.report(cleared)


def test_a_guarded_call_that_is_held_raises_with_its_hold_and_does_not_run(client: Client) -> None:
    sent = []

    @guard(client=client)
    def send_email(to: str) -> None:
        sent.append(to)

    with pytest.raises(ApprovalRequiredError) as caught:
        send_email("a@b.example")
    assert isinstance(caught.value, PolicyViolationError)
    assert caught.value.reason_code == "approval_required"
    answer(client, caught.value.hold_id)
    assert sent == []
    send_email("a@b.example")  # the same call, in the same run: no id has to be carried
    assert sent == ["a@b.example"]
    with pytest.raises(ApprovalRequiredError):
        send_email("a@b.example")
    assert sent == ["a@b.example"], "an approval is good for one"


def test_a_guarded_call_can_wait_for_the_yes(client: Client) -> None:
    sent = []

    @guard(client=client, wait_for_approval_seconds=20)
    def send_email(to: str) -> str:
        sent.append(to)
        return "sent"

    answer_next(client)
    began = time.monotonic()
    assert send_email("a@b.example") == "sent"
    assert sent == ["a@b.example"]
    assert time.monotonic() - began < 5


def test_a_guarded_call_that_waits_is_told_the_no(client: Client) -> None:
    @guard(client=client, wait_for_approval_seconds=20)
    def send_email(to: str) -> str:
        raise AssertionError(to)

    answer_next(client, AnswerKind.DENY)
    with pytest.raises(PolicyViolationError) as caught:
        send_email("a@b.example")
    assert caught.value.reason_code == "approval_refused"


def test_a_wait_that_ends_without_an_answer_raises_and_the_hold_stays(client: Client) -> None:
    @guard(client=client, wait_for_approval_seconds=0.3)
    def send_email(to: str) -> str:
        return to

    began = time.monotonic()
    with pytest.raises(ApprovalRequiredError) as caught:
        send_email("a@b.example")
    assert 0.2 < time.monotonic() - began < 3
    assert client.wait(caught.value.hold_id, 0).status is HoldStatus.PENDING


def test_the_client_says_how_long_every_call_waits(tmp_path: Path) -> None:
    with Client(tmp_path / "store", agent="billing", wait_for_approval_seconds=20) as client:
        client.policies.create({"name": "ask_mail", **ASKS})
        answer_next(client)
        with client.run("letters") as run:
            assert run.call("send_email", lambda to: f"sent {to}", {"to": "a"}) == "sent a"


def test_the_environment_says_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARANCE_WAIT_FOR_APPROVAL_SECONDS", "7.5")
    with Client(tmp_path / "store") as client:
        assert client.backend.wait_for_approval_seconds == 7.5


def test_a_time_that_is_none_is_refused(client: Client) -> None:
    for seconds in (-1.0, float("inf"), float("nan")):
        with pytest.raises(RequestError):
            guard(wait_for_approval_seconds=seconds)


async def test_an_async_call_waits_while_the_loop_goes_on(client: Client) -> None:
    @guard(client=client, wait_for_approval_seconds=20)
    async def send_email(to: str) -> str:
        return f"sent {to}"

    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.01)

    beating = asyncio.create_task(beat())
    answer_next(client, after=0.5)
    assert await send_email("a@b.example") == "sent a@b.example"
    beating.cancel()
    assert beats > 20


async def test_many_async_calls_wait_with_no_thread_each(client: Client) -> None:
    before = threading.active_count()
    async with client.run("letters") as run:
        waits = [
            asyncio.create_task(
                client.await_answer((await run.acheck("send_email", arguments={"n": n})).hold_id, 20)
            )
            for n in range(60)
        ]
        await asyncio.sleep(0.5)
        assert threading.active_count() < before + 40, "the default pool of threads, and no more"
        for hold in client.holds(status="pending", limit=100):
            await asyncio.to_thread(answer, client, hold.hold_id)
        assert {hold.status for hold in await asyncio.gather(*waits)} == {HoldStatus.APPROVED}


async def test_an_async_wait_ends_with_the_hold_itself(tmp_path: Path) -> None:
    """No server is there to end what nobody answers."""
    from datetime import timedelta

    from msgspec.structs import replace

    from clearance.wiring import utc_now

    async with Client(tmp_path / "store", agent="billing") as client:
        client.policies.create({"name": "ask_mail", **ASKS})
        held = await client.acheck("send_email")
        assert isinstance(client.backend, EmbeddedBackend)
        store = client.backend.assembly.state.holds
        hold = store.hold(held.hold_id)
        assert hold is not None
        soon = utc_now() + timedelta(seconds=0.4)
        assert store.swap_hold(replace(hold, expires_at=soon, version=hold.version + 1))
        began = time.monotonic()
        assert (await client.await_answer(held.hold_id, 20)).status is HoldStatus.EXPIRED
        assert time.monotonic() - began < 3


def test_a_run_is_joined_again_and_the_held_call_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with Client(store, agent="billing") as client:
        client.policies.create({"name": "ask_mail", **ASKS})
        with pytest.raises(ApprovalRequiredError), client.run("letters") as run:
            run.call("send_email", lambda to: to, {"to": "a"})
    with Client(store, agent="billing") as reborn:
        [hold] = reborn.holds(run_id=run.run_id)
        answer(reborn, hold.hold_id)
        with reborn.run(run_id=run.run_id) as again:
            assert again.goal == "letters"
            assert again.call("send_email", lambda to: f"sent {to}", {"to": "a"}) == "sent a"
        kinds = [record.kind.value for record in reborn.trace(run.run_id)]
        assert kinds.count("run_started") == 1
        assert kinds.count("intent") == 1


def test_a_run_of_another_agent_or_of_nobody_is_not_joined(client: Client) -> None:
    with client.run("letters") as run:
        pass
    with pytest.raises(NotFoundError), client.run(run_id="run_none"):
        raise AssertionError
    from clearance import ForbiddenError

    with pytest.raises(ForbiddenError), client.run(agent="stranger", run_id=run.run_id):
        raise AssertionError


def test_an_edited_call_is_held_anew(client: Client) -> None:
    held = client.check("send_email", arguments={"to": "a@b.example"})
    answer(client, held.hold_id)
    edited = client.check("send_email", arguments={"to": "mallory@b.example"}, hold_id=held.hold_id)
    assert edited.blocked
    assert edited.reason_code == "approval_stale"
