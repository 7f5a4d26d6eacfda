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
_ANTHROPIC_VERSION = b"2023-06-01"  # the only one there is
_PASSED = {Dialect.MESSAGES: ("beta", "limit", "after_id", "before_id")}


class Sender:
    """Knows the providers' keys; gives them to nobody but the provider."""

    def __init__(self, settings: ModelSettings) -> None:
        """Raises ConfigurationError with every key that is not where it should be."""
        self._keys = read_keys(settings)
        self._origins = {name: Origin.of(one.base_url) for name, one in settings.upstreams.items()}

    def maker(
        self, place: Place, *, model: str, headers: list[Header], query: bytes, body: Callable[[str], bytes]
    ) -> Make:
        """Makes the request for whichever upstream is tried; `body` by the upstream's name for the model."""

        def make(name: str, upstream: Upstream) -> tuple[Origin, OutRequest]:
            base = urlsplit(upstream.base_url).path.rstrip("/")
            target = base + _target(place, upstream, model, query)
            request = OutRequest(
                method=place.method.encode(),
                target=target.encode(),
                headers=(*headers, *self._own(name, upstream, place, headers)),
                body=body(name),
            )
            return self._origins[name], request

        return make

    def holds_key(self, text: bytes) -> bool:
        """Whether a provider's answer repeats a key of ours."""
        return any(key.encode() in text for key in self._keys.values())

    def _own(self, name: str, upstream: Upstream, place: Place, headers: list[Header]) -> list[Header]:
        own = [(b"accept-encoding", b"identity")]
        if place.method == "POST":
            own.append((b"content-type", b"application/json"))
        own += [(key.lower().encode(), value.encode()) for key, value in upstream.headers.items()]
        key = self._keys.get(name, "").encode()
        if upstream.kind == "anthropic":
            if not any(header[0] == b"anthropic-version" for header in headers):
                own.append((b"anthropic-version", _ANTHROPIC_VERSION))
            return [*own, (b"x-api-key", key)] if key else own
        if not key:
            return own
        return [*own, (b"api-key", key) if upstream.kind == "azure" else (b"authorization", b"Bearer " + key)]


def _target(place: Place, upstream: Upstream, model: str, query: bytes) -> str:
    sent = parse_qs(query.decode("latin-1"))
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
