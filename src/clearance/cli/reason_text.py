"""Reasons and obligations in the words that every command uses. Pure."""

from __future__ import annotations

from typing import assert_never

from clearance.cli.terminal_text import Style, safe
from clearance.core.model import (
    Approval,
    Inspect,
    Limit,
    Mode,
    Notify,
    Obligation,
    Reason,
    ReasonCode,
    Snapshot,
    Transform,
)

_ALERTING = frozenset({ReasonCode.POLICY_ALERT, ReasonCode.FINDING})
_QUIET = frozenset({ReasonCode.NO_POLICY_MATCHED, ReasonCode.IN_SCOPE})


def is_alert(reason: Reason) -> bool:
    """True for an enforced reason to tell somebody."""
    return reason.code in _ALERTING and reason.mode is Mode.ENFORCE


def reason_text(reason: Reason) -> str:
    """Policy, sentence and code; that a value was taken as matching; that it is not enforced."""
    name = f"{reason.policy}: " if reason.policy else ""
    unsure = "" if reason.certain else " (a value could not be known, so it counts as matching)"
    shadow = " (not enforced)" if reason.mode is Mode.SHADOW else ""
    return safe(f"{name}{reason.message} [{reason.code.value}]{unsure}{shadow}")


def reason_label(reason: Reason) -> tuple[str, Style]:
    """What stands before it, and how it looks where it did not decide."""
    if reason.mode is Mode.SHADOW:
        return "shadow", Style.SHADOW
    if is_alert(reason):
        return "! alert", Style.WARN
    return "because", Style.QUIET if reason.code in _QUIET else Style.PLAIN


def obligation_text(owed: Obligation) -> str:
    """What has to be done for the decision to hold, and which policy asks for it."""
    match owed:
        case Approval():
            what = f"a person's approval {owed.message}"
        case Snapshot():
            what = "a snapshot before it runs"
        case Transform():
            what = f"redact {', '.join((*owed.paths, *owed.patterns))}"
        case Notify():
            what = f"tell somebody: {owed.message}"
        case Limit():
            bounds = (
                (owed.timeout_seconds, "seconds"),
                (owed.result_items, "items"),
                (owed.result_bytes, "bytes"),
            )
            what = "at most " + ", ".join(f"{most:g} {unit}" for most, unit in bounds if most is not None)
        case Inspect():
            what = "a look at the result before it is shown"
        case _:
            assert_never(owed)
    return safe(f"{what.strip()} ({owed.policy})")
