"""Circuit breakers: how much went wrong, or was spent, within a time, for each agent, team or tool.

Pure. Memory for one breaker and one subject is bounded, and an event costs the same however many there were.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from clearance.core.model import ActorKind, Mode, ReasonCode, Request, StopKind, StopLevel
from clearance.core.model.names import canonical
from clearance.core.policy.condition import Condition
from clearance.core.policy.sums import ReadAmount
from clearance.core.policy.truth import TRUE
from clearance.core.policy.view import View
from clearance.core.policy.windows import Amount, Count, Tally, Total

SUBJECTS_KEPT = 10_000  # of all breakers together; the one seen longest ago starts anew
VIOLATIONS = frozenset(
    {
        ReasonCode.POLICY_BLOCK,
        ReasonCode.NOT_IN_SCOPE,
        ReasonCode.OUT_OF_BOUNDS,
        ReasonCode.FINDING,
        ReasonCode.APPROVAL_REFUSED,
    }
)


class Measure(StrEnum):
    """What trips. A violation is a refusal by a policy, scope, bound, finding or person; an error an action
    that failed. Rates are of what was cleared and refused, and of what ended.
    """

    VIOLATIONS = "violations"
    ERRORS = "errors"
    DENIAL_RATE = "denial_rate"
    ERROR_RATE = "error_rate"
    SPEND = "spend"


class Event(StrEnum):
    """What a breaker hears of an action."""

    VIOLATION = "violation"
    CLEARED = "cleared"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


class Per(StrEnum):
    """Whose events are counted together, and who is stopped."""

    AGENT = "agent"
    TEAM = "team"
    TOOL = "tool"


Subject = tuple[StopKind, str]


class Breaker(Struct, frozen=True, kw_only=True):
    """One policy with `rule: circuit_breaker`. `amount` is set for SPEND."""

    name: str
    mode: Mode
    message: str
    condition: Condition
    skips_unknown: bool
    measure: Measure
    limit: float
    within_seconds: float
    at_least: int
    amount: ReadAmount | None
    then: StopLevel
    for_seconds: float | None
    per: Per


class Tripped(Struct, frozen=True, kw_only=True):
    """A breaker that reached its limit, for whom, and with which numbers."""

    breaker: Breaker
    subject: Subject
    reason: str


class Heard(Struct, frozen=True):
    """A request as breakers see it: which of them count it, for whom, and with which amount."""

    entries: tuple[tuple[Breaker, Subject, Amount | None], ...]
    at: float


_BAD = {
    Measure.VIOLATIONS: Event.VIOLATION,
    Measure.DENIAL_RATE: Event.VIOLATION,
    Measure.ERRORS: Event.FAILED,
    Measure.ERROR_RATE: Event.FAILED,
    Measure.SPEND: Event.CLEARED,
}
_GOOD = {Measure.DENIAL_RATE: Event.CLEARED, Measure.ERROR_RATE: Event.SUCCEEDED}
_RATES = frozenset(_GOOD)


class Meters:
    """The windows of a set of breakers. Not thread-safe."""

    def __init__(self, breakers: Iterable[Breaker]) -> None:
        self.breakers = tuple(breakers)
        self._windows: OrderedDict[tuple[str, Subject], Count | Total | Tally] = OrderedDict()

    def heard(self, request: Request, view: View) -> Heard:
        """Who counts this request. Its decision and its outcome are counted by `count`."""
        entries = []
        for breaker in self.breakers:
            truth = breaker.condition.test(view)
            if not truth or (truth != TRUE and breaker.skips_unknown):
                continue
            amount = breaker.amount(view) if breaker.amount is not None else None
            entries += [(breaker, subject, amount) for subject in _subjects(breaker.per, request)]
        return Heard(tuple(entries), view.now)

    def count(self, heard: Heard, event: Event, *, at: float) -> list[Tripped]:
        """One event of a request; what it trips. What tripped starts anew."""
        tripped = []
        for breaker, subject, amount in heard.entries:
            if event is not _BAD[breaker.measure] and event is not _GOOD.get(breaker.measure):
                continue
            window = self._window(breaker, subject)
            _add(window, breaker, event, amount, at)
            said = _reached(window, breaker, at)
            if said:
                tripped.append(Tripped(breaker=breaker, subject=subject, reason=said))
        return tripped

    def forget(self, name: str, subject: Subject) -> None:
        """Start anew: what was counted has been answered by a stop."""
        self._windows.pop((name, subject), None)

    def __len__(self) -> int:
        return len(self._windows)

    def _window(self, breaker: Breaker, subject: Subject) -> Count | Total | Tally:
        key = (breaker.name, subject)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _new_window(breaker)
            if len(self._windows) > SUBJECTS_KEPT:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(key)
        return window


def _new_window(breaker: Breaker) -> Count | Total | Tally:
    seconds = breaker.within_seconds
    if breaker.measure is Measure.SPEND:
        return Total(seconds=seconds)
    if breaker.measure in _RATES:
        return Tally(seconds=seconds)
    return Count(enough=int(breaker.limit), seconds=seconds)


def _add(
    window: Count | Total | Tally, breaker: Breaker, event: Event, amount: Amount | None, at: float
) -> None:
    match window:
        case Total():
            window.add(at, amount)
        case Tally():
            window.add(at, bad=int(event is _BAD[breaker.measure]))
        case Count():
            window.add(at)


def _reached(window: Count | Total | Tally, breaker: Breaker, at: float) -> str:
    """What was reached, in numbers; empty: nothing."""
    within = f"within {breaker.within_seconds:g} seconds"
    match window:
        case Total():
            total = window.total(at)
            if total >= Decimal(repr(breaker.limit)):
                return f"{total:g} spent {within}; the limit is {breaker.limit:g}"
            is_unknown = window.is_unknown(at) and not breaker.skips_unknown
            return f"an amount spent {within} is not known" if is_unknown else ""
        case Tally():
            bad, of = window.seen(at)
            if of < max(breaker.at_least, 1) or bad / of < breaker.limit:
                return ""
            what = "refused" if breaker.measure is Measure.DENIAL_RATE else "failed"
            return f"{bad} of {of} actions {what} {within}; the limit is {breaker.limit:g}"
        case Count():
            many = int(breaker.limit)
            return f"{many} {breaker.measure.value} {within}" if window.is_reached(at) else ""


def _subjects(per: Per, request: Request) -> Iterator[Subject]:
    """The agent answers for what it does, its team for all of them; who is in no team has none to stop."""
    principal = request.principal
    match per:
        case Per.AGENT:
            yield StopKind.AGENT, principal.agent
        case Per.TEAM:
            callers = [one.team for one in principal.on_behalf_of if one.kind is ActorKind.AGENT]
            for team in dict.fromkeys((principal.team, *callers)):
                if team:
                    yield StopKind.TEAM, team
        case Per.TOOL:
            yield StopKind.TOOL, canonical(request.action.tool)
