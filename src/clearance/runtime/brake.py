"""The brake: who is stopped, and what is open in an emergency. What tightens never waits; what loosens does.

A stop is set first and recorded then, so that it holds with the journal down, too: what could not be recorded
is logged, kept, and recorded as late when the journal is back. Lifting a stop and breaking glass are recorded
first, and are not done otherwise.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from clearance.core import redact
from clearance.core.model import BreakGlass, Stop, StopKind, StopLevel
from clearance.core.model.names import canonical
from clearance.core.policy.posture import LEVELS, Posture, is_on
from clearance.errors import ClearanceError, NotFoundError, RequestError, StoreError
from clearance.ports import BrakeStore
from clearance.runtime.audit import Audit
from clearance.runtime.mediator import Clock
from clearance.runtime.names import NewId

Tell = Callable[[str, dict[str, Any]], None]

GLASS_SECONDS = 1_800.0
MOST_GLASS_SECONDS = 4 * 3_600.0
LEAST_REASON = 10  # characters: enough to say what is going on
_MOST_UNRECORDED = 10_000
_LOG = logging.getLogger("clearance")


def nobody(_: str, __: dict[str, Any]) -> None:
    """Without receivers nobody is told."""


def _nothing(_: Stop) -> None:
    """Nothing was approved, granted or delegated."""


class Brake:
    """Thread-safe. `posture` costs a few microseconds until somebody, in any process, changes something."""

    def __init__(
        self,
        store: BrakeStore,
        audit: Audit,
        *,
        clock: Clock,
        new_id: NewId,
        tell: Tell = nobody,
        quarantined: Callable[[Stop], None] = _nothing,
    ) -> None:
        """`quarantined` makes void what was approved and granted to whom the stop is about."""
        self._store = store
        self._audit = audit
        self._clock = clock
        self._new_id = new_id
        self._tell = tell
        self._quarantined = quarantined
        self._lock = threading.Lock()
        self._known = (-1, Posture())
        self._unrecorded: deque[tuple[str, str, str, dict[str, Any]]] = deque(maxlen=_MOST_UNRECORDED)

    def revision(self) -> int:
        """Another number whenever something changed. Raises StoreError."""
        return self._store.revision()

    def posture(self) -> Posture:
        """What is stopped and what is open now. Raises StoreError: then nothing may run."""
        revision, posture = self._known
        now = self._store.revision()
        if now == revision:
            return posture
        # Read after the revision: a change in between is read twice, never missed.
        posture = Posture(self._store.stops(), self._store.glasses(open_at=self._clock()))
        self._known = (now, posture)
        return posture

    # Stops

    def set(
        self,
        kind: StopKind,
        name: str,
        level: StopLevel,
        *,
        reason: str,
        by: str,
        seconds: float | None = None,
        policy: str = "",
    ) -> Stop:
        """Stop somebody, now, in the place of what was set before. Raises RequestError, StoreError."""
        at = self._clock()
        stop = Stop(
            kind=kind,
            name=_name(kind, name),
            level=level,
            reason=_said(reason),
            by=by,
            at=at,
            until=None if seconds is None else at + timedelta(seconds=_positive(seconds)),
            policy=policy,
        )
        return self._put(stop)

    def trip(self, stop: Stop) -> Stop | None:
        """Set what a circuit breaker asks for; never milder or shorter than what is on. None: it was on."""
        stricter = self._store.tighten_stop(stop)
        if stricter is not None:
            self._record("brake.set", stricter.by, _target_of(stricter), _plain(stricter))
            self._follow_up(stricter)
        return stricter

    def would_trip(self, stop: Stop) -> None:
        """Record what a circuit breaker in shadow would have set."""
        self._record("brake.shadow", stop.by, _target_of(stop), _plain(stop))

    def lift(self, kind: StopKind, name: str, *, by: str, reason: str = "") -> Stop:
        """Let go on. Recorded first. Raises NotFoundError, StoreError."""
        name = _name(kind, name)
        stop = next((one for one in self._store.stops() if (one.kind, one.name) == (kind, name)), None)
        if stop is None:
            raise NotFoundError("There is no such stop; `clearance brake` lists those that are on.")
        reason = redact.clean_text(reason)
        details = {"level": stop.level.value, "reason": reason, "set_by": stop.by}
        self._audit.record("brake.lift", by=by, target=_target(kind, name), details=details)
        lifted = self._store.lift_stop(kind, name)
        self._notify("brake_lifted", {**_plain(lifted), "lifted_by": by, "lifted_reason": reason})
        return lifted

    def stops(self) -> list[Stop]:
        """Those that hold now."""
        at = self._clock()
        return [stop for stop in self._store.stops() if is_on(stop, at)]

    # Emergency access

    def break_glass(
        self, agent: str, *, tools: Sequence[str], reason: str, by: str, seconds: float = GLASS_SECONDS
    ) -> BreakGlass:
        """Let policies not refuse this agent with these tools for a while. Recorded first, and an alarm.

        Raises RequestError without agent, tools or a reason, or for longer than four hours; StoreError.
        """
        if not agent.strip() or not tools or not all(canonical(tool) for tool in tools):
            raise RequestError("Emergency access is for one agent and named tools.", reason="missing_field")
        if len(reason.strip()) < LEAST_REASON:
            raise RequestError(
                f"Emergency access needs a reason of at least {LEAST_REASON} characters.",
                reason="wrong_value",
            )
        if not 0 < seconds <= MOST_GLASS_SECONDS:
            raise RequestError("Emergency access lasts four hours at most.", reason="wrong_value")
        at = self._clock()
        glass = BreakGlass(
            glass_id=self._new_id("glass"),
            agent=agent,
            tools=tuple(tools),
            reason=_said(reason),
            by=by,
            at=at,
            until=at + timedelta(seconds=seconds),
        )
        self._audit.record("glass.break", by=by, target=agent, details=_plain(glass))
        self._store.add_glass(glass)
        _LOG.critical(
            "break-glass %s: policies do not refuse agent %s until %s, by %s",
            glass.glass_id,
            agent,
            glass.until.isoformat(),
            by,
        )
        self._notify("glass_broken", _plain(glass))
        return glass

    def end_glass(self, glass_id: str, *, by: str) -> BreakGlass:
        """Before its time. Ended first and recorded then: it tightens. Raises NotFoundError, StoreError."""
        glass = self._store.end_glass(glass_id, self._clock())
        self._record("glass.end", by, glass.agent, {"glass_id": glass_id})
        self._notify("glass_ended", {**_plain(glass), "ended_by": by})
        return glass

    def glasses(self) -> list[BreakGlass]:
        """Those that hold now, newest first."""
        return self._store.glasses(open_at=self._clock())

    # What the journal could not take

    def record_late(self) -> int:
        """Record what could not be recorded when it was done; how many could be. Never raises."""
        done = 0
        with self._lock:
            while self._unrecorded:
                act, by, target, details = self._unrecorded[0]
                try:
                    self._audit.record(act, by=by, target=target, details={**details, "late": True})
                except StoreError:
                    break
                self._unrecorded.popleft()
                done += 1
        return done

    @property
    def unrecorded(self) -> int:
        """How many acts wait for the journal."""
        return len(self._unrecorded)

    def _put(self, stop: Stop) -> Stop:
        before = self._on(stop.kind, stop.name)
        if before is not None and LEVELS.index(stop.level) < LEVELS.index(before.level):
            self._audit.record("brake.set", by=stop.by, target=_target_of(stop), details=_plain(stop))
            self._store.set_stop(stop)  # milder than it was: recorded first
        else:
            self._store.set_stop(stop)
            self._record("brake.set", stop.by, _target_of(stop), _plain(stop))
        self._follow_up(stop)
        return stop

    def _follow_up(self, stop: Stop) -> None:
        if stop.level is StopLevel.QUARANTINED:
            self._make_void(stop)
        self._notify("brake_set", _plain(stop))

    def _on(self, kind: StopKind, name: str) -> Stop | None:
        at = self._clock()
        found = (one for one in self._store.stops() if (one.kind, one.name) == (kind, name))
        return next((one for one in found if is_on(one, at)), None)

    def _make_void(self, stop: Stop) -> None:
        try:
            self._quarantined(stop)
        except ClearanceError as error:  # the stop holds; what is void already refuses by it
            _LOG.error("quarantine of %s: holds and grants stay (%s)", _target_of(stop), error.code)

    def _record(self, act: str, by: str, target: str, details: dict[str, Any]) -> None:
        self.record_late()
        try:
            self._audit.record(act, by=by, target=target, details=details)
        except StoreError as error:
            _LOG.error("%s of %s by %s holds, and is not recorded yet (%s)", act, target, by, error.code)
            self._unrecorded.append((act, by, target, {**details, "done_at": self._clock().isoformat()}))

    def _notify(self, kind: str, body: dict[str, Any]) -> None:
        try:
            self._tell(kind, body)
        except ClearanceError as error:
            _LOG.error("nobody could be told of %s (%s)", kind, error.code)


def _name(kind: StopKind, name: str) -> str:
    """Tools in their one spelling. Raises RequestError."""
    name = name.strip()
    if kind is StopKind.ALL:
        if name:
            raise RequestError("A stop of everything has no name.", reason="wrong_value")
        return ""
    name = canonical(name) if kind is StopKind.TOOL else name
    if not name or (kind is StopKind.TOOL and any(sign in name for sign in "*?[")):
        raise RequestError(f"Name the {kind.value} exactly.", reason="wrong_value")
    return name


def _said(reason: str) -> str:
    if not reason.strip():
        raise RequestError("Say why: whoever finds it stopped will ask.", reason="missing_field")
    return redact.clean_text(reason.strip()[:1_000])


def _positive(seconds: float) -> float:
    if not 0 < seconds <= 366 * 86_400:
        raise RequestError("A stop lasts more than no time, and a year at most.", reason="wrong_value")
    return seconds


def _target(kind: StopKind, name: str) -> str:
    return kind.value if kind is StopKind.ALL else f"{kind.value}:{name}"


def _target_of(stop: Stop) -> str:
    return _target(stop.kind, stop.name)


def _plain(value: Stop | BreakGlass) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain
