"""The registry of agents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from clearance.adapters.store.sqlite.state.body import Body, written
from clearance.adapters.store.sqlite.state.database import Database, count_change, taken
from clearance.adapters.store.sqlite.state.remembered import Remembered
from clearance.adapters.store.sqlite.state.schema import AGENTS
from clearance.core.model import Agent
from clearance.errors import NotFoundError

SELECT: Final = "SELECT body FROM agents WHERE name = ?"
_BODY: Final = Body(Agent)


class SqliteAgents:
    """AgentStore. Agents asked for by name lately are remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered = Remembered(database, AGENTS, read=self._read)

    def revision(self) -> int:
        return self._database.revision(AGENTS)

    def agents(self) -> list[Agent]:
        return [_BODY.read(row[0]) for row in self._database.rows("SELECT body FROM agents ORDER BY name")]

    def agent(self, name: str) -> Agent | None:
        return self._remembered.get(name)

    def add_agent(self, agent: Agent) -> None:
        with self._database.writing("store the agent") as connection:
            with taken("An agent of this name exists already."):
                connection.execute("INSERT INTO agents VALUES (?, ?)", (agent.name, written(agent)))
            count_change(connection, AGENTS)

    def replace_agent(self, agent: Agent) -> None:
        self.change_agent(agent.name, lambda _: agent)

    def change_agent(self, name: str, change: Callable[[Agent], Agent]) -> Agent:
        with self._database.writing("store the agent") as connection:
            row = connection.execute(SELECT, (name,)).fetchone()
            if row is None:
                raise NotFoundError("There is no agent of this name.")
            agent = change(_BODY.read(row[0]))
            connection.execute("UPDATE agents SET body = ? WHERE name = ?", (written(agent), name))
            count_change(connection, AGENTS)
            return agent

    def _read(self, name: str) -> Agent | None:
        rows = self._database.rows(SELECT, name)
        return _BODY.read(rows[0][0]) if rows else None
