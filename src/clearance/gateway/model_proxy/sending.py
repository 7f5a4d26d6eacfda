"""A request as it goes to a provider: its address, its key, nothing of the client's that was not allowed."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from clearance.config.models import ModelSettings, Upstream, read_keys
from clearance.core.dialects.answer import Dialect
from clearance.gateway.model_proxy.headers import Header
from clearance.gateway.model_proxy.places import Place
from clearance.gateway.model_proxy.refusal import ProxyError
from clearance.gateway.upstream import Origin, OutRequest

Make = Callable[[str, Upstream], tuple[Origin, OutRequest]]

_AZURE_VERSION = "2024-10-21"  # its newest general one; `api_version` says another
_VERSION = (b"anthropic-version", b"2023-06-01")  # the only one there is
_JSON = (b"content-type", b"application/json")
_PLAIN = (b"accept-encoding", b"identity")
_KEY_OF = {"anthropic": (b"x-api-key", b""), "azure": (b"api-key", b"")}
_PASSED = {Dialect.MESSAGES: ("beta", "limit", "after_id", "before_id")}


class Sender:
    """Knows the providers' keys; gives them to nobody but the provider."""

    def __init__(self, settings: ModelSettings) -> None:
        """Raises ConfigurationError with every key that is not where it should be."""
        self._keys = read_keys(settings)
        upstreams = settings.upstreams.items()
        self._origins = {name: Origin.of(one.base_url) for name, one in upstreams}
        self._bases = {name: urlsplit(one.base_url).path.rstrip("/") for name, one in upstreams}
        self._own = {name: _headers(one, self._keys.get(name, "")) for name, one in upstreams}

    def maker(
        self, place: Place, *, model: str, headers: list[Header], query: bytes, body: Callable[[str], bytes]
    ) -> Make:
        """Makes the request for whichever upstream is tried; `body` by the upstream's name for the model."""

        def make(name: str, upstream: Upstream) -> tuple[Origin, OutRequest]:
            target = self._bases[name] + _target(place, upstream, model, query)
            own = self._own[name]
            if place.method == "POST":
                own = (_JSON, *own)
            if upstream.kind == "anthropic" and not any(header[0] == _VERSION[0] for header in headers):
                own = (_VERSION, *own)
            request = OutRequest(place.method.encode(), target.encode(), (*headers, *own), body(name))
            return self._origins[name], request

        return make

    def holds_key(self, text: bytes) -> bool:
        """Whether a provider's answer repeats a key of ours."""
        return any(key.encode() in text for key in self._keys.values())


def _headers(upstream: Upstream, key: str) -> tuple[Header, ...]:
    """What every request to it says of us."""
    own = [_PLAIN, *((name.lower().encode(), value.encode()) for name, value in upstream.headers.items())]
    if key:
        name, value = _KEY_OF.get(upstream.kind, (b"authorization", b"Bearer "))
        own.append((name, value + key.encode()))
    return tuple(own)


def _target(place: Place, upstream: Upstream, model: str, query: bytes) -> str:
    sent = parse_qs(query.decode("latin-1")) if query else {}
    if upstream.kind == "azure":
        if place.path in ("/chat/completions", "/embeddings"):
            version = upstream.api_version or sent.get("api-version", [_AZURE_VERSION])[0]
            return f"/openai/deployments/{_named(model)}{place.path}?api-version={_named(version)}"
        return f"/openai/v1{place.path}"
    passed = [f"{name}={_named(sent[name][0])}" for name in _PASSED.get(place.dialect, ()) if name in sent]
    return f"{place.path}?{'&'.join(passed)}" if passed else place.path


def _named(word: str) -> str:
    """A word that may stand in a path or a query as it is."""
    if (
        not word
        or len(word) > 200
        or not all(char.isascii() and (char.isalnum() or char in "._-") for char in word)
    ):
        message = "A deployment or version has characters that no path may have."
        raise ProxyError(message, reason="wrong_value", status=HTTPStatus.BAD_REQUEST)
    return word
