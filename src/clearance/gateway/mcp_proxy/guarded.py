"""One MCP server behind the proxy: its settings, and what is known of its tools. Shared by all sessions."""

from __future__ import annotations

import asyncio
from typing import Any

from clearance.config.mcp import McpServer
from clearance.core.dialects.mcp_actions import LISTS, namespaced
from clearance.core.dialects.mcp_tools import seen
from clearance.core.model import Context, HoldStatus, PinState, Principal
from clearance.core.policy.reach import within_reach
from clearance.gateway.mcp_proxy.answers import Refusal
from clearance.gateway.passage import Passage
from clearance.runtime.hold_watch import HoldWatch
from clearance.wiring import utc_now

DOOR = "mcp_proxy"
# What a list is of no use without: the action that reads one of its things.
_READ_BY = {"prompts": "prompts_get", "resources": "resources_read", "resourceTemplates": "resources_read"}


class GuardedServer:
    """Belongs to one event loop."""

    def __init__(self, passage: Passage, name: str, settings: McpServer) -> None:
        self.passage = passage
        self.name = name
        self.settings = settings
        self.place = settings.place
        self.watch = HoldWatch(passage.assembly.state.holds)
        self._pins = passage.assembly.tool_pins

    def objection(self, tool: str) -> Refusal | None:
        """Why a tool may not be called whatever the policies say. Raises StoreError."""
        match self._pins.state(self.name, tool):
            case PinState.ACCEPTED:
                return None
            case PinState.CHANGED:
                return Refusal("tool_changed", self._waiting(tool, "is not what was accepted any more"))
            case PinState.WAITING:
                return Refusal("tool_not_accepted", self._waiting(tool, "waits to be accepted"))
            case None if self.settings.pins == "required":
                return Refusal("tool_not_accepted", self._waiting(tool, "was never listed, nor accepted"))
            case _:
                return None

    async def shown(self, method: str, result: dict[str, Any], principal: Principal) -> dict[str, Any]:
        """A list without what the agent may surely not use; the same object where it may use all.

        Tools are pinned here, before anybody reads of them. Raises StoreError.
        """
        member = LISTS[method]
        listed = result.get(member)
        if not isinstance(listed, list):
            return result
        if member != "tools":
            reader = namespaced(self.name, _READ_BY[member])
            return result if self._reachable([reader], principal) else {**result, member: []}
        trusts_first = self.settings.pins == "first"
        tools = seen(listed)
        await asyncio.to_thread(self._pins.seen, self.name, tools, trusts_first=trusts_first)
        names = {tool.name for tool in tools if self.objection(tool.name) is None}
        reachable = self._reachable([namespaced(self.name, name) for name in names], principal)
        kept = [
            tool
            for tool in listed
            if isinstance(tool, dict)
            and tool.get("name") in names
            and namespaced(self.name, tool["name"]) in reachable
        ]
        return result if len(kept) == len(listed) else {**result, member: kept}

    async def approved(self, hold_id: str, *, seconds: float) -> bool:
        """Whether a person says yes within so long."""
        hold = await self.watch.answered(hold_id, seconds=seconds)
        return hold.status is HoldStatus.APPROVED

    def _reachable(self, tools: list[str], principal: Principal) -> frozenset[str]:
        point = self.passage.point
        context = Context(run_id="", action_id="", at=utc_now(), door=DOOR)
        return within_reach(tools, point.known_as(principal), point.policies.current(), context)

    def _waiting(self, tool: str, why: str) -> str:
        shown = tool if tool.isascii() and tool.isprintable() else "with letters beyond ASCII"
        return (
            f"The tool {shown} of the server {self.name} {why}. Nothing was run. An operator can look at it "
            "(`clearance mcp pins`) and accept it (`clearance mcp accept`)."
        )
