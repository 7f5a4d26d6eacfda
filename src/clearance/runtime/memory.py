"""What was cleared before, as the stateful rules need it: read from the journal once, then kept up to date.

A run or agent that was let go is read again on the next sight of it: forgetting costs a read, never a rule.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from clearance.core.drafts import ActionBody
from clearance.core.model import Action, Context, Operation, Record, RecordKind, Request
from clearance.core.policy import History, PolicySet, Scope
from clearance.ports import Journal, RecordQuery

_RUNS_KEPT = 10_000  # about 1 KB each with a handful of stateful rules
_MOST_RECORDS = 1_000_000  # of one agent in its longest window


class Hearing(Protocol):
    """Circuit breakers, as the memory knows them."""

    def begin(self, policies: PolicySet) -> None: ...

    def hear(self, records: Iterable[Record]) -> None: ...


class Memory:
    """Windows over earlier actions. Not thread-safe: the mediator holds a lock around decide-and-count."""

    def __init__(self, journal: Journal, breakers: Hearing | None = None) -> None:
        """`breakers` hear what other processes did: there is one place where that is read."""
        self._journal = journal
        self._breakers = breakers
        self._policies: PolicySet | None = None
        self._scopes: frozenset[Scope] = frozenset()
        self._history = History(PolicySet.empty())
        # Each with the journal's position up to which its past was read; later foreign records count.
        self._runs: OrderedDict[str, int] = OrderedDict()
        self._agents: dict[str, int] = {}

    def history(self, policies: PolicySet, request: Request) -> History:
        """The history to judge this request by."""
        if policies is not self._policies:
            self._start_over(policies)
        if self._breakers is not None:
            self._breakers.begin(policies)
        if self._scopes or policies.breakers:
            self._take_in_foreign()
        if Scope.RUN in self._scopes:
            self._know_run(request.context.run_id)
        if Scope.AGENT in self._scopes:
            self._know_agent(request.principal.agent, request.context.at)
        return self._history

    def cleared(self, request: Request) -> None:
        """The request was allowed; it counts from now on."""
        if self._scopes:
            self._history.observe(request)

    def run_started(self, run_id: str) -> None:
        """A run that this process has just made has no past to read."""
        self._keep_run(run_id, 0)

    def run_ended(self, run_id: str) -> None:
        """Let a run go."""
        self._runs.pop(run_id, None)
        self._history.forget(Scope.RUN, run_id)

    def _start_over(self, policies: PolicySet) -> None:
        self._foreign()  # what is in the journal by now is read run by run, as it is needed
        self._policies = policies
        self._scopes = frozenset(watch.scope for watch in policies.watches)
        self._history = History(policies)
        self._runs.clear()
        self._agents.clear()

    def _take_in_foreign(self) -> None:
        for record in self._foreign():
            if record.position > self._runs.get(record.run_id, record.position):
                self._observe([record], Scope.RUN)
            if record.position > self._agents.get(record.agent, record.position):
                self._observe([record], Scope.AGENT)

    def _foreign(self) -> list[Record]:
        records = self._journal.foreign()
        if records and self._breakers is not None:
            self._breakers.hear(records)
        return records

    def _know_run(self, run_id: str) -> None:
        if run_id in self._runs:
            self._runs.move_to_end(run_id)
            return
        records = self._journal.run(run_id)
        self._keep_run(run_id, records[-1].position if records else 0)
        self._observe(records, Scope.RUN)

    def _keep_run(self, run_id: str, position: int) -> None:
        self._runs[run_id] = position
        if len(self._runs) > _RUNS_KEPT:
            oldest, _ = self._runs.popitem(last=False)
            self._history.forget(Scope.RUN, oldest)

    def _know_agent(self, agent: str, at: datetime) -> None:
        assert self._policies is not None
        if agent in self._agents:
            return
        # Never None: a rule over an agent's past has a window, or it is refused at load.
        since = at - timedelta(seconds=self._policies.looks_back_seconds(Scope.AGENT) or 0.0)
        query = RecordQuery(agent=agent, kind=RecordKind.INTENT.value, since=since, limit=_MOST_RECORDS)
        records = self._journal.search(query)
        self._agents[agent] = records[0].position if records else 0
        self._observe(reversed(records), Scope.AGENT)

    def _observe(self, records: Iterable[Record], scope: Scope) -> None:
        for record in records:
            if record.kind is RecordKind.INTENT:
                self._history.observe(request_of(record), scope=scope)


def request_of(record: Record) -> Request:
    """The request as it was recorded: secrets in its arguments are gone, everything else is as judged."""
    body = msgspec.json.decode(record.body, type=ActionBody)
    return Request(
        principal=body.principal,
        action=Action(
            tool=body.tool,
            operation=Operation(body.operation),
            arguments=body.arguments if isinstance(body.arguments, dict) else {},
        ),
        resources=body.resources,
        context=Context(run_id=record.run_id, action_id=record.action_id, at=record.at, door=body.door),
        facts=body.facts,
    )
