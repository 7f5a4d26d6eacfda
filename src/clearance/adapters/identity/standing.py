"""What the registry says of an agent's name, at the cost of a look-up. Asks nobody else."""

from __future__ import annotations

from clearance.core.model import Agent, AgentStatus
from clearance.ports import AgentStore

_MOST = 16_384  # names; past it the oldest goes


class Standing:
    """Remembers agents until any of them changes, in any process."""

    def __init__(self, agents: AgentStore) -> None:
        self._agents = agents
        self._revision = -1
        self._found: dict[str, Agent | None] = {}

    def is_known(self, name: str) -> bool:
        """Whether the registry has it, retired ones included."""
        return self._agent(name) is not None

    def is_retired(self, name: str) -> bool:
        """Whether its credentials prove nothing any more. A name that nobody registered is not retired."""
        agent = self._agent(name)
        return agent is not None and agent.status is AgentStatus.RETIRED

    def _agent(self, name: str) -> Agent | None:
        revision = self._agents.revision()
        found = self._found
        if revision != self._revision:
            # A new table, not an emptied one: another thread may be about to write into the old.
            self._found = found = {}
            self._revision = revision
        if name not in found:
            agent = self._agents.agent(name)
            if len(found) >= _MOST:
                found.pop(next(iter(found)), None)
            found[name] = agent
            return agent
        return found[name]
