"""One record of an API: how it stands, its body kept on our disk, and putting it back by PUT or POST."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from msgspec.structs import replace

from clearance.adapters.systems.http.client import Client, Reply
from clearance.adapters.systems.http.content import digest
from clearance.adapters.systems.http.options import HttpOptions, Undo
from clearance.adapters.systems.http.records import address, collection
from clearance.adapters.systems.keyed import Images, Landed, RefusedError, Scope, Spot, State
from clearance.core.model import ItemState
from clearance.errors import RecoveryError, SystemUnavailableError

_GONE: Final = (404, 410)
_DONE: Final = (200, 201, 202, 204)
_CHANGED: Final = (404, 409, 410, 412)
_OTHERWISE: Final = (
    "the server took it, and it reads back otherwise: fields that it sets belong into `ignore_fields`"
)
_NAMELESS: Final = "it was created anew, and the answer does not say where: look for it by hand"


class HttpThings:
    """Records as the API shows them. A strong ETag becomes the condition of every write."""

    at_once = 4  # an API's rate limit is for everybody

    def __init__(self, client: Client, options: HttpOptions) -> None:
        self._client = client
        self._options = options
        self.makes_anew = options.undo is Undo.POST

    def fingerprint(self) -> str:
        """The API's own address: nothing else identifies it, whoever answers there."""
        parts = urlsplit(self._options.base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"http:{parts.scheme}://{(parts.hostname or '').lower()}:{port}{parts.path.rstrip('/')}"

    def find(self, scope: Scope) -> Sequence[str]:
        if scope.keys is None:
            raise RecoveryError(f"no `record_ids` say which of `{scope.resource}`")
        return scope.keys

    def look(self, spot: Spot) -> State:
        return self._read(spot)[0]

    def keep(self, spot: Spot, *, images: Images) -> State:
        state, body = self._read(spot)
        return replace(state, image=images.keep(body)) if state.exists else state

    def intact(self, spot: Spot, state: State, *, images: Images) -> bool:  # noqa: ARG002 - the port's
        return len(images.blob(state.image)) == state.bytes

    def put(self, spot: Spot, want: State, *, now: State, images: Images) -> Landed:
        if not want.exists:
            self._send("DELETE", address(spot, self._options), now)
            return self._landed(spot, want)
        body = images.blob(want.image)
        if not now.exists and self.makes_anew:
            return self._create(spot, want, body, images)
        self._send("PUT", address(spot, self._options), now, body=body, kind=want.details["type"])
        return self._landed(spot, want)

    def drop(self, snapshot_id: str) -> None:
        """The images are all on our disk."""

    def _read(self, spot: Spot) -> tuple[State, bytes]:
        reply = self._client.send("GET", address(spot, self._options))
        if reply.status in _GONE:
            return State(), b""
        if reply.status != 200:
            raise SystemUnavailableError(f"the server answered {reply.status} to GET")
        kind, tag = reply.headers.get("content-type", ""), reply.headers.get("etag", "")
        same = digest(reply.body, kind, ignore=self._options.ignore_fields)
        strong = tag if tag.startswith('"') else ""
        return State(digest=same, tag=strong, bytes=len(reply.body), details={"type": kind}), reply.body

    def _send(self, method: str, path: str, now: State, *, body: bytes = b"", kind: str = "") -> Reply:
        """Under the best condition there is. Raises RefusedError where the server declines."""
        headers = {"Content-Type": kind} if kind else {}
        if not now.exists:
            headers["If-None-Match"] = "*"
        elif now.tag:
            headers["If-Match"] = now.tag
        return _taken(method, self._client.send(method, path, body=body, headers=headers))

    def _create(self, spot: Spot, want: State, body: bytes, images: Images) -> Landed:
        """Under an identity that the server chooses; sent once, whatever becomes of the answer."""
        path = collection(spot, self._options)
        once = hashlib.sha256(f"{images.snapshot_id} {spot.resource} {spot.key}".encode()).hexdigest()
        headers = {"Content-Type": want.details["type"], "Idempotency-Key": once}
        reply = _taken("POST", self._client.send("POST", path, body=body, headers=headers))
        key = self._new_key(path, reply)
        if not key:
            return Landed(spot=spot, state=State(), differs=_NAMELESS)
        return self._landed(Spot(resource=spot.resource, key=key), want)

    def _landed(self, spot: Spot, want: State) -> Landed:
        state = self.look(spot)
        return Landed(spot=spot, state=state, differs="" if state.digest == want.digest else _OTHERWISE)

    def _new_key(self, path: str, reply: Reply) -> str:
        """From `Location`, else from the field `id` of the answer."""
        base = self._options.base_url.rstrip("/") + path
        if location := reply.headers.get("location", ""):
            target = urljoin(base, location)
            key = target.removeprefix(f"{base}/")
            return unquote(key) if key != target and "/" not in key and "?" not in key else ""
        try:
            found = json.loads(reply.body)["id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def _taken(method: str, reply: Reply) -> Reply:
    if reply.status in _DONE:
        return reply
    if reply.status in _CHANGED:
        raise RefusedError(f"it was changed while it was put back (the server answered {reply.status})")
    raise RefusedError(f"the server answered {reply.status} to {method}", state=ItemState.SKIPPED)
