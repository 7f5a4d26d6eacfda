"""The registry of agents."""

from __future__ import annotations

from collections.abc import Callable

from clearance.adapters.store.memory_state.counted import Counted
from clearance.core.model import Agent
from clearance.errors import ConflictError, NotFoundError


class MemoryAgents(Counted):
    """AgentStore."""

    def __init__(self) -> None:
        super().__init__()
        self._agents: dict[str, Agent] = {}

    def agents(self) -> list[Agent]:
        with self._lock:
            return sorted(self._agents.values(), key=lambda agent: agent.name)

    def agent(self, name: str) -> Agent | None:
        return self._agents.get(name)

    def add_agent(self, agent: Agent) -> None:
        with self._lock:
            if agent.name in self._agents:
                raise ConflictError("An agent of this name exists already.")
            self._agents[agent.name] = agent
            self._revision += 1

    def replace_agent(self, agent: Agent) -> None:
        self.change_agent(agent.name, lambda _: agent)

    def change_agent(self, name: str, change: Callable[[Agent], Agent]) -> Agent:
        with self._lock:
            before = self._agents.get(name)
            if before is None:
                raise NotFoundError("There is no agent of this name.")
            self._agents[name] = change(before)
            self._revision += 1
            return self._agents[name]
