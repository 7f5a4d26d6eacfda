"""Every error Clearance raises: one small tree with stable codes. Messages name no payload and no secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class ClearanceError(Exception):
    """The root. `code` is stable across releases: scripts and clients may match on it."""

    code: ClassVar[str] = "clearance_error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration: where it stands, what is wrong, and what was probably meant."""

    code: str
    message: str
    file: str = "<input>"
    line: int = 0
    suggestion: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{where}: {self.message}{hint} [{self.code}]"


class ConfigurationError(ClearanceError):
    """Settings or policies that cannot be used. Carries every problem found, not the first."""

    code = "configuration_invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class PolicyError(ConfigurationError):
    """A policy set that was refused whole. Nothing of it was stored or enforced."""

    code = "policy_invalid"


class RequestError(ClearanceError):
    """Input that could not be read as what it claims to be. Nothing was decided, run or stored.

    `reason` is one of the stable codes of spec/error_codes.yaml (`malformed_json`, `too_deep`, …).
    """

    code = "request_invalid"

    def __init__(self, message: str, *, reason: str = "request_invalid") -> None:
        self.reason = reason
        super().__init__(message)


class NotFoundError(ClearanceError):
    """The named run, action, policy, agent or key does not exist."""

    code = "not_found"


class ConflictError(ClearanceError):
    """The change rests on a version that is no longer current, or the name is taken."""

    code = "conflict"


class AuthenticationError(ClearanceError):
    """No credential, or one that proves nothing.

    `reason` is one of the stable codes of spec/error_codes.yaml: `unauthenticated` for every key, whatever is
    wrong with it; what is wrong with a token of an identity provider is told (`token_expired`, …).
    """

    code = "unauthenticated"

    def __init__(self, message: str, *, reason: str = "unauthenticated") -> None:
        self.reason = reason
        super().__init__(message)


class ForbiddenError(ClearanceError):
    """The credential is good; what it asks for is not within its scope."""

    code = "forbidden"


class ApprovalError(ClearanceError):
    """An answer to a hold, or a grant, that does not count. Nothing changed.

    `reason` is one of the stable codes of spec/error_codes.yaml (`approval_self`, `approval_closed`, …).
    """

    code = "approval_invalid"

    def __init__(self, message: str, *, reason: str = "approval_invalid") -> None:
        self.reason = reason
        super().__init__(message)


class UnreachableError(ClearanceError):
    """The control point did not answer in time, or at all. The action did not run."""

    code = "control_point_unreachable"


class ProtocolError(ClearanceError):
    """The control point answered something that is not an answer. The action did not run."""

    code = "control_point_nonsense"


class StoreError(ClearanceError):
    """The store could not write or read. What was not acknowledged is not stored."""

    code = "store_unavailable"


class IntegrityError(StoreError):
    """The store was read, and what it holds was changed after it was written."""

    code = "integrity_broken"


class SystemUnavailableError(ClearanceError):
    """A real system (database, directory, bucket) could not be reached, or refused what was asked of it."""

    code = "system_unavailable"


class RecoveryError(ClearanceError):
    """A snapshot could not be taken, read or put back. Nothing was changed."""

    code = "recovery_failed"


class RestoreConflictError(ConflictError):
    """What a snapshot holds was changed since by somebody else; nothing was restored.

    `keys` names what is in conflict (`public.orders 17`), at most 100; `report` is the whole report.
    """

    code = "restore_conflict"

    def __init__(self, message: str, *, keys: Sequence[str] = (), report: object = None) -> None:
        self.keys = tuple(keys)
        self.report = report
        super().__init__(message)


class PolicyViolationError(ClearanceError):
    """An action was refused. `reason` is a sentence the agent can act on; `reason_code` is stable.

    Raised by `@guard` and `Run.call`; also yours to raise after `Client.check` says `blocked`.
    """

    code = "policy_violation"

    def __init__(self, reason: str = "", *, reason_code: str = "policy_block", action_id: str = "") -> None:
        self.reason = reason
        self.reason_code = reason_code
        self.action_id = action_id
        super().__init__(reason)


class ApprovalRequiredError(PolicyViolationError):
    """An action waits for a person. Send the same call again with `hold_id` once somebody has answered."""

    def __init__(self, reason: str = "", *, action_id: str = "", hold_id: str = "") -> None:
        self.hold_id = hold_id
        super().__init__(reason, reason_code="approval_required", action_id=action_id)
