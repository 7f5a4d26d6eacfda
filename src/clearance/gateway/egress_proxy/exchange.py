"""One plain or intercepted request: judged as an action, sent on by us, its answer given back."""

from __future__ import annotations

from msgspec import Struct

from clearance.config import EgressSettings
from clearance.core.model import CheckResult
from clearance.errors import RequestError
from clearance.gateway.egress_proxy.addresses import Addresses
from clearance.gateway.egress_proxy.asking import Asker
from clearance.gateway.egress_proxy.bodies import Body
from clearance.gateway.egress_proxy.carrying import Carrying, Measured
from clearance.gateway.egress_proxy.credentials import Credentials, fits_host
from clearance.gateway.egress_proxy.heads import Head
from clearance.gateway.egress_proxy.link import Arrivals, Stream
from clearance.gateway.egress_proxy.places import Place
from clearance.gateway.egress_proxy.requests import changed_target, request_call
from clearance.gateway.egress_proxy.results import Result
from clearance.gateway.upstream import Origin, OutRequest, Response, UpstreamClient, UpstreamError

_REFUSED_METHODS = frozenset({b"CONNECT", b"TRACE", b"TRACK"})  # the last two show the headers that we set
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Means(Struct, frozen=True):
    """What every connection of a door works with."""

    settings: EgressSettings
    carrying: Carrying
    addresses: Addresses
    credentials: Credentials
    upstream: UpstreamClient
    arrivals: Arrivals

    def intercepts(self, host: str) -> bool:
        """Whether TLS to this host is opened."""
        return any(fits_host(pattern, host) for pattern in self.settings.intercept)


class Destined(Struct, frozen=True):
    """A request, and where it goes: `target` is in origin form."""

    head: Head
    place: Place
    scheme: str
    target: bytes


async def exchange(client: Stream, wanted: Destined, asker: Asker, means: Means) -> bool:
    """Whether the connection can go on to another request. Raises RefusedError, RequestError, UpstreamError,
    StoreError, ConnectionError."""
    head = wanted.head
    _check(head)
    if head.get(b"expect"):
        await client.send(_CONTINUE)
    body = Body(client, head.length)
    target = wanted.target.decode("latin-1")
    call = await request_call(
        head,
        wanted.place,
        wanted.scheme,
        target,
        body,
        shown=means.settings.judged_body_bytes,
        run_id=asker.run.run_id,
    )
    keeps_alive = False

    async def act(result: CheckResult, measured: Measured) -> None:
        nonlocal keeps_alive
        onward = changed_target(call, result, target, body).encode("latin-1")
        rules = means.carrying.passage.result_rules(result.action_id)
        is_judged = bool(rules.patterns) or rules.whole
        request = await _request(wanted, onward, body, asker, means, is_judged=is_judged)
        response = await _sent(wanted, request, means, measured)
        try:
            answer = Result(head, response, measured, means.carrying.tell)
            measured.sent = body.given
            if is_judged:
                await answer.judged(client, means.carrying.passage)
            else:
                await answer.streamed(client)
            measured.sent = body.given
        finally:
            await response.aclose()
        keeps_alive = answer.keeps_alive and body.is_whole

    await means.carrying.out(call, asker, act)
    return keeps_alive


def _check(head: Head) -> None:
    """Raises RequestError."""
    if head.method.upper() in _REFUSED_METHODS:
        raise RequestError("This method is not carried out here.", reason="method_refused")
    upgrade = head.get(b"upgrade").lower()
    if upgrade not in (b"", b"h2c"):  # a server may stay with HTTP/1.1, and h2c clients expect that
        raise RequestError(
            "No upgrade here: inside a WebSocket nothing could be judged.", reason="upgrade_refused"
        )
    if head.get(b"expect").lower() not in (b"", b"100-continue"):
        raise RequestError("Only `Expect: 100-continue` is known.", reason="expectation_unknown")


async def _request(
    wanted: Destined, target: bytes, body: Body, asker: Asker, means: Means, *, is_judged: bool
) -> OutRequest:
    is_private = wanted.scheme == "https"
    if not is_private:
        is_private = (await means.addresses.of(wanted.place)).is_private
    headers = wanted.head.onward()
    if is_judged:
        headers = tuple(each for each in headers if each[0] not in (b"accept-encoding", b"range"))
        headers = (*headers, (b"accept-encoding", b"identity"))
    headers = means.credentials.onward(headers, wanted.place, asker.principal.agent, is_private=is_private)
    if not wanted.head.has_body:
        return OutRequest(wanted.head.method, target, headers)
    return OutRequest(wanted.head.method, target, headers, body=aiter(body), length=body.length)


async def _sent(wanted: Destined, request: OutRequest, means: Means, measured: Measured) -> Response:
    """The answer of the first address that can be connected to."""
    place, failed = wanted.place, None
    for address in (await means.addresses.of(place)).addresses:
        measured.address = address
        try:
            origin = Origin(wanted.scheme, place.host, place.port, address)
            return await means.upstream.send(origin, request)
        except UpstreamError as error:
            if error.reason not in ("connect_failed", "connect_timeout"):
                raise
            means.addresses.failed(place, address)
            failed = error
    assert failed is not None
    raise failed
