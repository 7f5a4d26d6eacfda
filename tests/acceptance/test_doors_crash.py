"""kill -9 with clients at every door: nothing acted without an intent, no half answer passed for whole."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import openai
import pytest

from clearance.adapters.store import SqliteJournal
from clearance.core.model import Record, RecordKind
from clearance.ports import RecordQuery
from tests.doors.house import MARK, PAGES, PLAIN, House, house
from tests.servers.model import Asked, Turn

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]
ROUNDS = 5
ANSWERS = 60  # in each, before it ends
SEED = 20261121
STEPS = ("before intent", "after intent", "before outcome", "after outcome")
# A server that dies at one step of whatever carries the word: the process and its store are the real ones.
PROGRAM = """
import os, sys
from clearance.cli.app import main
from clearance.gateway.passage import Passage
from clearance.runtime.loop_writer import LoopWriter
step, word = sys.argv[1:3]
del sys.argv[1:3]
doomed = set()
def die():
    os.kill(os.getpid(), 9)
append, told = LoopWriter.append, Passage.told
async def appended(self, drafts, durability):
    fatal = any(one.kind.value == "intent" and word in bytes(one.body).decode() for one in drafts)
    doomed.update(one.action_id for one in drafts if fatal)
    if fatal and step == "before intent":
        die()
    made = await append(self, drafts, durability)
    if fatal and step == "after intent":
        die()
    return made
async def was_told(self, action_id, *given, **named):
    if action_id in doomed and step == "before outcome":
        die()
    await told(self, action_id, *given, **named)
    if action_id in doomed:
        die()
