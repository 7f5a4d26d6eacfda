"""Clearance: the control point between AI agents and everything they touch."""

from clearance.core.model import (
    CheckResult,
    Effect,
    Environment,
    Obligation,
    Operation,
    OutcomeStatus,
    Reason,
    ReasonCode,
    Record,
)
from clearance.errors import (
    AuthenticationError,
    ClearanceError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PolicyError,
    PolicyViolationError,
    RequestError,
    StoreError,
    UnreachableError,
)
from clearance.sdk import Client, Run, brake_is_on, guard

__all__ = [
    "AuthenticationError",
    "CheckResult",
    "ClearanceError",
    "Client",
    "ConfigurationError",
    "ConflictError",
    "Effect",
    "Environment",
    "ForbiddenError",
    "NotFoundError",
    "Obligation",
    "Operation",
    "OutcomeStatus",
    "PolicyError",
    "PolicyViolationError",
    "Reason",
    "ReasonCode",
    "Record",
    "RequestError",
    "Run",
    "StoreError",
    "UnreachableError",
    "brake_is_on",
    "guard",
]
