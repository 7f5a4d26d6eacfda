"""What was cleared before, as the stateful rules need it: read from the journal once, then kept up to date.

A run or agent that was let go is read again on the next sight of it: forgetting costs a read, never a rule.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from clearance.core.drafts import DELEGATED, ActionBody, OutcomeBody
from clearance.core.model import Action, Context, Draft, Operation, Record, RecordKind, Request
from clearance.core.policy import History, PolicySet, Scope
from clearance.core.policy.chain import delegators
from clearance.ports import Journal, RecordQuery
from clearance.runtime.recent import Recent

_RUNS_KEPT = 10_000  # about 1 KB each with a handful of stateful rules
_TOLD_KEPT = 4_096
_MEASURED = b'"measured"'
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
        self._settles = False  # whether any policy adds up a fact
        self._history = History(PolicySet.empty())
        # What was measured of the last actions: the journal may not hold it yet, nor this process the action.
        self._told: Recent[Mapping[str, float]] = Recent(_TOLD_KEPT)
        # Each with the journal's position up to which its past was read; later foreign records count.
        self._runs: OrderedDict[str, int] = OrderedDict()
        self._agents: dict[str, int] = {}
        # What was done for agents that are not known yet; None: to be read when one is to be known.
        self._delegated: dict[str, list[Record]] | None = None

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
            for agent in (request.principal.agent, *delegators(request.principal)):
                self._know_agent(agent, request.context.at)
        return self._history

    def cleared(self, request: Request) -> None:
        """The request was allowed; it counts from now on."""
        if self._scopes:
            self._history.observe(request)

    def settled(self, action_id: str, measured: Mapping[str, float]) -> None:
        """What was reserved came out otherwise. Where the action is not known yet, it is read with this."""
        self._told.put(action_id, measured)
        self._history.settle(action_id, measured)

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
        self._settles = any(watch.fact for watch in policies.watches)
        self._history = History(policies)
        self._runs.clear()
        self._agents.clear()
        self._delegated = None

    def _take_in_foreign(self) -> None:
        for record in self._foreign():
            if record.kind is RecordKind.OUTCOME and (measured := self._measured_of(record)):
                self.settled(record.action_id, measured)
            if record.position > self._runs.get(record.run_id, record.position):
                self._observe([record], Scope.RUN)
            for agent in _agents_of(record):
                if record.position > self._agents.get(agent, record.position):
                    self._observe([record], Scope.AGENT, agent=agent)
                elif agent != record.agent and agent not in self._agents:
                    self._delegated = None  # once this one is to be known, that is read anew

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
        self._observe(records, Scope.RUN, told=records)

    def _keep_run(self, run_id: str, position: int) -> None:
        self._runs[run_id] = position
        if len(self._runs) > _RUNS_KEPT:
            oldest, _ = self._runs.popitem(last=False)
            self._history.forget(Scope.RUN, oldest)

    def _know_agent(self, agent: str, at: datetime) -> None:
        """Its own past, and what others did for it, in the order of the journal."""
        if agent in self._agents:
            return
        done_for_it = self._done_for(agent, at)
        records = {
            one.position: one for one in (*self._since(at, RecordKind.INTENT, agent=agent), *done_for_it)
        }
        self._agents[agent] = max(records, default=0)
        acting = {record.agent for record in records.values()}
        told = [one for name in acting for one in self._since(at, RecordKind.OUTCOME, agent=name)]
        self._observe((records[place] for place in sorted(records)), Scope.AGENT, agent=agent, told=told)

    def _done_for(self, agent: str, at: datetime) -> list[Record]:
        """What was delegated is read once for all agents: there is no index of on whose behalf."""
        if self._delegated is None:
            self._delegated = {}
            for record in self._since(at, RecordKind.INTENT, status=DELEGATED):
                for other in _agents_of(record)[1:]:
                    self._delegated.setdefault(other, []).append(record)
        return self._delegated.pop(agent, [])

    def _since(self, at: datetime, kind: RecordKind, *, agent: str = "", status: str = "") -> list[Record]:
        if kind is RecordKind.OUTCOME and not self._settles:
            return []
        assert self._policies is not None
        # Never None: a rule over an agent's past has a window, or it is refused at load.
        since = at - timedelta(seconds=self._policies.looks_back_seconds(Scope.AGENT) or 0.0)
        query = RecordQuery(agent=agent, status=status, kind=kind.value, since=since, limit=_MOST_RECORDS)
        return self._journal.search(query)

    def _observe(
        self, records: Iterable[Record], scope: Scope, *, agent: str = "", told: Sequence[Record] = ()
    ) -> None:
        """`told` are how some of them ended: what was measured first counts, as it did when it was told."""
        newest_first = sorted(told, key=lambda one: one.position, reverse=True)
        ended = {one.action_id: found for one in newest_first if (found := self._measured_of(one))}
        for record in records:
            if record.kind is RecordKind.INTENT:
                measured = ended.get(record.action_id) or self._told.get(record.action_id)
                self._history.observe(request_of(record), scope=scope, agent=agent, measured=measured)

    def _measured_of(self, record: Record) -> Mapping[str, float]:
        if not self._settles or record.kind is not RecordKind.OUTCOME or _MEASURED not in bytes(record.body):
            return {}
        return record.decoded_as(OutcomeBody).measured


def _agents_of(record: Record) -> tuple[str, ...]:
    """The agent that acted, then every other for whom it did."""
    if record.status != DELEGATED:
        return (record.agent,)
    return (record.agent, *delegators(record.decoded_as(ActionBody).principal))


def request_of(record: Draft | Record) -> Request:
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
        context=Context(
            run_id=record.run_id,
            action_id=record.action_id,
            at=record.at,
            door=body.door,
            takes_up=body.parent_id if body.takes_up else "",
        ),
        facts=body.facts,
    )
