"""`clearance mcp wrap`: an MCP server on stdin and stdout, the real one a child behind the judge."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import closing
from importlib.metadata import version
from typing import Final

from clearance.config.mcp import McpServer, require_variables
from clearance.core.model import Durability, OutcomeStatus, Principal
from clearance.errors import SystemUnavailableError
from clearance.gateway.endpoint import Caller
from clearance.gateway.mcp_proxy.client_pipe import ClientPipe
from clearance.gateway.mcp_proxy.guarded import GuardedServer
from clearance.gateway.mcp_proxy.piped import PipedSession
from clearance.gateway.metrics import Metrics
from clearance.gateway.passage import Passage
from clearance.runtime.joining import Hints
from clearance.runtime.loop_writer import LoopWriter
from clearance.wiring import Assembly

_FINISH_SECONDS: Final = (
    30.0  # for what was asked before the client closed its end: its outcome is worth knowing
)


async def wrap(assembly: Assembly, name: str, settings: McpServer, *, agent: str, run_id: str = "") -> None:
    """Until the client closes its end, or SIGTERM or SIGINT comes.

    Raises SystemUnavailableError when the server cannot be started, or ends by itself; what joining a named
    run raises; StoreError.
    """
    require_variables({name: settings})
    with closing(LoopWriter(assembly.journal)) as writer:
        passage = Passage(assembly, writer, Metrics(version("clearance")))
        caller = Caller(Principal(agent=agent))
        run = await passage.join(caller.principal, Hints(run_id=run_id, goal=f"Use the MCP server {name}"))
        pipe, server, hints = ClientPipe(), GuardedServer(passage, name, settings), Hints(run_id=run.run_id)
        session = PipedSession(server, caller, hints, to_client=pipe.send)
        status = OutcomeStatus.FAILED
        try:
            await session.start()
            await until_told(lambda: _converse(session, pipe), session.ended)
            if session.why:
                raise SystemUnavailableError(session.why)
            status = OutcomeStatus.SUCCEEDED
        finally:
            await session.close()
            if not run_id:
                await writer.append([passage.point.runs.end_draft(run, status=status)], Durability.POWER)


async def until_told(converse: Callable[[], Awaitable[None]], *ends: asyncio.Event) -> None:
    """Converse until it is over, one of `ends` comes, or this process is told to stop."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, told.set)
    tasks = [asyncio.ensure_future(converse()), *(asyncio.ensure_future(end.wait()) for end in (told, *ends))]
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for task in done:
        task.result()


async def _converse(session: PipedSession, pipe: ClientPipe) -> None:
    async for message in pipe.messages():
        await session.from_client(message)
    await session.settled(_FINISH_SECONDS)
