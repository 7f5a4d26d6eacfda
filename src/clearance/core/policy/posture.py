"""What is stopped and what is open in an emergency, and what that says of one request. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from clearance.core.model import (
    ActorKind,
    AgentStatus,
    Approval,
    BreakGlass,
    Mode,
    Notify,
    Principal,
    Reason,
    ReasonCode,
    Request,
    Role,
    Rule,
    Stop,
    StopKind,
    StopLevel,
    Verdict,
)
from clearance.core.model.names import canonical
from clearance.core.policy.bounds import matches

LEVELS = tuple(StopLevel)  # mildest first

_BRAKE = "brake"
_DENYING = frozenset({Rule.BLOCK, Rule.REQUIRE_APPROVAL})
_CODE = {
    StopLevel.HELD: ReasonCode.APPROVAL_REQUIRED,
    StopLevel.PAUSED: ReasonCode.PAUSED,
    StopLevel.QUARANTINED: ReasonCode.QUARANTINED,
}


class Posture:
    """Every stop and every broken glass of one moment, found by whom they are about. Immutable."""

    def __init__(self, stops: Iterable[Stop] = (), glasses: Iterable[BreakGlass] = ()) -> None:
        self.stops = tuple(stops)
        self._stops: dict[tuple[StopKind, str], list[Stop]] = {}
        for stop in self.stops:
            self._stops.setdefault((stop.kind, _key(stop.kind, stop.name)), []).append(stop)
        self._glasses: dict[str, list[BreakGlass]] = {}
        for glass in glasses:
            self._glasses.setdefault(glass.agent, []).append(glass)

    def stop(self, request: Request) -> Stop | None:
        """The strictest one that holds for the agent, for anybody it acts for, its team or the tool."""
        return self.stop_of(request.principal, request.action.tool, at=request.context.at)

    def stop_of(self, principal: Principal, tool: str, *, at: datetime) -> Stop | None:
        """The same without a request."""
        if not self._stops:
            return None
        found = [stop for key in _keys(principal, tool) for stop in self._stops.get(key, ())]
        holding = [stop for stop in found if is_on(stop, at)]
        return max(holding, key=lambda stop: LEVELS.index(stop.level), default=None)

    def glass(self, request: Request) -> BreakGlass | None:
        """The emergency access that holds for this agent and tool."""
        tool, at = canonical(request.action.tool), request.context.at
        for glass in self._glasses.get(request.principal.agent, ()):
            ends = glass.until if glass.ended_at is None else min(glass.until, glass.ended_at)
            if glass.at <= at < ends and any(matches(canonical(one), tool) for one in glass.tools):
                return glass
        return None


def standing(request: Request, posture: Posture) -> Verdict | None:
    """What the brake and the registry say of whoever acts; None: nothing stops it."""
    if request.principal.status is AgentStatus.RETIRED:
        message = "This agent is retired; nothing was run. Use the agent that took its place."
        return _blocked(ReasonCode.AGENT_RETIRED, message)
    stop = posture.stop(request)
    if stop is None:
        return None
    if stop.level is StopLevel.HELD:
        message = f"{_whom(stop)} is on hold: every action needs a person's yes."
        return Verdict(
            policy=stop.policy or _BRAKE,
            rule=Rule.REQUIRE_APPROVAL,
            mode=Mode.ENFORCE,
            code=ReasonCode.APPROVAL_REQUIRED,
            message=message,
            obligation=Approval(policy=stop.policy or _BRAKE, message=message, role=Role.OPERATOR),
        )
    message = f"{_whom(stop)} is {stop.level.value}; nothing was run. An operator can lift it."
    return _blocked(_CODE[stop.level], message)


def stopping(principal: Principal, tool: str, posture: Posture, *, at: datetime) -> Reason | None:
    """Why an action that runs already has to end; None: it may go on. A hold ends nothing cleared."""
    if principal.status is AgentStatus.RETIRED:
        return Reason(code=ReasonCode.AGENT_RETIRED, message="This agent is retired; the action was stopped.")
    stop = posture.stop_of(principal, tool, at=at)
    if stop is None or stop.level is StopLevel.HELD:
        return None
    return stopped_by(stop)


def stopped_by(stop: Stop) -> Reason:
    """What a running action is told."""
    message = f"{_whom(stop)} is {stop.level.value}; the action was stopped by the brake."
    return Reason(code=_CODE[stop.level], message=message)


def is_on(stop: Stop, at: datetime) -> bool:
    """Whether a stop holds at that time."""
    return stop.until is None or at < stop.until


def tightened(on: Stop | None, stop: Stop) -> Stop | None:
    """What a circuit breaker makes of what is on already: never milder, never shorter. None: no change.

    What has ended when the breaker trips (`stop.at`) counts for nothing.
    """
    if on is None or not is_on(on, stop.at):
        return stop
    level = max(on.level, stop.level, key=LEVELS.index)
    until = None if on.until is None or stop.until is None else max(on.until, stop.until)
    if (level, until) == (on.level, on.until):
        return None
    return replace(stop, level=level, until=until)


def _whom(stop: Stop) -> str:
    if stop.kind is StopKind.ALL:
        return "Everything"
    return f'{stop.kind.value.capitalize()} "{stop.name}"'


def opened(verdicts: Iterable[Verdict], glass: BreakGlass) -> list[Verdict]:
    """The same opinions under broken glass: what would refuse weighs nothing, and somebody is told."""
    message = f"Emergency access {glass.glass_id} is open for this agent; policies do not refuse."
    told = Verdict(
        policy="break_glass",
        rule=Rule.ALERT,
        mode=Mode.ENFORCE,
        code=ReasonCode.BREAK_GLASS,
        message=message,
        obligation=Notify(policy="break_glass", message=message),
    )
    return [told, *map(_lifted, verdicts)]


def _lifted(verdict: Verdict) -> Verdict:
    if verdict.rule not in _DENYING:
        return verdict
    return Verdict(
        policy=verdict.policy,
        rule=verdict.rule,
        mode=Mode.SHADOW,
        code=verdict.code,
        message=verdict.message,
        certain=verdict.certain,
    )


def _blocked(code: ReasonCode, message: str) -> Verdict:
    return Verdict(policy=_BRAKE, rule=Rule.BLOCK, mode=Mode.ENFORCE, code=code, message=message)


def _keys(principal: Principal, tool: str) -> Iterator[tuple[StopKind, str]]:
    yield StopKind.ALL, ""
    yield StopKind.TOOL, canonical(tool)
    yield StopKind.AGENT, principal.agent
    yield StopKind.TEAM, principal.team
    for actor in principal.on_behalf_of:
        if actor.kind is ActorKind.AGENT:
            yield StopKind.AGENT, actor.name
        yield StopKind.TEAM, actor.team


def _key(kind: StopKind, name: str) -> str:
    return canonical(name) if kind is StopKind.TOOL else name
