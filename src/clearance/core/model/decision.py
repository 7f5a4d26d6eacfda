"""The answer: ALLOW or DENY, why, and what must be honoured. One enum for every verdict on every wire."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from clearance.core.model.obligation import Obligation


class Effect(StrEnum):
    """What a decision says. There is no third value: a hold is a DENY that an approval can lift."""

    ALLOW = "allow"
    DENY = "deny"


class Rule(StrEnum):
    """What a policy asks for when its condition matches."""

    ALLOW = "allow"
    BLOCK = "block"
    ALERT = "alert"
    REQUIRE_APPROVAL = "require_approval"
    REDACT = "redact"
    SNAPSHOT = "snapshot"
    LIMIT = "limit"
    CIRCUIT_BREAKER = "circuit_breaker"  # says nothing of one action: it counts, and then stops somebody


class Mode(StrEnum):
    """ENFORCE acts; SHADOW only says what it would have done."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class ReasonCode(StrEnum):
    """Why, in a form scripts can match on. Listed with meanings in spec/reason_codes.yaml."""

    NO_POLICY_MATCHED = "no_policy_matched"
    IN_SCOPE = "in_scope"
    POLICY_BLOCK = "policy_block"
    RESULT_WITHHELD = "result_withheld"
    POLICY_ALERT = "policy_alert"
    POLICY_REDACT = "policy_redact"
    POLICY_SNAPSHOT = "policy_snapshot"
    POLICY_LIMIT = "policy_limit"
    NOT_IN_SCOPE = "not_in_scope"
    APPROVAL_REQUIRED = "approval_required"
    APPROVAL_UNAVAILABLE = "approval_unavailable"
    APPROVAL_REFUSED = "approval_refused"
    APPROVAL_EXPIRED = "approval_expired"
    SNAPSHOT_UNAVAILABLE = "snapshot_unavailable"
    SNAPSHOT_FAILED = "snapshot_failed"
    OBLIGATION_NOT_SUPPORTED = "obligation_not_supported"
    FACTS_UNAVAILABLE = "facts_unavailable"
    APPROVAL_STALE = "approval_stale"
    APPROVAL_USED = "approval_used"
    RADIUS_CHANGED = "radius_changed"
    OUT_OF_BOUNDS = "out_of_bounds"
    PAUSED = "paused"
    QUARANTINED = "quarantined"
    AGENT_RETIRED = "agent_retired"
    BREAK_GLASS = "break_glass"
    FINDING = "finding"
    STORE_UNAVAILABLE = "store_unavailable"
    CANCELLED = "cancelled"
    PROTOCOL_VIOLATION = "protocol_violation"
    CONTROL_POINT_UNREACHABLE = "control_point_unreachable"


class Reason(Struct, frozen=True, kw_only=True):
    """One opinion that shaped the decision.

    `certain` is False where a value that could not be known was taken as matching (fail closed).
    """

    code: ReasonCode
    message: str
    policy: str = ""
    mode: Mode = Mode.ENFORCE
    certain: bool = True


class Verdict(Struct, frozen=True, kw_only=True):
    """One rule's opinion of one request. `obligation` is set where the rule asks for more than yes or no."""

    policy: str
    rule: Rule
    mode: Mode
    code: ReasonCode
    message: str
    certain: bool = True
    obligation: Obligation | None = None


class Decision(Struct, frozen=True, kw_only=True):
    """Every verdict combined. `reasons[0]` is the one that decided."""

    effect: Effect
    reasons: tuple[Reason, ...]
    obligations: tuple[Obligation, ...] = ()
    policy_version: str = ""
