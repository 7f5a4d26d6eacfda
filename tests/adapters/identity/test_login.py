"""What a login believes of a provider's answer: a small one of our own, which lies as it is told."""

from __future__ import annotations

import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import RSAKey

from clearance.adapters.identity import OpenIdLogin
from clearance.adapters.identity.login import vouched
from clearance.config.login import LoginSettings
from clearance.core.model import Role
from clearance.errors import AuthenticationError
from clearance.ports import Begun

pytestmark = pytest.mark.servers  # takes its time

KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})
OTHER = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})


class Liar(ThreadingHTTPServer):
    """Answers what the test says. `asked` are the forms of its token endpoint."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = f"http://127.0.0.1:{self.server_address[1]}"
        self.metadata: dict[str, Any] = {}
        self.token: Any = {}
        self.user_info: Any = None
        self.asked: list[dict[str, str]] = []

    def document(self) -> dict[str, Any]:
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
        }
        if self.user_info is not None:
            found["userinfo_endpoint"] = f"{self.issuer}/me"
        return {**found, **self.metadata}


class _Handler(BaseHTTPRequestHandler):
    server: Liar

    def do_GET(self) -> None:
        answers = {
            "/.well-known/openid-configuration": self.server.document,
            "/jwks": lambda: {"keys": [KEY.as_dict(private=False)]},
            "/me": lambda: self.server.user_info,
        }
        self._answer(answers[self.path]())

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.asked.append({name: values[0] for name, values in parse_qs(text).items()})
        self._answer(self.server.token)

    def _answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(400 if isinstance(value, dict) and "error" in value else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def liar() -> Iterator[Liar]:
    server = Liar()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def _settings(liar: Liar, **more: Any) -> LoginSettings:
    return LoginSettings(
        provider="company",
        issuer=liar.issuer,
        client_id="clearance",
        redirect_uri="http://127.0.0.1:1/v1/login/company/callback",
        **{"roles": {"admins": Role.ADMIN}, **more},
    )


def _claims(liar: Liar, begun: Begun, **more: Any) -> dict[str, Any]:
    now = int(time.time())
    told = {
        "iss": liar.issuer,
        "aud": "clearance",
        "sub": "u1",
        "nonce": begun.nonce,
        "iat": now,
        "exp": now + 300,
        "preferred_username": "alice",
        "groups": ["admins"],
        "email": "alice@example.test",
        "email_verified": True,
    }
    return {name: value for name, value in {**told, **more}.items() if value is not None}


def _signed(claims: dict[str, Any], *, key: Any = KEY, alg: str = "RS256") -> dict[str, str]:
    header = {"alg": alg, "kid": "k1"}
    token = jwt.encode(header, claims, key, algorithms=[alg])
    return {"access_token": "opaque", "token_type": "Bearer", "id_token": token}


def _confused(claims: dict[str, Any]) -> str:
    """Signed with the public key, taken as a shared secret. The library would not even sign it."""
    parts = [{"alg": "HS256", "kid": "k1"}, claims]
    signed = ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    made = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{urlsafe_b64encode(made).rstrip(b'=').decode()}"


def _reason(login: OpenIdLogin, begun: Begun, *, issuer: str = "") -> str:
    with pytest.raises(AuthenticationError) as caught:
        login.finish("code", issuer=issuer, begun=begun)
    return caught.value.reason


def test_a_login_is_believed_and_its_code_exchanged_with_the_verifier(liar: Liar) -> None:
    login = OpenIdLogin(_settings(liar))
    begun = login.begin()
    liar.token = _signed(_claims(liar, begun))
    told = login.finish("the-code", issuer="", begun=begun)
    assert (told.subject, told.name, told.roles, told.email) == (
        "u1",
        "alice",
        (Role.ADMIN,),
        "alice@example.test",
    )
    [asked] = liar.asked
    assert asked["code"] == "the-code"
    assert f"code_challenge={create_s256_code_challenge(asked['code_verifier'])}" in begun.url
    assert asked["code_verifier"] not in begun.url


def test_nothing_of_one_login_is_that_of_another(liar: Liar) -> None:
    login = OpenIdLogin(_settings(liar))
    first, second = login.begin(), login.begin()
    assert first.state != second.state
    assert first.nonce != second.nonce
    assert first.verifier != second.verifier


@pytest.mark.parametrize(
    "lie",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.test"},
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": ["clearance", "another"]},
        {"aud": ["clearance", "another"], "azp": "another"},
        {"azp": "another"},
        {"sub": None},
        {"exp": None},
        {"iat": None},
        {"sub": 7},
    ],
    ids=str,
)
def test_an_id_token_with_a_wrong_claim_proves_nothing(lie: dict[str, Any], liar: Liar) -> None:
    login = OpenIdLogin(_settings(liar))
    begun = login.begin()
    liar.token = _signed(_claims(liar, begun, **lie))
    assert _reason(login, begun) == "login_invalid"


def test_an_id_token_that_is_over_says_so(liar: Liar) -> None:
    login = OpenIdLogin(_settings(liar))
    begun = login.begin()
    liar.token = _signed(_claims(liar, begun, exp=int(time.time()) - 60))
    assert _reason(login, begun) == "token_expired"


def test_an_id_token_signed_otherwise_proves_nothing(liar: Liar) -> None:
    login = OpenIdLogin(_settings(liar))
    begun = login.begin()
    claims = _claims(liar, begun)
    good = _signed(claims)["id_token"]
    head, body, signature = good.split(".")
    lies = [
        _signed(claims, key=OTHER)["id_token"],
        _confused(claims),
        f"eyJhbGciOiJub25lIn0.{body}.",  # alg none
        f"{head}.{body}.",
        f"{head}.{body}.{signature[::-1]}",
        "",
        "nonsense",
    ]
    for lie in lies:
        liar.token = {"access_token": "x", "token_type": "Bearer", "id_token": lie}
        assert _reason(login, begun) == "login_invalid", lie
    liar.token = {"access_token": "x", "token_type": "Bearer"}
    assert _reason(login, begun) == "login_invalid"
    liar.token = {"access_token": "x", "token_type": "Bearer", "id_token": good}
    assert login.finish("code", issuer="", begun=begun).subject == "u1"


def test_a_code_that_the_provider_refuses_is_no_login(liar: Liar) -> None:
    login = OpenIdLogin(_settings(liar))
    begun = login.begin()
    liar.token = {"error": "invalid_grant"}
    assert _reason(login, begun) == "login_invalid"


def test_an_answer_of_another_issuer_never_reaches_the_token_endpoint(liar: Liar) -> None:
    login = OpenIdLogin(_settings(liar))
    begun = login.begin()
    assert _reason(login, begun, issuer="https://evil.test") == "login_invalid"
    liar.metadata["authorization_response_iss_parameter_supported"] = True
    strict = OpenIdLogin(_settings(liar))
    assert _reason(strict, strict.begin()) == "login_invalid"
    assert liar.asked == []


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://evil.test"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"authorization_endpoint": 7},
    ],
    ids=str,
)
def test_a_discovery_document_that_does_not_fit_is_not_followed(lie: dict[str, Any], liar: Liar) -> None:
    liar.metadata.update(lie)
    with pytest.raises(AuthenticationError) as caught:
        OpenIdLogin(_settings(liar)).begin()
    assert caught.value.reason == "issuer_unavailable"


def test_a_provider_that_is_down_is_told_so(liar: Liar) -> None:
    settings = LoginSettings(
        provider="company",
        issuer="http://127.0.0.1:9",
        client_id="clearance",
        redirect_uri="http://127.0.0.1:1/v1/login/company/callback",
    )
    with pytest.raises(AuthenticationError) as caught:
        OpenIdLogin(settings).begin()
    assert caught.value.reason == "issuer_unavailable"


def test_what_the_token_lacks_is_asked_for_and_must_be_about_the_same_person(liar: Liar) -> None:
    liar.user_info = {"sub": "u1", "groups": ["admins"], "iss": "https://evil.test"}
    login = OpenIdLogin(_settings(liar))
    begun = login.begin()
    liar.token = _signed(_claims(liar, begun, groups=None))
    told = login.finish("code", issuer="", begun=begun)
    assert (told.roles, told.issuer) == ((Role.ADMIN,), liar.issuer)
    liar.user_info = {"sub": "u2", "groups": ["admins"]}
    assert _reason(login, begun) == "login_invalid"


def test_claims_mean_what_the_settings_say(liar: Liar) -> None:
    claims = {"sub": "u1", "groups": ["admins", "cooks", 7], "email": "a@x.test", "teams": "payments"}
    told = vouched(_settings(liar, teams_claim="teams"), claims)
    assert (told.roles, told.teams, told.email, told.name) == ((Role.ADMIN,), ("payments",), "", "u1")
    assert vouched(_settings(liar), {"sub": "u1"}).roles == ()
    assert vouched(_settings(liar, roles={}), claims).roles is None
    newcomer = vouched(_settings(liar, default_role=Role.VIEWER), {"sub": "u1", "groups": {"admins": 1}})
    assert newcomer.roles == (Role.VIEWER,)
