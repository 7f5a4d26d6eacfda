"""What is stopped and what is open in an emergency, and what that says of one request. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clearance.core.model import (
    ActorKind,
    AgentStatus,
    Approval,
    BreakGlass,
    Mode,
    Notify,
    Principal,
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

_BRAKE = "brake"
_LEVELS = tuple(StopLevel)  # mildest first
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
        self._stops = {(stop.kind, _key(stop.kind, stop.name)): stop for stop in self.stops}
        self._glasses: dict[str, list[BreakGlass]] = {}
        for glass in glasses:
            self._glasses.setdefault(glass.agent, []).append(glass)

    def stop(self, request: Request) -> Stop | None:
        """The strictest one that holds for the agent, for anybody it acts for, its team or the tool."""
        if not self._stops:
            return None
        at = request.context.at
        found = [self._stops.get(key) for key in _keys(request.principal, request.action.tool)]
        holding = [stop for stop in found if stop is not None and (stop.until is None or at < stop.until)]
        return max(holding, key=lambda stop: _LEVELS.index(stop.level), default=None)

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
    whom = {
        StopKind.AGENT: f'Agent "{stop.name}"',
        StopKind.TEAM: f'Team "{stop.name}"',
        StopKind.TOOL: f'Tool "{stop.name}"',
        StopKind.ALL: "Everything",
    }[stop.kind]
    if stop.level is StopLevel.HELD:
        message = f"{whom} is on hold: every action needs a person's yes."
        return Verdict(
            policy=stop.policy or _BRAKE,
            rule=Rule.REQUIRE_APPROVAL,
            mode=Mode.ENFORCE,
            code=ReasonCode.APPROVAL_REQUIRED,
            message=message,
            obligation=Approval(policy=stop.policy or _BRAKE, message=message, role=Role.OPERATOR),
        )
    return _blocked(
        _CODE[stop.level], f"{whom} is {stop.level.value}; nothing was run. An operator can lift it."
    )


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
