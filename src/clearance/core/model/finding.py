"""What a detector noticed. Detectors come later; the decision already knows how to weigh a finding."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    """How much a finding weighs. CRITICAL refuses the action, HIGH asks a person, lower ones alert."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Finding(Struct, frozen=True, kw_only=True):
    """`detector` names the thing found (`loop`, `injected_argument`); `confidence` is 0 to 1."""

    detector: str
    severity: Severity
    confidence: float
    evidence: str = ""
