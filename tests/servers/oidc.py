"""A real identity provider: npm's `oidc-provider`, installed once from its lock, one process a worker."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from tests.servers.npm import modules, node
from tests.servers.process import Server, free_port, owned_directory

HERE = Path(__file__).parent / "oidc"
SECRET = "a-secret-of-the-tests-that-is-long-enough"
NOWHERE = "http://127.0.0.1:1/v1/login/company/callback"  # a redirect that nobody follows
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@dataclass
class Provider:
    """What a test asks of it."""

    issuer: str

    def rotate(self, *, keep: bool = True) -> None:
        """Sign with a new key from now on; `keep` publishes the ones before it still."""
        httpx.post(f"{self.issuer}/admin/keys", json={"keep": keep}).raise_for_status()

    def forget_old_keys(self) -> None:
        """Publish the newest key only."""
        httpx.post(f"{self.issuer}/admin/forget", json={}).raise_for_status()

    def may_return_to(self, uri: str) -> None:
        """Let the login clients redirect there."""
        httpx.post(f"{self.issuer}/admin/redirects", json={"uri": uri}).raise_for_status()

    def token(self, agent: str, *, resource: str = "urn:clearance") -> str:
        """An access token by client credentials."""
        return str(self._told(agent, grant_type="client_credentials", resource=resource)["access_token"])

    def exchanged(self, agent: str, subject_token: str, *, resource: str = "urn:clearance") -> str:
        """A token with which `agent` acts for whoever the given one is about (RFC 8693)."""
        told = self._told(
            agent,
            grant_type=EXCHANGE,
            subject_token=subject_token,
            subject_token_type=ACCESS_TOKEN,
            resource=resource,
        )
        return str(told["access_token"])

    def users_token(self, name: str) -> str:
        """An access token of somebody for `urn:clearance`: logged in with PKCE, as an application would."""
        verifier = secrets.token_urlsafe(48)
        query = {
            "client_id": "clearance",
            "response_type": "code",
            "redirect_uri": NOWHERE,
            "scope": "openid act",
            "resource": "urn:clearance",
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        with httpx.Client(timeout=20) as browser:
            back = self.log_in(browser, str(httpx.URL(f"{self.issuer}/auth", params=query)), name)
        told = self._told(
            "clearance",
            grant_type="authorization_code",
            code=httpx.URL(back.headers["location"]).params["code"],
            code_verifier=verifier,
            redirect_uri=NOWHERE,
            resource="urn:clearance",
        )
        return str(told["access_token"])

    def _told(self, agent: str, **form: str) -> dict[str, Any]:
        answer = httpx.post(f"{self.issuer}/token", data=form, auth=(agent, SECRET), timeout=20)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def log_in(self, browser: httpx.Client, url: str, name: str) -> httpx.Response:
        """Walk a browser through the provider's pages until it is sent back; the answer that sends it."""
        answer = browser.get(url)
        for _ in range(10):
            if answer.is_redirect:
                location = str(answer.next_request.url) if answer.next_request else ""
                if not location.startswith(self.issuer):
                    return answer
                answer = browser.get(location)
                continue
            assert answer.status_code == 200, answer.text
            action = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
            assert action, answer.text
            form = {"prompt": "login", "login": name, "password": "any"}
            answer = browser.post(action[1], data=form)
        raise AssertionError("the provider never sent the browser back")


def start() -> tuple[Server, Provider]:
    """A provider that runs, and what to ask of it."""
    modules(HERE)
    port = free_port()
    directory = owned_directory("clearance-oidc-")
    server = Server([node(), HERE / "server.mjs", str(port)], directory)
    provider = Provider(f"http://127.0.0.1:{port}")
    found = f"{provider.issuer}/.well-known/openid-configuration"
    server.wait_until(lambda: httpx.get(found).raise_for_status())
    return server, provider


@pytest.fixture(scope="session")
def identity_provider() -> Iterator[Provider]:
    """One that lives as long as the worker."""
    server, provider = start()
    yield provider
    server.stop()
