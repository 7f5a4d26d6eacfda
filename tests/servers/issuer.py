"""A small issuer of tokens on loopback: discovery and keys over real HTTP, as wrong as tests want."""

from __future__ import annotations

import json
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

SigningKey = RSAKey | ECKey | OKPKey


@cache
def _first_key() -> RSAKey:
    """The same for every issuer of a test run: making one takes a tenth of a second."""
    return RSAKey.generate_key(2048)


class Issuer:
    """Serves until `close`. `asked` counts what was asked for; `is_down` answers every question with 503."""

    def __init__(self) -> None:
        self.keys: dict[str, SigningKey] = {"k1": _first_key()}
        self.stated: dict[str, dict[str, Any]] = {}  # members of a key's JWK, by key id
        self.discovery: dict[str, Any] = {}  # members that differ
        self.asked: dict[str, int] = {}
        self.is_down = False
        self.redirect = ""
        self.gate = threading.Event()  # cleared: answers wait
        self.gate.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked[self.path] = issuer.asked.get(self.path, 0) + 1
                issuer.gate.wait(5)
                self._answer()

            def _answer(self) -> None:
                found = None if issuer.is_down else issuer.document(self.path)
                body = json.dumps(found).encode()
                self.send_response(
                    503 if issuer.is_down else 302 if issuer.redirect else 200 if found else 404
                )
                if issuer.redirect:
                    self.send_header("Location", issuer.redirect)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def document(self, path: str) -> dict[str, Any] | None:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks", **self.discovery}
        return self.jwks() if path == "/jwks" else None

    def jwks(self, **members: str) -> dict[str, Any]:
        keys = [
            {**key.as_dict(private=False), "kid": key_id, **members, **self.stated.get(key_id, {})}
            for key_id, key in self.keys.items()
        ]
        return {"keys": keys}

    def token(
        self,
        claims: dict[str, Any] | str,
        *,
        key_id: str | None = "k1",
        header: dict[str, Any] | None = None,
        key: Any = None,
    ) -> str:
        """Signed by the issuer's key of that id, or by `key`."""
        protected = {"alg": "RS256", **({} if key_id is None else {"kid": key_id}), **(header or {})}
        payload = claims if isinstance(claims, str) else json.dumps(claims)
        registry = jws.JWSRegistry(algorithms=[protected["alg"]], strict_check_header=False)
        signing = key or self.keys[key_id or "k1"]
        return jws.serialize_compact(protected, payload, signing, registry=registry)

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
