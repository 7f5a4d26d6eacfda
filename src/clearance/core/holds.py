"""The life of a hold, as pure functions: a hold and what is said of it in, the next hold or an error out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from clearance.core import binding, redact
from clearance.core.mediation import Mediation
from clearance.core.model import (
    ActorKind,
    Answer,
    AnswerKind,
    Approval,
    Decision,
    Hold,
    HoldStatus,
    Person,
    PersonSource,
    Principal,
    Requirement,
    Role,
)
from clearance.errors import ApprovalError

TAKE_SECONDS = 900.0  # an approved action may be taken up for at least so long
_SHORT_PREFIX = "local:"


def hold_of(action_id: str) -> str:
    """The id of an action's hold.

    >>> hold_of("act_019a")
    'hold_019a'
    """
    return f"hold_{action_id.removeprefix('act_')}"


def requirements(decision: Decision) -> tuple[Requirement, ...]:
    """What the policies ask, one for each policy: what one of them asks twice, two people have to answer."""
    found: dict[str, Requirement] = {}
    for owed in decision.obligations:
        if not isinstance(owed, Approval):
            continue
        before = found.get(owed.policy)
        found[owed.policy] = Requirement(
            policy=owed.policy,
            message=owed.message,
            role=owed.role if before is None else before.role,
            team=owed.team if before is None else before.team,
            count=owed.count + (before.count if before is not None else 0),
            four_eyes=owed.four_eyes or (before is not None and before.four_eyes),
        )
    return tuple(found.values())


def opened(mediation: Mediation, *, at: datetime, steps_before: int) -> Hold:
    """The hold of an action that waits for people. It ends when the most impatient policy says."""
    request, decision = mediation.request, mediation.decision
    assert decision is not None
    shown = binding.shown_of(mediation, steps_before=steps_before)
    seen, targets = binding.shown_hash(shown), binding.fingerprints(mediation)
    patience = min(owed.expires_seconds for owed in decision.obligations if isinstance(owed, Approval))
    return Hold(
        hold_id=hold_of(request.context.action_id),
        action_id=request.context.action_id,
        run_id=request.context.run_id,
        agent=request.principal.agent,
        team=request.principal.team,
        requirements=requirements(decision),
        shown=shown,
        shown_hash=seen,
        call_hash=request.context.call_hash,
        policy_version=decision.policy_version,
        fingerprints=targets,
        binding=binding.bound(
            call=request.context.call_hash,
            shown=seen,
            policy_version=decision.policy_version,
            targets=targets,
        ),
        created_at=at,
        expires_at=at + timedelta(seconds=patience),
        mediation=binding.for_storage(mediation),
    )


def answered(
    hold: Hold, kind: AnswerKind, *, person: Person, at: datetime, shown_hash: str, reason: str = ""
) -> Hold:
    """The hold after one person's yes or no. Raises ApprovalError; then nothing changed."""
    _still_asked(hold, at)
    if shown_hash != hold.shown_hash or not binding.is_bound(hold):
        raise ApprovalError(
            "The answer is for something else than what this hold shows; read it again.",
            reason="approval_mismatch",
        )
    said = Answer(by=named(person), at=at, kind=kind, reason=redact.clean_text(reason))
    if kind is AnswerKind.DENY:
        _may_refuse(hold, person)
        return closed(
            replace(hold, answers=(*hold.answers, said)), HoldStatus.DENIED, at=at, why=f"denied by {said.by}"
        )
    policy = _counts_for(hold, person).policy
    approved = replace(hold, answers=(*hold.answers, replace(said, policy=policy)), version=hold.version + 1)
    if not all(_is_met(asked, approved.answers) for asked in approved.requirements):
        return approved
    until = max(approved.expires_at, at + timedelta(seconds=TAKE_SECONDS))
    return replace(approved, status=HoldStatus.APPROVED, expires_at=until)


def taken(hold: Hold, *, node: str, at: datetime, answers: tuple[Answer, ...] | None = None) -> Hold:
    """The hold whose action goes on now, for this once. `answers` where grants said yes instead of people."""
    return replace(
        hold,
        status=HoldStatus.TAKEN,
        answers=hold.answers if answers is None else answers,
        taken_by=node,
        closed_at=at,
        why="taken up",
        version=hold.version + 1,
    )


def closed(hold: Hold, status: HoldStatus, *, at: datetime, why: str) -> Hold:
    """The hold in a final state."""
    return replace(hold, status=status, closed_at=at, why=why, version=hold.version + 1)


def lapsed(hold: Hold, *, at: datetime, policy_version: str) -> Hold | None:
    """An open hold closed because nobody can answer it any more: too late, or other policies. None: go on."""
    if not hold.is_open:
        return None
    if at >= hold.expires_at:
        return closed(hold, HoldStatus.EXPIRED, at=at, why="nobody took it further in time")
    if policy_version and policy_version != hold.policy_version:
        return closed(hold, HoldStatus.VOID, at=at, why="the policies changed since it was held")
    return None


