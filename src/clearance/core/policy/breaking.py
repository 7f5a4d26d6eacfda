"""Reads a circuit breaker: `trips`, `then`, `for_seconds`, `per`. Notes every problem; raises nothing."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from clearance.core.model import Rule, StopLevel
from clearance.core.policy.breaker import Measure, Per
from clearance.core.policy.located import Located
from clearance.core.policy.problems import ProblemCode
from clearance.core.policy.reading import Reader
from clearance.core.policy.sums import ReadAmount, summed
from clearance.core.policy.watch import MAX_COUNTED

KEYS = ("trips", "then", "for_seconds", "per")
_NEEDED = ("trips", "then")
_RATES = (Measure.DENIAL_RATE, Measure.ERROR_RATE)
_TRIPS_KEYS = (*(member.value for member in Measure), "within_seconds", "at_least", "fact", "argument")
_AT_LEAST = 10  # actions, before a rate says anything


class Then(StrEnum):
    """What a tripped breaker sets."""

    HOLD = "hold"
    PAUSE = "pause"
    QUARANTINE = "quarantine"


LEVEL_OF = {
    Then.HOLD: StopLevel.HELD,
    Then.PAUSE: StopLevel.PAUSED,
    Then.QUARANTINE: StopLevel.QUARANTINED,
}


class Breaking(Struct, frozen=True, kw_only=True):
    """The parts of a breaker as written."""

    measure: Measure = Measure.VIOLATIONS
    limit: float = 1.0
    within_seconds: float = 1.0
    at_least: int = _AT_LEAST
    amount: ReadAmount | None = None
    then: StopLevel = StopLevel.PAUSED
    for_seconds: float | None = None
    per: Per = Per.AGENT


def read_breaking(
    rule: Rule | None, at: Located, fields: dict[str, Located], reader: Reader
) -> Breaking | None:
    """None for every other rule, in which these keys have no place."""
    if rule is not Rule.CIRCUIT_BREAKER:
        for key in KEYS if rule is not None else ():
            if key in fields:
                message = f"{key} has its place in a policy with rule: circuit_breaker only."
                reader.refuse(ProblemCode.MISPLACED_KEY, message, fields[key])
        return None
    for key in _NEEDED:
        if key not in fields:
            message = f"A policy with rule: circuit_breaker needs {key}."
            reader.refuse(ProblemCode.MISSING_KEY, message, at)
    then = reader.choice(fields["then"], Then, "then") if "then" in fields else None
    per = reader.choice(fields["per"], Per, "per") if "per" in fields else None
    for_seconds = _seconds(fields["for_seconds"], "for_seconds", reader) if "for_seconds" in fields else None
    read = _trips(fields["trips"], reader) if "trips" in fields else Breaking()
    return Breaking(
        measure=read.measure,
        limit=read.limit,
        within_seconds=read.within_seconds,
        at_least=read.at_least,
        amount=read.amount,
        then=LEVEL_OF[then or Then.PAUSE],
        for_seconds=for_seconds,
        per=per or Per.AGENT,
    )


def _trips(at: Located, reader: Reader) -> Breaking:
    fields = reader.fields(at, "trips", _TRIPS_KEYS)
    measures = [measure for measure in Measure if measure.value in fields]
    if len(measures) != 1:
        known = ", ".join(member.value for member in Measure)
        reader.refuse(ProblemCode.MISSING_KEY, f"trips needs one of {known}.", at)
        return Breaking()
    measure = measures[0]
    if "within_seconds" not in fields:
        reader.refuse(ProblemCode.MISSING_KEY, "trips needs within_seconds.", at)
        within: float | None = None
    else:
        within = _seconds(fields["within_seconds"], "trips within_seconds", reader)
    least = None
    if "at_least" in fields:
        least = reader.whole(fields["at_least"], "trips at_least", least=1, most=MAX_COUNTED)
    _misplaced(measure, fields, reader)
    return Breaking(
        measure=measure,
        limit=_limit(measure, fields[measure.value], reader),
        within_seconds=within or 1.0,
        at_least=least or _AT_LEAST,
        amount=_amount(at, fields, reader) if measure is Measure.SPEND else None,
    )


def _misplaced(measure: Measure, fields: dict[str, Located], reader: Reader) -> None:
    if "at_least" in fields and measure not in _RATES:
        message = "at_least has its place beside denial_rate and error_rate only."
        reader.refuse(ProblemCode.MISPLACED_KEY, message, fields["at_least"])
    for key in ("fact", "argument"):
        if key in fields and measure is not Measure.SPEND:
            message = f"{key} has its place beside spend only."
            reader.refuse(ProblemCode.MISPLACED_KEY, message, fields[key])


def _limit(measure: Measure, at: Located, reader: Reader) -> float:
    what = f"trips {measure.value}"
    if measure in (Measure.VIOLATIONS, Measure.ERRORS):
        return float(reader.whole(at, what, least=1, most=MAX_COUNTED) or 1)
    limit = reader.number(at, what, least=0)
    if limit is None:
        return 1.0
    if limit == 0:
        reader.refuse(ProblemCode.BAD_VALUE, f"{what} must be more than 0.", at)
    elif measure in _RATES and limit > 1:
        reader.refuse(ProblemCode.NEVER_MATCHES, f"{what} is a share: more than 1 is never reached.", at)
    return limit


def _amount(at: Located, fields: dict[str, Located], reader: Reader) -> ReadAmount | None:
    source = summed("trips spend", at, fields, reader)
    return None if source is None else source[1]


def _seconds(at: Located, what: str, reader: Reader) -> float | None:
    seconds = reader.number(at, what, least=0)
    if seconds == 0:
        reader.refuse(ProblemCode.NEVER_MATCHES, f"{what} must be more than 0.", at)
    return seconds
