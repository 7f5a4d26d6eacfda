"""Errors as HTTP answers: a status, a stable code, a sentence. Never a payload, never a stack."""

from __future__ import annotations

import logging
from http import HTTPStatus

from msgspec import Struct

from clearance.core import redact
from clearance.errors import (
    ApprovalError,
    AuthenticationError,
    ClearanceError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PolicyViolationError,
    RecoveryError,
    RequestError,
    RestoreConflictError,
    StoreError,
    SystemUnavailableError,
)


class ProblemBody(Struct, frozen=True):
    """One thing wrong with a policy."""

    code: str
    message: str
    file: str
    line: int
    suggestion: str


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """`code` is stable; `message` says what to do.

    `keys` names what is in conflict (`restore_conflict`); `reason_code` and `action_id` tell of a refusal.
    """

    code: str
    message: str
    problems: tuple[ProblemBody, ...] = ()
    keys: tuple[str, ...] = ()
    reason_code: str = ""
    action_id: str = ""


class ErrorAnswer(Struct, frozen=True):
    """Every answer that is not a success."""

    error: ErrorBody


_LOG = logging.getLogger("clearance")
_STATUS: tuple[tuple[type[ClearanceError], HTTPStatus], ...] = (
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (ConfigurationError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (PolicyViolationError, HTTPStatus.FORBIDDEN),
    (RecoveryError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (SystemUnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
)
_STATUS_OF_KIND: dict[type[ClearanceError], HTTPStatus] = {
    RequestError: HTTPStatus.BAD_REQUEST,
    AuthenticationError: HTTPStatus.UNAUTHORIZED,
    ApprovalError: HTTPStatus.CONFLICT,
}
_STATUS_OF_REASON = {
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "no_such_path": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "caller_went_away": HTTPStatus.BAD_REQUEST,
    "approval_self": HTTPStatus.FORBIDDEN,
    "approval_not_qualified": HTTPStatus.FORBIDDEN,
}
_INTERNAL = ErrorAnswer(
    ErrorBody("internal_error", "Clearance failed inside; nothing was cleared. Its log names the place.")
)


def answer_to(error: Exception) -> tuple[HTTPStatus, ErrorAnswer]:
    """What to tell the caller."""
    if isinstance(error, RequestError | AuthenticationError | ApprovalError):
        status = _STATUS_OF_REASON.get(error.reason, _STATUS_OF_KIND[type(error)])
        return status, ErrorAnswer(ErrorBody(error.reason, _said(error)))
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status, ErrorAnswer(_body(error))
    return HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL


def log_unexpected(what: str, error: Exception) -> None:
    """Where and what kind; the message may hold a payload."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at is not None else "nowhere"
    _LOG.error("%s failed with %s at %s", what, type(error).__name__, where)


def _body(error: ClearanceError) -> ErrorBody:
    match error:
        case RestoreConflictError():
            return ErrorBody(error.code, _said(error), keys=error.keys)
        case PolicyViolationError():
            return ErrorBody(
                error.code, _said(error), reason_code=error.reason_code, action_id=error.action_id
            )
        case _:
            return ErrorBody(error.code, _said(error), _problems(error))


def _said(error: ClearanceError) -> str:
    """A message may name what was sent: a member, a rule, a policy. Not where that is a credential."""
    return redact.clean_text(str(error))


def _problems(error: ClearanceError) -> tuple[ProblemBody, ...]:
    if not isinstance(error, ConfigurationError):
        return ()
    return tuple(
        ProblemBody(
            problem.code, redact.clean_text(problem.message), problem.file, problem.line, problem.suggestion
        )
        for problem in error.problems
    )
