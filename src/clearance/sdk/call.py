"""A caller's words made into one ActionCall, checked as strictly as the HTTP door checks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from clearance.core.model import ActionCall
from clearance.errors import RequestError


def action_call(action: str, resource: str | Sequence[str] = (), **details: Any) -> ActionCall:
    """`details` are the fields of ActionCall; None means: not given. Raises RequestError.

    >>> action_call("update", "users.accounts", payload={"record_count": 3}).payload
    {'record_count': 3}
    """
    fields = {name: _plain(value) for name, value in details.items() if value is not None}
    fields["action"] = action
    fields["resource"] = resource if isinstance(resource, str) else tuple(resource)
    try:
        return msgspec.convert(fields, ActionCall)
    except msgspec.ValidationError as error:
        raise RequestError(f"This call cannot be judged: {error}.", reason="wrong_type") from None


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
