"""What people may do."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person, or a service token, may do.

    VIEWER reads. APPROVER also answers holds. OPERATOR also brakes, undoes and revokes. ADMIN rules all.
    AUDITOR reads everything, the administrative record included, and changes nothing.
    """

    VIEWER = "viewer"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMIN = "admin"
    AUDITOR = "auditor"
