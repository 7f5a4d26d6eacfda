"""Least privilege: what agents and roles may do. With a scope present, what no scope lists is refused."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from clearance.core.model import Mode, Operation, ReasonCode, Rule, Verdict
from clearance.core.policy.condition import Condition, remedies
from clearance.core.policy.parse import SCOPE_NAME
from clearance.core.policy.truth import FALSE, TRUE, UNKNOWN
from clearance.core.policy.view import View
from clearance.core.policy.wording import clipped

SUBJECT_ATTRIBUTES = frozenset({"agent", "role"})


class AllowList(Struct, frozen=True, kw_only=True):
    """One scope: for whom (`subject`), and what they may do (any of `entries`; none: nothing).

    `agents` and `roles` are the exact names to which the subject is limited, for finding it quickly;
    both empty: it has to be asked of everybody.
    """

    name: str
    subject: Condition
    entries: tuple[Condition, ...]
    mode: Mode = Mode.ENFORCE
    agents: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()

    def applies(self, view: View) -> bool:
        """A subject that cannot be told applies, and then matches nothing."""
        return self.subject.test(view) != FALSE

    def truth(self, view: View) -> int:
        """Whether it lists the action; TRUE only for a subject that is certain."""
        listed = max((entry.test(view) for entry in self.entries), default=FALSE)
        return min(listed, self.subject.test(view))


class Scopes:
    """Every allow list, found by agent and role."""

    def __init__(self, lists: Sequence[AllowList]) -> None:
        self.lists = tuple(sorted(lists, key=lambda one: (one.name, one.mode)))
        self._by_agent: dict[str, list[AllowList]] = {}
        self._by_role: dict[str, list[AllowList]] = {}
        self._general: list[AllowList] = []
        for one in self.lists:
            for agent in one.agents:
                self._by_agent.setdefault(agent, []).append(one)
            for role in one.roles:
                self._by_role.setdefault(role, []).append(one)
            if not one.agents and not one.roles:
                self._general.append(one)

    def applying(self, view: View) -> list[AllowList]:
        """Those whose subject is this principal, by name."""
        found = [*self._general, *self._by_agent.get(view.agent, ())]
        for role in view.roles:
            found.extend(self._by_role.get(role, ()))
        unique = {id(one): one for one in found}.values()
        return sorted((one for one in unique if one.applies(view)), key=lambda one: one.name)

    def verdict(self, view: View) -> Verdict | None:
        """IN_SCOPE, NOT_IN_SCOPE, or None when no scope applies. A shadow scope only says, and never lets."""
        if not self.lists:
            return None
        applying = self.applying(view)
        enforced = [one for one in applying if one.mode is Mode.ENFORCE]
        for one in enforced:
            if one.truth(view) == TRUE:
                return _in_scope(one.name)
        if enforced:
            return _not_in_scope(enforced, Mode.ENFORCE, view)
        if applying and not any(one.truth(view) == TRUE for one in applying):
            return _not_in_scope(applying, Mode.SHADOW, view)
        return None


def _in_scope(name: str) -> Verdict:
    return Verdict(
        policy=name,
        rule=Rule.ALLOW,
        mode=Mode.ENFORCE,
        code=ReasonCode.IN_SCOPE,
        message="This is in scope.",
    )


def _not_in_scope(applying: Sequence[AllowList], mode: Mode, view: View) -> Verdict:
    unknown = [one for one in applying if one.truth(view) == UNKNOWN]
    tool, operation = clipped(view.request.action.tool), view.operation
    verb = "an unknown operation" if operation is Operation.UNKNOWN else operation.value
    message = (
        f'Agent "{clipped(view.agent)}" may not do this ({verb} with tool "{tool}"): no scope lists it. '
        f'To ask for it, have an operator add {{tool: "{view.tool[:120]}"}} to what the agent may do.'
    )
    causes = sorted({cause for one in unknown for entry in one.entries for cause in remedies(entry, view)})
    if causes:
        message = f"{message} It might be listed, but {'; '.join(causes)}."
    return Verdict(
        policy=SCOPE_NAME,
        rule=Rule.BLOCK,
        mode=mode,
        code=ReasonCode.NOT_IN_SCOPE,
        message=message,
        certain=not unknown,
    )
