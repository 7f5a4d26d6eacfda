"""What goes wrong on the way to an upstream: one error, its stable reasons. Names the host, no payload."""

from __future__ import annotations

from http import HTTPStatus

from clearance.errors import ClearanceError

_STATUS = {
    "connect_timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "upstream_timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "upstream_resting": HTTPStatus.SERVICE_UNAVAILABLE,
    "upstream_too_busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "shutting_down": HTTPStatus.SERVICE_UNAVAILABLE,
}


class UpstreamError(ClearanceError):
    """No answer, or one that cannot be believed.

    `reason` is one of the stable codes of spec/error_codes.yaml. `sent` is False when nothing of the request
    can have been acted on: it may be sent again, here or elsewhere.
    """

    code = "upstream_unavailable"

    def __init__(self, message: str, *, reason: str, sent: bool = True) -> None:
        self.reason = reason
        self.sent = sent
        super().__init__(message)

    @property
    def status(self) -> HTTPStatus:
        """What a gateway answers its own client with."""
        return _STATUS.get(self.reason, HTTPStatus.BAD_GATEWAY)
