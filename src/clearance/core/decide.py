"""Every verdict and every finding, combined into one Decision: the strictest wins. Written once.

Order never matters: the same set of verdicts gives the same effect, reasons and obligations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearance.core.model import (
    Approval,
    Decision,
    Effect,
    Finding,
    Inspect,
    Mode,
    Notify,
    Obligation,
    Reason,
    ReasonCode,
    Rule,
    Severity,
    Transform,
    Verdict,
)

# Strictest first. A rule's place is its weight; ties are settled by name, so that order never matters.
_STRICTNESS: dict[Rule, int] = {
    Rule.BLOCK: 0,
    Rule.REQUIRE_APPROVAL: 1,
    Rule.SNAPSHOT: 2,
    Rule.REDACT: 3,
    Rule.LIMIT: 4,
    Rule.ALERT: 5,
    Rule.ALLOW: 6,
    Rule.CIRCUIT_BREAKER: 7,
}
_FINDING_RULE: dict[Severity, Rule] = {
    Severity.CRITICAL: Rule.BLOCK,
    Severity.HIGH: Rule.REQUIRE_APPROVAL,
    Severity.MEDIUM: Rule.ALERT,
    Severity.LOW: Rule.ALERT,
}
_DENYING = frozenset({Rule.BLOCK, Rule.REQUIRE_APPROVAL})
_NOTHING_MATCHED = Reason(code=ReasonCode.NO_POLICY_MATCHED, message="No policy applies.")


def combine(
    verdicts: Iterable[Verdict], findings: Sequence[Finding] = (), *, policy_version: str = ""
) -> Decision:
    """One decision from every opinion. A shadow verdict is told among the reasons and weighs nothing."""
    opinions = [*verdicts, *(_verdict_of(finding) for finding in findings)]
    if not opinions:
        return Decision(effect=Effect.ALLOW, reasons=(_NOTHING_MATCHED,), policy_version=policy_version)
    opinions.sort(key=_weight)
    enforced = [verdict for verdict in opinions if verdict.mode is Mode.ENFORCE]
    denied = any(verdict.rule in _DENYING for verdict in enforced)
    reasons = tuple(_reason_of(verdict) for verdict in opinions if not _is_duty(verdict))
    if all(map(_is_duty, enforced)):
        reasons = (_NOTHING_MATCHED, *reasons)
    return Decision(
        effect=Effect.DENY if denied else Effect.ALLOW,
        reasons=reasons,
        obligations=_obligations(enforced),
        policy_version=policy_version,
    )


def denial(decision: Decision | None, code: ReasonCode, message: str) -> Decision:
    """The same decision turned into a refusal for a new reason: nothing is owed any more but the telling."""
    earlier = decision.reasons if decision else ()
    obligations = decision.obligations if decision else ()
    return Decision(
        effect=Effect.DENY,
        reasons=(Reason(code=code, message=message), *earlier),
        obligations=tuple(owed for owed in obligations if isinstance(owed, Notify)),
        policy_version=decision.policy_version if decision else "",
    )


def without_transforms(decision: Decision) -> Decision:
    """The same decision where no redaction found anything to take out: nothing owed, nothing told."""
    reasons = tuple(
        reason
        for reason in decision.reasons
        if reason.code is not ReasonCode.POLICY_REDACT or reason.mode is Mode.SHADOW
    )
    told = any(reason.mode is Mode.ENFORCE for reason in reasons)
    return Decision(
        effect=decision.effect,
        reasons=reasons if told else (_NOTHING_MATCHED, *reasons),
        obligations=tuple(owed for owed in decision.obligations if not isinstance(owed, Transform)),
        policy_version=decision.policy_version,
    )


def is_liftable(decision: Decision) -> bool:
    """True for a hold: a denial whose strictest ground is that somebody has to say yes."""
    return decision.effect is Effect.DENY and decision.reasons[0].code is ReasonCode.APPROVAL_REQUIRED


def _weight(verdict: Verdict) -> tuple[bool, int, bool, str, str]:
    shadow = verdict.mode is Mode.SHADOW
    return (shadow, _STRICTNESS[verdict.rule], not verdict.certain, verdict.policy, verdict.message)


def _is_duty(verdict: Verdict) -> bool:
    """That a result will be looked at is owed, and no reason for anything."""
    return isinstance(verdict.obligation, Inspect)


def _reason_of(verdict: Verdict) -> Reason:
    return Reason(
        code=verdict.code,
        message=verdict.message,
        policy=verdict.policy,
        mode=verdict.mode,
        certain=verdict.certain,
    )


def _obligations(enforced: Sequence[Verdict]) -> tuple[Obligation, ...]:
    return tuple(verdict.obligation for verdict in enforced if verdict.obligation is not None)


def _verdict_of(finding: Finding) -> Verdict:
    rule = _FINDING_RULE[finding.severity]
    message = f"Detector {finding.detector} found: {finding.evidence or finding.severity.value}."
    obligation: Obligation | None = None
    if rule is Rule.REQUIRE_APPROVAL:
        obligation = Approval(policy=finding.detector, message=message)
    elif rule is Rule.ALERT:
        obligation = Notify(policy=finding.detector, message=message)
    return Verdict(
        policy=finding.detector,
        rule=rule,
        mode=Mode.ENFORCE,
        code=ReasonCode.APPROVAL_REQUIRED if rule is Rule.REQUIRE_APPROVAL else ReasonCode.FINDING,
        message=message,
        obligation=obligation,
    )
