"""One place where the store's errors are read. Their texts are never passed on: codes and operations are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clearance.errors import SystemUnavailableError

CHANGED: Final = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
MISSING: Final = frozenset({"NoSuchKey", "404", "NoSuchVersion", "NotFound", "405", "MethodNotAllowed"})
_DENIED: Final = frozenset({"AccessDenied", "403", "AllAccessDisabled"})


class AnswerError(Exception):
    """The store said no, with this code, and the caller asked to judge such codes itself."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def call(method: Callable[..., Any], *, judge: frozenset[str] = frozenset(), **arguments: Any) -> Any:
    """One request. Raises AnswerError for the codes in `judge`, SystemUnavailableError for all others."""
    try:
        return method(**arguments)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "?"))
        if code in judge:
            raise AnswerError(code) from None
        hint = ": give the role this right" if code in _DENIED else ""
        raise SystemUnavailableError(f"the store answered {code} to {error.operation_name}{hint}") from None
    except BotoCoreError as error:
        raise SystemUnavailableError(f"the store cannot be reached: {type(error).__name__}") from None
