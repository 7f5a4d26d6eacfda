"""Yeses in advance: made and revoked by people, used when an action would otherwise be held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from clearance.core import holds, redact
from clearance.core.enrich import COUNTED, DERIVED
from clearance.core.mediation import Mediation
from clearance.core.model import (
    ActorKind,
    Answer,
    AnswerKind,
    Grant,
    Person,
    Principal,
    Radius,
    Requirement,
    Role,
)
from clearance.core.model.names import canonical
from clearance.core.policy.bounds import lies_within
from clearance.errors import ApprovalError, NotFoundError, RequestError
from clearance.ports import GrantStore, PeopleStore
from clearance.runtime.audit import Audit
from clearance.runtime.mediator import Clock
from clearance.runtime.names import NewId

MOST_SECONDS = 86_400.0
MOST_USES = 1_000
_TRIES = 8  # others may use up the same grant meanwhile; each try looks for the next
_ANYBODY = Requirement(policy="", four_eyes=False)
_LONG_AGO = datetime.fromtimestamp(0, UTC)
_COUNTS = (("record_count", (COUNTED,)), ("recipient_count", (COUNTED, DERIVED)))


class Grants:
    """Thread-safe. A grant never does more than its maker may, as of now."""

    def __init__(
        self,
        store: GrantStore,
        people: Callable[[str], Person | None],
        audit: Audit,
        *,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        """`people` finds whoever made a grant, by the name in it, as they are now."""
        self._store = store
        self._people = people
        self._audit = audit
        self._clock = clock
        self._new_id = new_id

    def make(
        self,
        person: Person,
        *,
        agent: str,
        tool: str,
        policies: Sequence[str] = (),
        resources: Sequence[str] = (),
        most_records: int | None = None,
        most_uses: int = 1,
        seconds: float = 1_800.0,
        reason: str = "",
    ) -> Grant:
        """Raises ApprovalError when this person may not approve, RequestError for bounds that are none."""
        if not holds.may_answer(person, _ANYBODY):
            raise ApprovalError(
                "A grant is a yes in advance: it needs somebody who may approve.",
                reason="approval_not_qualified",
            )
        _check_bounds(agent, tool, most_records=most_records, most_uses=most_uses, seconds=seconds)
        at = self._clock()
        grant = Grant(
            grant_id=self._new_id("grant"),
            agent=agent,
            tool=canonical(tool),
            policies=tuple(policies),
            resources=tuple(resources),
            most_records=most_records,
            most_uses=most_uses,
            by=holds.named(person),
            reason=redact.clean_text(reason),
            created_at=at,
            expires_at=at + timedelta(seconds=seconds),
        )
        self._audit.record("grant.make", by=grant.by, target=grant.grant_id, details=_told(grant))
        self._store.add_grant(grant)
        return grant

    def grants(self, *, agent: str = "", valid_only: bool = False) -> list[Grant]:
        """Newest first."""
        return self._store.grants(agent=agent, valid_at=self._clock() if valid_only else None)

    def revoke(self, grant_id: str, *, by: str) -> Grant:
        """From now on it allows nothing. Raises NotFoundError. Revoking twice keeps the first."""
        grant = self._store.grant(grant_id)
        if grant is None:
            raise NotFoundError("There is no grant of this id.")
        if grant.revoked_at is not None:
            return grant
        self._audit.record("grant.revoke", by=by, target=grant_id, details={"agent": grant.agent})
        return self._store.revoke_grant(grant_id, by=by, at=self._clock())

    def answers(
        self, mediation: Mediation, required: tuple[Requirement, ...], *, at: datetime
    ) -> tuple[Answer, ...]:
        """The yeses of grants, used up, if they are all that is needed; else none, and none is used."""
        request = mediation.request
        tool = canonical(request.action.tool)
        for _ in range(_TRIES):
            found = self._store.matching_grants(request.principal.agent, tool, at)
            fitting = [grant for grant in found if _fits(grant, mediation)]
            chosen = self._chosen(fitting, required, request.principal)
            if not chosen:
                return ()
            if self._store.use_grants(tuple(dict.fromkeys(grant.grant_id for _, grant in chosen)), at):
                return tuple(_answer(asked, grant, at) for asked, grant in chosen)
        return ()

    def _chosen(
        self, grants: list[Grant], required: tuple[Requirement, ...], principal: Principal
    ) -> list[tuple[Requirement, Grant]]:
        """For every requirement as many grants of different makers as it asks for, or nothing at all."""
        makers = {grant.by: self._people(grant.by) for grant in grants}
        chosen: list[tuple[Requirement, Grant]] = []
        for asked in required:
            by_maker: dict[str, Grant] = {}
            for grant in grants:
                maker = makers[grant.by]
                if maker is not None and _says_yes(grant, maker, asked, principal):
                    by_maker.setdefault(grant.by, grant)
            if len(by_maker) < asked.count:
                return []
            chosen += [(asked, grant) for grant in list(by_maker.values())[: asked.count]]
        return chosen


def maker_of(people: PeopleStore) -> Callable[[str], Person | None]:
    """Finds whoever made a grant, as they are now.

    Whoever works on the store's own files (`local:…`) is in no list of people: owning the files is the role.
    """

    def found(by: str) -> Person | None:
        kind, _, name = by.partition(":")
        if kind == "local":
            return people.person(by) or Person(name=by, created_at=_LONG_AGO, roles=(Role.ADMIN,))
        person = people.person(name)
        return person if person is not None and holds.named(person) == by else None

    return found


def _says_yes(grant: Grant, maker: Person, asked: Requirement, principal: Principal) -> bool:
    if (grant.policies and asked.policy not in grant.policies) or not holds.may_answer(maker, asked):
        return False
    if not asked.four_eyes:
        return True
    # Whoever made the grant could not know for whom the agent would act; somebody has to look at that.
    acts_for_others = any(actor.kind is not ActorKind.SERVICE for actor in principal.on_behalf_of)
    return not acts_for_others and not holds.is_own(maker, principal)


def _fits(grant: Grant, mediation: Mediation) -> bool:
    if not lies_within(mediation.request, grant.resources):
        return False
    if grant.most_records is None:
        return True
    count = _count_of(mediation)
    return count is not None and count <= grant.most_records


def _count_of(mediation: Mediation) -> int | None:
    """How many things the action touches, by a real count; what only somebody claims is not known.

    Recipients are counted in the call itself: it goes to those that it names, and to nobody else.
    """
    if mediation.radii:
        return _sum(mediation.radii)
    facts = mediation.request.facts
    found = [facts[name] for name, sources in _COUNTS if name in facts and facts[name].source in sources]
    numbers = [fact.value for fact in found if type(fact.value) is int]
    return max(numbers) if numbers and len(numbers) == len(found) else None


def _sum(radii: tuple[Radius, ...]) -> int | None:
    counts = [radius.count for radius in radii]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _answer(asked: Requirement, grant: Grant, at: datetime) -> Answer:
    return Answer(
        by=grant.by,
        at=at,
        kind=AnswerKind.APPROVE,
        policy=asked.policy,
        reason=grant.reason,
        grant_id=grant.grant_id,
    )


def _told(grant: Grant) -> dict[str, object]:
    return {
        "agent": grant.agent,
        "tool": grant.tool,
        "policies": list(grant.policies),
        "resources": list(grant.resources),
        "most_records": grant.most_records,
        "most_uses": grant.most_uses,
        "expires_at": grant.expires_at.isoformat(),
        "reason": grant.reason,
    }


def _check_bounds(agent: str, tool: str, *, most_records: int | None, most_uses: int, seconds: float) -> None:
    if not agent.strip() or not canonical(tool) or "*" in agent or "*" in tool:
        raise RequestError("A grant names one agent and one tool.", reason="wrong_value")
    if not 0 < seconds <= MOST_SECONDS:
        raise RequestError("A grant lasts at most 24 hours.", reason="wrong_value")
    if not 0 < most_uses <= MOST_USES:
        raise RequestError(f"A grant is good for 1 to {MOST_USES} uses.", reason="wrong_value")
    if most_records is not None and most_records < 0:
        raise RequestError("`most_records` is a number of records.", reason="wrong_value")
