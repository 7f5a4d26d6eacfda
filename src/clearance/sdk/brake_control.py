"""Pulling and lifting the brake, on a store here or on a server: one API for both. For people, not agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from msgspec import Struct

from clearance.core.model import BreakGlass, Stop, StopKind, StopLevel
from clearance.runtime.brake import Brake

T = TypeVar("T")
Ask = Callable[[str, str, Any, type[Any], dict[str, str] | None], Any]


class BrakeControl(Protocol):
    """See runtime.brake.Brake. All raise ClearanceError."""

    def stops(self) -> list[Stop]: ...

    def glasses(self) -> list[BreakGlass]: ...

    def set(
        self, kind: StopKind, name: str, level: StopLevel, *, reason: str, seconds: float | None
    ) -> Stop: ...

    def lift(self, kind: StopKind, name: str, *, reason: str) -> Stop: ...

    def break_glass(self, agent: str, *, tools: Sequence[str], reason: str, seconds: float) -> BreakGlass: ...

    def end_glass(self, glass_id: str) -> BreakGlass: ...

    @property
    def unrecorded(self) -> int:
        """How many acts could not be recorded yet, as far as is known here."""


class LocalControl:
    """On a store that this process opened. `by` is whoever owns its files."""

    def __init__(self, brake: Brake, by: str) -> None:
        self._brake = brake
        self._by = by

    def stops(self) -> list[Stop]:
        return self._brake.stops()

    def glasses(self) -> list[BreakGlass]:
        return self._brake.glasses()

    def set(self, kind: StopKind, name: str, level: StopLevel, *, reason: str, seconds: float | None) -> Stop:
        return self._brake.set(kind, name, level, reason=reason, by=self._by, seconds=seconds)

    def lift(self, kind: StopKind, name: str, *, reason: str) -> Stop:
        return self._brake.lift(kind, name, by=self._by, reason=reason)

    def break_glass(self, agent: str, *, tools: Sequence[str], reason: str, seconds: float) -> BreakGlass:
        return self._brake.break_glass(agent, tools=tools, reason=reason, by=self._by, seconds=seconds)

    def end_glass(self, glass_id: str) -> BreakGlass:
        return self._brake.end_glass(glass_id, by=self._by)

    @property
    def unrecorded(self) -> int:
        return self._brake.unrecorded


class _State(Struct, frozen=True):
    stops: list[Stop]
    glasses: list[BreakGlass]


class RemoteControl:
    """On a server. `ask` is (method, path, body, answer, query)."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    unrecorded = 0  # the server logs, and records when it can

    def stops(self) -> list[Stop]:
        return self._state().stops

    def glasses(self) -> list[BreakGlass]:
        return self._state().glasses

    def set(self, kind: StopKind, name: str, level: StopLevel, *, reason: str, seconds: float | None) -> Stop:
        body = {"level": level, "reason": reason, "seconds": seconds}
        made: Stop = self._ask("PUT", _path(kind, name), body, Stop, None)
        return made

    def lift(self, kind: StopKind, name: str, *, reason: str) -> Stop:
        lifted: Stop = self._ask("DELETE", _path(kind, name), None, Stop, {"reason": reason})
        return lifted

    def break_glass(self, agent: str, *, tools: Sequence[str], reason: str, seconds: float) -> BreakGlass:
        body = {"agent": agent, "tools": tuple(tools), "reason": reason, "seconds": seconds}
        made: BreakGlass = self._ask("POST", "/v1/break-glass", body, BreakGlass, None)
        return made

    def end_glass(self, glass_id: str) -> BreakGlass:
        ended: BreakGlass = self._ask(
            "DELETE", f"/v1/break-glass/{_quoted(glass_id)}", None, BreakGlass, None
        )
        return ended

    def _state(self) -> _State:
        state: _State = self._ask("GET", "/v1/brake", None, _State, None)
        return state


def _path(kind: StopKind, name: str) -> str:
    return "/v1/brake/all" if kind is StopKind.ALL else f"/v1/brake/{kind.value}/{_quoted(name)}"


def _quoted(name: str) -> str:
    return quote(name, safe="")
