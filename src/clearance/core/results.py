"""What of a result its agent may see: policies asked after a call, redactions applied. Stores nothing."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from clearance.core import redact
from clearance.core.decide import combine, denial, without_transforms
from clearance.core.model import Effect, Judged, ReasonCode, Request, ResultRules, Transform
from clearance.core.model.patterns import NAMED
from clearance.core.policy import PolicySet
from clearance.core.verdicts import awaiting_result, result_verdicts

_RESULT = "result"
_BOTTOMLESS = "The result is nested too deep to be looked at, so it is withheld; the action did run."


def judged(request: Request, result: Any, policies: PolicySet) -> Judged:
    """The result as it may be shown. A brake, scopes and broken glass have no say: the action has run."""
    try:
        seen = redact.opened_whole(result)
    except ValueError:
        return Judged(value=None, decision=denial(None, ReasonCode.RESULT_WITHHELD, _BOTTOMLESS))
    told = replace(request, action=replace(request.action, arguments={_RESULT: seen}))
    verdicts = result_verdicts(told, policies)
    if not verdicts:
        return Judged(value=result)
    decision = combine(verdicts, policy_version=policies.version)
    if decision.effect is Effect.DENY:
        return Judged(value=None, decision=decision)
    transforms = [owed for owed in decision.obligations if isinstance(owed, Transform)]
    kept, redacted = redact.transformed({_RESULT: result}, transforms)
    if transforms and not redacted:
        decision = without_transforms(decision)
    return Judged(value=kept[_RESULT], decision=decision, redacted=redacted)


def rules(request: Request, policies: PolicySet) -> ResultRules:
    """What is known of that before there is a result."""
    awaiting = awaiting_result(request, policies)
    names = {name for one in awaiting for name in one.patterns}
    return ResultRules(
        patterns=tuple(name for name in NAMED if name in names),
        whole=any(not one.patterns for one in awaiting),
    )
