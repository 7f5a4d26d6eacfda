"""Errors as HTTP answers: a status, a stable code, a sentence. Never a payload, never a stack."""

from __future__ import annotations

from http import HTTPStatus

from msgspec import Struct

from clearance.errors import (
    AuthenticationError,
    ClearanceError,
    ConfigurationError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PolicyError,
    RequestError,
    StoreError,
)


class ProblemBody(Struct, frozen=True):
    """One thing wrong with a policy."""

    code: str
    message: str
    file: str
    line: int
    suggestion: str


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """`code` is stable; `message` says what to do."""

    code: str
    message: str
    problems: tuple[ProblemBody, ...] = ()


class ErrorAnswer(Struct, frozen=True):
    """Every answer that is not a success."""

    error: ErrorBody


_STATUS: tuple[tuple[type[ClearanceError], HTTPStatus], ...] = (
    (AuthenticationError, HTTPStatus.UNAUTHORIZED),
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (ConflictError, HTTPStatus.CONFLICT),
    (PolicyError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (RequestError, HTTPStatus.BAD_REQUEST),
)
_STATUS_OF_REASON = {
    "body_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "no_such_path": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "caller_went_away": HTTPStatus.BAD_REQUEST,
}
_INTERNAL = ErrorAnswer(
    ErrorBody("internal_error", "Clearance failed inside; nothing was cleared. Its log names the place.")
)


def answer_to(error: Exception) -> tuple[HTTPStatus, ErrorAnswer]:
    """What to tell the caller."""
    if isinstance(error, RequestError):
        status = _STATUS_OF_REASON.get(error.reason, HTTPStatus.BAD_REQUEST)
        return status, ErrorAnswer(ErrorBody(error.reason, str(error)))
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status, ErrorAnswer(ErrorBody(error.code, str(error), _problems(error)))
    return HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL


def _problems(error: ClearanceError) -> tuple[ProblemBody, ...]:
    if not isinstance(error, ConfigurationError):
        return ()
    return tuple(
        ProblemBody(problem.code, problem.message, problem.file, problem.line, problem.suggestion)
        for problem in error.problems
    )