def fits(hold: Hold, mediation: Mediation) -> bool:
    """Whether what is decided now asks no more than what this hold was made for."""
    decision = mediation.decision
    if decision is None or not binding.is_bound(hold):
        return False
    asked = {_terms(requirement) for requirement in hold.requirements}
    return (
        mediation.request.context.call_hash == hold.call_hash
        and decision.policy_version == hold.policy_version
        and binding.fingerprints(mediation) == hold.fingerprints
        and all(_terms(requirement) in asked for requirement in requirements(decision))
    )


def named(person: Person) -> str:
    """As records name people: `person:alice`, `service:deploy`, `local:root`."""
    if person.name.startswith(_SHORT_PREFIX):
        return person.name
    kind = ActorKind.SERVICE if person.source is PersonSource.SERVICE else ActorKind.PERSON
    return f"{kind.value}:{person.name}"


def may_answer(person: Person, asked: Requirement) -> bool:
    """Whether this person has the role and the team. ADMIN counts as any, OPERATOR as APPROVER.

    Whoever owns the store's files is of every team: who is in one is written there too.
    """
    of_team = not asked.team or asked.team in person.teams or person.name.startswith(_SHORT_PREFIX)
    if not person.is_active or not of_team:
        return False
    roles = {asked.role, Role.ADMIN}
    if asked.role is Role.APPROVER:
        roles.add(Role.OPERATOR)
    return not roles.isdisjoint(person.roles)


def is_self(person: Person, *, agent: str, owner: str, on_behalf_of: Iterable[tuple[ActorKind, str]]) -> bool:
    """Whether this person owns the agent, or is somebody for whom it acts, under any name that is theirs.

    Who has the agent's own name may well be the same program, with a service's token.
    """
    names = {_bare(name) for name in (person.name, person.email, person.subject) if name}
    if _bare(agent) in names or (owner and _bare(owner) in names):
        return True
    return any(kind is not ActorKind.AGENT and _bare(name) in names for kind, name in on_behalf_of)


def is_own(person: Person, principal: Principal) -> bool:
    """The same, of whoever acts."""
    chain = ((actor.kind, actor.name) for actor in principal.on_behalf_of)
    return is_self(person, agent=principal.agent, owner=principal.owner, on_behalf_of=chain)


def _still_asked(hold: Hold, at: datetime) -> None:
    """An expired hold is told as such, whether the sweep has seen it yet or not."""
    if hold.status is HoldStatus.EXPIRED or (hold.is_open and at >= hold.expires_at):
        raise ApprovalError("The time to answer is over.", reason="approval_expired")
    if hold.status is HoldStatus.VOID:
        raise ApprovalError(f"This hold is void: {hold.why}.", reason="approval_stale")
    if hold.status is not HoldStatus.PENDING:
        raise ApprovalError(f"This hold is decided already: {hold.status.value}.", reason="approval_closed")


def _may_refuse(hold: Hold, person: Person) -> None:
    """A no of the agent's own owner counts: only a yes needs other eyes."""
    if not any(may_answer(person, asked) for asked in hold.requirements):
        raise _not_qualified()


def _counts_for(hold: Hold, person: Person) -> Requirement:
    """The first requirement that is open and that this person can meet."""
    able = [
        asked for asked in hold.requirements if not _is_met(asked, hold.answers) and may_answer(person, asked)
    ]
    if not able:
        raise _not_qualified()
    chain = [(actor.kind, actor.name) for actor in hold.shown.on_behalf_of]
    own = is_self(person, agent=hold.agent, owner=hold.shown.owner, on_behalf_of=chain)
    allowed = [asked for asked in able if not (own and asked.four_eyes)]
    if not allowed:
        raise ApprovalError(
            "Whoever asked for the action, or owns the agent, cannot be the one who says yes.",
            reason="approval_self",
        )
    by = named(person)
    for asked in allowed:
        if not any(answer.by == by and answer.policy == asked.policy for answer in hold.answers):
            return asked
    raise ApprovalError("You have answered this already; somebody else has to.", reason="approval_repeated")


def _is_met(asked: Requirement, answers: tuple[Answer, ...]) -> bool:
    return len({answer.by for answer in answers if answer.policy == asked.policy}) >= asked.count


def _terms(asked: Requirement) -> tuple[str, Role, str, int, bool]:
    """The message is for reading: it may name a count that differs by one."""
    return (asked.policy, asked.role, asked.team, asked.count, asked.four_eyes)


def _not_qualified() -> ApprovalError:
    return ApprovalError(
        "The policy asks for somebody of another role or team, or for an account that is active.",
        reason="approval_not_qualified",
    )


def _bare(name: str) -> str:
    """A name as people compare it: without `person:`, `service:` or `local:`, in one case."""
    prefix, _, rest = name.casefold().partition(":")
    return rest if rest and prefix in _KINDS else name.casefold()


_KINDS = frozenset({"person", "service", "local"})