LoopWriter.append, Passage.told = appended, was_told
main()
"""
Act = Callable[[House, str], Awaitable[str]]


def said(mark: str) -> str:
    """The whole of what the model answers: long enough to be cut somewhere."""
    return f"{mark} begins, and goes on and on, until {mark} ends."


def scripted_by_mark(asked: Asked) -> Turn:
    mark = MARK.findall(asked.raw.decode())[-1]
    if "-tool-" in mark:
        return Turn(tool_calls=[("look_up", {"what": mark})], delay=0.002)
    return Turn(text=said(mark), delay=0.002)


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as made:
        made.model.say(scripted_by_mark)
        yield made


def model_client(doors: House) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{doors.server.url}/openai/v1",
        api_key=doors.server.agent_key,
        max_retries=0,
        http_client=httpx.AsyncClient(verify=PLAIN, timeout=30),
    )


LOOK_UP = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


async def whole(doors: House, mark: str) -> str:
    """An answer in one piece."""
    async with model_client(doors) as client:
        answer = await client.chat.completions.create(
            model="scripted-1", messages=[{"role": "user", "content": mark}]
        )
    return answer.choices[0].message.content or ""


async def streamed(doors: House, mark: str) -> str:
    """A stream, read as programs read it: to its end, without looking at how it ended."""
    text = ""
    async with model_client(doors) as client:
        stream = await client.chat.completions.create(
            model="scripted-1", messages=[{"role": "user", "content": mark}], stream=True
        )
        async for chunk in stream:
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
    return text


async def proposed(doors: House, mark: str) -> str:
    """A tool call in a stream: its arguments, once the stream is over."""
    arguments = ""
    async with model_client(doors) as client:
        stream = await client.chat.completions.create(
            model="scripted-1", messages=[{"role": "user", "content": mark}], stream=True, tools=[LOOK_UP]
        )
        async for chunk in stream:
            for choice in chunk.choices:
                for call in choice.delta.tool_calls or ():
                    arguments += call.function.arguments or "" if call.function else ""
    return arguments


async def remote_tool(doors: House, mark: str) -> str:
    return await called(doors, mark, "remote", "2026-07-28")


async def session_tool(doors: House, mark: str) -> str:
    return await called(doors, mark, "remote", "legacy")


async def child_tool(doors: House, mark: str) -> str:
    return await called(doors, mark, "child", "legacy")


async def called(doors: House, mark: str, name: str, era: str) -> str:
    async with doors.mcp(name, era=era, seconds=20) as client:
        result = await client.call_tool("echo", {"text": said(mark)})
        if result.is_error:
            raise RuntimeError(str(result.content))
        return "".join(part.text for part in result.content)


async def fetched(doors: House, mark: str) -> str:
    async with httpx.AsyncClient(proxy=doors.proxy, verify=PLAIN, timeout=30) as client:
        answer = await client.get(doors.page("text"), params={"say": said(mark)})
        answer.raise_for_status()
        return answer.text


async def tunnelled(doors: House, mark: str) -> str:
    """The same through CONNECT."""
    key = base64.b64encode(f"-:{doors.server.agent_key}".encode()).decode()
    authority = f"{PAGES}:{doors.web.port}"
    reader, writer = await asyncio.open_connection("127.0.0.1", doors.egress)
    try:
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", f"Proxy-Authorization: Basic {key}"]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        established = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in established, established
        path = f"/text?say={quote(said(mark))}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        assert length is not None
        return (await reader.readexactly(int(length[1]))).decode()
    finally:
        writer.close()


# What each client does, over and over; the number is how many there are of it.
LOAD: dict[str, tuple[Act, int]] = {
    "whole": (whole, 6),
    "stream": (streamed, 6),
    "tool": (proposed, 4),
    "remote": (remote_tool, 8),
    "session": (session_tool, 6),
    "child": (child_tool, 2),
    "page": (fetched, 10),
    "tunnel": (tunnelled, 6),
}


class Crowd:
    """Every client, in a loop of its own thread. Each ends at its first error, which is kept."""

    def __init__(self, doors: House, number: int) -> None:
        self.answered: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.early: dict[str, str] = {}  # while the server lived
        self.is_over = False
        self._doors = doors
        self._number = number
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)
        self._thread.start()

    def ended(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive(), "a client still waits"

    async def _all(self) -> None:
        await asyncio.gather(*(
            self._one(kind, act, client) for kind, (act, count) in LOAD.items() for client in range(count)
        ))  # fmt: skip

    async def _one(self, kind: str, act: Act, client: int) -> None:
        turn = 0
        while True:
            turn += 1
            mark = f"m-{self._number}-{kind}-{client}-{turn}-m"
            try:
                self.answered[mark] = await act(self._doors, mark)
            except Exception as error:
                told = self.failed if self.is_over else self.early
                told[mark] = repr(error)
                return


def expected(mark: str) -> str:
    return json.dumps({"what": mark}) if "-tool-" in mark else said(mark)


def child_processes(doors: House) -> list[int]:
    return [int(one.suffix[1:]) for one in doors.directory.glob("child-calls.*")]


def is_gone(process: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        status = Path(f"/proc/{process}/status")
        try:
            if "State:\tZ" in status.read_text():
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def read(doors: House) -> list[Record]:
    """Every intent and outcome, oldest first; the whole journal is sound."""
    journal = SqliteJournal(doors.server.store)
    try:
        assert journal.verify().problems == ()
        kinds = (RecordKind.INTENT, RecordKind.OUTCOME)
        found = [
            one for kind in kinds for one in journal.search(RecordQuery(kind=kind.value, limit=1_000_000))
        ]
        return sorted(found, key=lambda one: one.position)
    finally:
        journal.close()


def intents_by_mark(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        if record.kind is RecordKind.INTENT:
            for mark in set(MARK.findall(bytes(record.body).decode())):
                found.setdefault(mark, []).append(record)
    return found


def outcomes_of(records: list[Record]) -> dict[str, str]:
    """How each action ended: exactly one outcome each."""
    told = [record for record in records if record.kind is RecordKind.OUTCOME]
    ended = {record.action_id: record.status for record in told}
    assert len(ended) == len(told), "an action has two outcomes"
    return ended


def test_kills_under_load_at_every_door_lose_nothing_and_let_nothing_through(doors: House) -> None:
    chance = random.Random(SEED)
    answered: dict[str, str] = {}
    failed: dict[str, str] = {}
    for number in range(ROUNDS):
        doors.server.start()
        crowd = Crowd(doors, number)
        deadline = time.monotonic() + 30
        while len(crowd.answered) < ANSWERS and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.5))
        crowd.is_over = True
        doors.server.kill()
        crowd.ended()
        answered.update(crowd.answered)
        failed.update(crowd.failed)
        assert crowd.early == {}
    assert len(answered) >= ROUNDS * ANSWERS
    assert not [one for one in failed.values() if "Timeout" in one or "Assertion" in one]
    assert answered == {mark: expected(mark) for mark in answered}, "a half answer passed for a whole one"
    doors.server.start()  # closes what the last one left behind
    assert doors.server.stop() == 0
    check(doors, answered)


def check(doors: House, answered: dict[str, str]) -> None:
    records = read(doors)
    intents, outcomes = intents_by_mark(records), outcomes_of(records)
    for door, marks in doors.reached().items():
        seen = {mark for mark in marks if "-tunnel-" not in mark}
        assert seen, door
        assert seen <= intents.keys(), f"{door}: acted without an intent"
    tunnels = [one for one in records if one.kind is RecordKind.INTENT and one.tool == "http_tunnel"]
    carried = {mark for mark in doors.reached()["page"] if "-tunnel-" in mark}
    assert len(carried) <= len(tunnels)
    for mark in answered:
        if "-tunnel-" not in mark:
            told = [outcomes[one.action_id] for one in intents[mark]]
            proposals = [one for one in intents[mark] if one.tool == "look_up"]
            assert "succeeded" in told, f"{mark}: an answer without its outcome"
            assert bool(proposals) == ("-tool-" in mark)
    everything = {one.action_id for one in records if one.kind is RecordKind.INTENT}
    assert everything == outcomes.keys(), "left open"
    for process in child_processes(doors):
        assert is_gone(process), "an MCP server outlived Clearance"


ACTS: dict[str, Act] = {"stream": streamed, "session": session_tool, "child": child_tool, "page": fetched}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_this_step_it_acted_if_and_only_if_its_intent_was_durable(doors: House, step: str) -> None:
    doors.server.program = ("-c", PROGRAM, step, "doomed")
    for kind, act in ACTS.items():
        mark = f"m-doomed-{kind}-m"
        doors.server.start()
        with pytest.raises((Exception, BaseExceptionGroup)) as told:
            asyncio.run(act(doors, mark))
        assert not isinstance(told.value, AssertionError | TimeoutError), kind
        assert doors.server.process is not None
        assert doors.server.process.wait(timeout=10) == -9
        doors.server.kill()
    doors.server.program = ("-m", "clearance")
    doors.server.start()
    marks = {kind: f"m-doomed-{kind}-m" for kind in ACTS}
    for kind, act in ACTS.items():  # and it goes on where it was
        assert asyncio.run(act(doors, f"m-alive-{kind}-m")) == said(f"m-alive-{kind}-m")
    assert doors.server.stop() == 0
    records = read(doors)
    intents, outcomes = intents_by_mark(records), outcomes_of(records)
    reached = {mark for found in doors.reached().values() for mark in found}
    status = "succeeded" if step == "after outcome" else "unknown"
    for kind, mark in marks.items():
        assert (mark in intents) == (step != "before intent"), kind
        assert (mark in reached) == step.endswith("outcome"), kind
        assert [outcomes[one.action_id] for one in intents.get(mark, ())] == [status] * (
            step != "before intent"
        ), kind
    assert all(is_gone(process) for process in child_processes(doors))
