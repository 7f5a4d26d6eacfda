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

SUBJECT_ATTRIBUTES = frozenset({"agent", "role", "team"})


class AllowList(Struct, frozen=True, kw_only=True):
    """One scope: for whom (`subject`), and what they may do (any of `entries`; none: nothing).

    `agents` and `roles` are the exact names to which the subject is limited, for finding it quickly;
    both empty: it has to be asked of everybody. One that only `narrows` opens nothing: whatever else lists an
    action, it has to list it too.
    """

    name: str
    subject: Condition
    entries: tuple[Condition, ...]
    mode: Mode = Mode.ENFORCE
    narrows: bool = False
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

    def verdicts(self, view: View) -> list[Verdict]:
        """IN_SCOPE or NOT_IN_SCOPE where a scope applies; a shadow scope only says, and never lets."""
        if not self.lists:
            return []
        applying = self.applying(view)
        opening = [one for one in applying if not one.narrows]
        found = _opened(opening, view)
        missing = [one for one in applying if one.narrows and one.truth(view) != TRUE]
        for mode in Mode:
            beyond = [one for one in missing if one.mode is mode]
            if beyond:
                found.append(_beyond(beyond, mode, view))
        if not found:
            found += [_in_scope(one.name) for one in applying if one.mode is Mode.ENFORCE][:1]
        return found


def _opened(applying: Sequence[AllowList], view: View) -> list[Verdict]:
    """What the scopes that people wrote say: one of them has to list the action."""
    enforced = [one for one in applying if one.mode is Mode.ENFORCE]
    for one in enforced:
        if one.truth(view) == TRUE:
            return [_in_scope(one.name)]
    if enforced:
        return [_not_in_scope(enforced, Mode.ENFORCE, view)]
    if applying and not any(one.truth(view) == TRUE for one in applying):
        return [_not_in_scope(applying, Mode.SHADOW, view)]
    return []


def _in_scope(name: str) -> Verdict:
    return Verdict(
        policy=name,
        rule=Rule.ALLOW,
        mode=Mode.ENFORCE,
        code=ReasonCode.IN_SCOPE,
        message="This is in scope.",
    )


def _not_in_scope(applying: Sequence[AllowList], mode: Mode, view: View) -> Verdict:
    return _refusal(
        applying,
        mode,
        view,
        why="no scope lists it.",
        remedy=f'To ask for it, have an operator add {{tool: "{view.tool[:120]}"}} to what the agent may do.',
    )


def _beyond(missing: Sequence[AllowList], mode: Mode, view: View) -> Verdict:
    named = ", ".join(f'"{clipped(one.name)}"' for one in missing)
    return _refusal(
        missing,
        mode,
        view,
        why=f"it is beyond what was learned of it ({named}).",
        remedy="To ask for it, have an operator learn the agent's scope anew, or delete that policy.",
    )


def _refusal(lists: Sequence[AllowList], mode: Mode, view: View, *, why: str, remedy: str) -> Verdict:
    unknown = [one for one in lists if one.truth(view) == UNKNOWN]
    tool, operation = clipped(view.request.action.tool), view.operation
    verb = "an unknown operation" if operation is Operation.UNKNOWN else operation.value
    message = f'Agent "{clipped(view.agent)}" may not do this ({verb} with tool "{tool}"): {why} {remedy}'
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
