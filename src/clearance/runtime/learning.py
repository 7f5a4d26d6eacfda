"""Learning an agent's scope: its recorded past read, a scope proposed, and what a person ratifies stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from clearance.core.drafts import DELEGATED, ActionBody
from clearance.core.model import Record, RecordKind
from clearance.core.policy import History, PolicySet
from clearance.core.policy.chain import delegators
from clearance.core.policy.learning import Learned, Seen, learn, learned_name, literal
from clearance.errors import NotFoundError, RequestError
from clearance.ports import Journal, PolicyVersion, RecordQuery
from clearance.runtime.mediator import Clock
from clearance.runtime.memory import request_of
from clearance.runtime.policy_book import PolicyBook

MOST_DAYS = 366
_MOST_RECORDS = 1_000_000  # of one day
_DAY = timedelta(days=1)
_ENTRIES = "any"


class Proposal(Struct, frozen=True, kw_only=True):
    """A scope to ratify, and what it would change. Nothing is stored yet.

    `scopes` are the names of those in force for the agent now; `added` and `removed` the entries that the
    stored learned policy lacks, or has beyond these; `replaces` says whether there is one.
    """

    learned: Learned
    scopes: tuple[str, ...] = ()
    replaces: bool = False
    added: tuple[dict[str, Any], ...] = ()
    removed: tuple[dict[str, Any], ...] = ()


class Learning:
    """Reads the journal and the policies; only `ratify` writes."""

    def __init__(self, journal: Journal, policies: PolicyBook, *, clock: Clock) -> None:
        self._journal = journal
        self._policies = policies
        self._clock = clock

    def propose(
        self,
        agent: str,
        *,
        days: int = 14,
        runs: Sequence[str] = (),
        progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    ) -> Proposal:
        """From the last `days`, or from these runs only. `progress` is handed the steps, to show them.

        Raises NotFoundError when the agent did nothing then, RequestError when it cannot be put as a scope.
        """
        seen = self._seen(agent, days=days, runs=runs, progress=progress)
        if not seen.actions:
            raise NotFoundError(
                f"No cleared action of {agent} is recorded in that time: nothing to learn from."
            )
        policies = self._policies.current()
        try:
            learned = learn(agent, seen, declared=policies.tools)
        except ValueError as error:
            raise RequestError(f"No scope can be proposed: {error}.", reason="wrong_value") from None
        before = self._stored(agent)
        old, new = _entries(before), _entries(learned.policy)
        return Proposal(
            learned=learned,
            scopes=_scopes_of(agent, seen, policies),
            replaces=before is not None,
            added=tuple(entry for entry in new if entry not in old),
            removed=tuple(entry for entry in old if entry not in new),
        )

    def ratify(self, agent: str, policy: dict[str, Any], *, by: str) -> PolicyVersion:
        """Store a proposal as it was shown, in the place of an earlier one.

        Raises RequestError, PolicyError.
        """
        _must_be_learned(agent, policy)
        if self._stored(agent) is None:
            return self._policies.create(policy, by=by)
        return self._policies.replace(learned_name(agent), policy, by=by)

    def _seen(
        self,
        agent: str,
        *,
        days: int,
        runs: Sequence[str],
        progress: Callable[[Iterable[int]], Iterable[int]],
    ) -> Seen:
        seen, until = Seen(), self._clock()
        for step in progress(range(len(runs) or days)):
            if runs:
                self._add(seen, agent, self._journal.run(runs[step]))
            else:
                end = until - (days - 1 - step) * _DAY
                self._add(seen, agent, self._of_day(agent, end))
        return seen

    def _of_day(self, agent: str, end: datetime) -> list[Record]:
        """What it did in the day before `end`, and what others did for it: both are judged by its scope."""
        kind, since = RecordKind.INTENT.value, end - _DAY
        own = RecordQuery(agent=agent, kind=kind, since=since, until=end, limit=_MOST_RECORDS)
        done = RecordQuery(status=DELEGATED, kind=kind, since=since, until=end, limit=_MOST_RECORDS)
        return [
            *self._journal.search(own),
            *(record for record in self._journal.search(done) if record.agent != agent),
        ]

    @staticmethod
    def _add(seen: Seen, agent: str, records: Iterable[Record]) -> None:
        for record in records:
            if record.kind is RecordKind.INTENT and (record.agent == agent or _was_for(record, agent)):
                seen.add(request_of(record))

    def _stored(self, agent: str) -> dict[str, Any] | None:
        version = self._policies.document()
        policies = version.document.get("policies", []) if version else []
        return next((one for one in policies if one.get("name") == learned_name(agent)), None)


def _scopes_of(agent: str, seen: Seen, policies: PolicySet) -> tuple[str, ...]:
    """Those that are for the agent as it last acted, with the roles and the team that it had then."""
    requests = [request for request, _ in seen if request.principal.agent == agent]
    if not requests:
        return ()
    view = policies.view(requests[-1], History(policies))
    return tuple(one.name for one in policies.scopes.applying(view))


def _was_for(record: Record, agent: str) -> bool:
    if record.status != DELEGATED:
        return False
    return agent in delegators(record.decoded_as(ActionBody).principal)


def _entries(policy: dict[str, Any] | None) -> list[dict[str, Any]]:
    return list((policy or {}).get("condition", {}).get(_ENTRIES, []))


def _must_be_learned(agent: str, policy: dict[str, Any]) -> None:
    """Raises RequestError: by this door nothing is stored that could open anything, or be about another."""
    condition = policy.get("condition")
    if (
        policy.get("name") != learned_name(agent)
        or policy.get("rule") != "allow"
        or policy.get("origin") != "learned"
        or not isinstance(condition, dict)
        or set(condition) != {"agent", _ENTRIES}
        or condition["agent"] != literal(agent)
    ):
        raise RequestError("This is not a learned scope of this agent: learn it anew.", reason="wrong_value")
