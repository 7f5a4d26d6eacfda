"""Who asks by a proxy request, and in which run: read from headers that go no further."""

from __future__ import annotations

import asyncio
import binascii
import time

from msgspec import Struct

from clearance.core.model import Principal
from clearance.errors import AuthenticationError
from clearance.gateway.egress_proxy.heads import Head
from clearance.gateway.passage import Passage
from clearance.ports import Presented
from clearance.runtime.joining import Hints
from clearance.runtime.recent import Recent
from clearance.runtime.runs import Run

_NO_RUN = "-"  # an empty user some clients do not send
_IDLE_SECONDS = 900.0
_KEPT = 16_384


class Asker(Struct, frozen=True):
    """Whoever asks, and the run that it goes on with."""

    principal: Principal
    run: Run


class Asking:
    """Belongs to one event loop.

    A run is named (the proxy's user), traced (`traceparent`), or that of the agent's last request from the
    same address, if that is no longer ago than a quarter of an hour.
    """

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._last: Recent[tuple[float, int]] = Recent(_KEPT)
        self._one_begins = asyncio.Lock()

    async def who(self, head: Head, peer: str) -> Asker:
        """Raises AuthenticationError, ForbiddenError, NotFoundError, RequestError, StoreError."""
        user, key = _proxy_credentials(head.get(b"proxy-authorization"))
        delegation = head.get(b"clearance-delegation").decode("latin-1")
        caller = await self._passage.identify(Presented(credential=key, delegation=delegation, peer=peer))
        traceparent = head.get(b"traceparent").decode("latin-1")
        if user or traceparent:
            run = await self._passage.join(caller.principal, Hints(run_id=user, traceparent=traceparent))
        else:
            run = await self._same_as_before(caller.principal, peer)
        return Asker(caller.principal, run)

    async def _same_as_before(self, principal: Principal, peer: str) -> Run:
        spoken, now = f"{principal.agent}\0{peer}", time.monotonic()
        last, count = self._last.get(spoken) or (now, 0)
        count += now - last > _IDLE_SECONDS
        self._last.put(spoken, (now, count))
        key = f"egress:{peer}:{count}"
        async with self._one_begins:  # a client's first requests come several at once
            run = await self._passage.join(principal, Hints(keys=(key,)))
            self._passage.joining.remember(run, key)
        return run


def _proxy_credentials(header: bytes) -> tuple[str, str]:
    """The run and the key: `http://RUN:KEY@…`, or without a run `-:KEY`, `:KEY`, `KEY` or `KEY:`.

    Some clients send nothing where the user is empty, others where the password is.
    """
    scheme, _, value = header.decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return "", value.strip()
    if scheme.lower() != "basic":
        raise AuthenticationError(
            "Put the agent's key into the proxy's address, as its password; the user is the run, or `-`."
        )
    try:
        user, _, key = binascii.a2b_base64(value.strip(), strict_mode=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise AuthenticationError("The proxy's credentials cannot be read.") from None
    return ("" if user == _NO_RUN else user, key) if key else ("", user)
