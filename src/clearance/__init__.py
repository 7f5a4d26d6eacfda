"""Clearance: the control point between AI agents and everything they touch.

Each name is loaded when it is first used; their types stand in `__init__.pyi`.
"""

from clearance.public_names import __getattr__ as __getattr__

__all__ = [
    "ApprovalError",
    "ApprovalRequiredError",
    "AuthenticationError",
    "CheckResult",
    "ClearanceError",
    "Client",
    "ConfigurationError",
    "ConflictError",
    "Effect",
    "Environment",
    "ForbiddenError",
    "HoldStatus",
    "HoldView",
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
