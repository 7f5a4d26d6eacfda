"""Login at an OpenID provider: authorization code with PKCE. Authlib and joserfc do what is cryptography."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import httpx

from clearance.config.login import LoginSettings, read_logins
from clearance.core.model import Role
from clearance.errors import AuthenticationError, ConfigurationError, Problem
from clearance.ports import Begun, Vouched

_SIGNED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SECONDS = 5.0
_METADATA_SECONDS = 3_600.0
_LEEWAY_SECONDS = 30
_MOST_GROUPS = 1_000
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class OpenIdLogin:
    """LoginProvider. Keys are fetched for every login: people log in rarely, and keys change."""

    def __init__(self, settings: LoginSettings) -> None:
        self._settings = settings
        self._secret = settings.secret()
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._read_at = 0.0

    def begin(self) -> Begun:
        """Raises AuthenticationError (`issuer_unavailable`)."""
        endpoint = self._known("authorization_endpoint")
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        with self._client() as client:
            url, state = client.create_authorization_url(
                endpoint, state=secrets.token_urlsafe(32), code_verifier=verifier, nonce=nonce
            )
        return Begun(url=url, state=state, nonce=nonce, verifier=verifier)

    def finish(self, code: str, *, issuer: str, begun: Begun) -> Vouched:
        """Raises AuthenticationError: `issuer_unavailable`, or what is wrong with the token."""
        self._must_be_from(issuer)
        tokens = self._exchanged(code, begun)
        claims = self._verified(str(tokens.get("id_token", "")), begun.nonce)
        wanted = {self._settings.groups_claim, self._settings.teams_claim, self._settings.name_claim, "email"}
        if wanted - {""} - claims.keys() and self._document().get("userinfo_endpoint"):
            claims = {**self._user_info(str(tokens.get("access_token", "")), claims["sub"]), **claims}
        return vouched(self._settings, claims)

    def _must_be_from(self, issuer: str) -> None:
        """RFC 9207: an answer of another provider is not for this one's token endpoint."""
        must_say = self._document().get("authorization_response_iss_parameter_supported") is True
        if issuer != self._settings.issuer and (issuer or must_say):
            raise AuthenticationError("The answer is another provider's.", reason="login_invalid")

    def _exchanged(self, code: str, begun: Begun) -> Mapping[str, Any]:
        from authlib.integrations.base_client.errors import OAuthError

        endpoint = self._known("token_endpoint")
        try:
            with self._client() as client:
                answer: Mapping[str, Any] = client.fetch_token(
                    endpoint, grant_type="authorization_code", code=code, code_verifier=begun.verifier
                )
        except OAuthError:
            message = "The identity provider does not take this login; begin it anew."
            raise AuthenticationError(message, reason="login_invalid") from None
        except (httpx.HTTPError, ValueError):
            raise self._unavailable() from None
        return answer

    def _verified(self, token: str, nonce: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import ExpiredTokenError, JoseError
        from joserfc.jwk import KeySet

        try:
            keys = KeySet.import_key_set(self._fetched(self._known("jwks_uri")))  # type: ignore[arg-type]
            read = jwt.decode(token, keys, algorithms=list(_SIGNED))
            registry = jwt.JWTClaimsRegistry(
                now=int(time.time()),
                leeway=_LEEWAY_SECONDS,
                iss={"essential": True, "value": self._settings.issuer},
                aud={"essential": True, "value": self._settings.client_id},
                nonce={"essential": True, "value": nonce},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
            )
            registry.validate(read.claims)
        except ExpiredTokenError:
            raise AuthenticationError("The id token's time is over.", reason="token_expired") from None
        except (JoseError, ValueError, TypeError, KeyError):
            raise AuthenticationError("The id token proves nothing here.", reason="login_invalid") from None
        several = isinstance(read.claims["aud"], list) and len(read.claims["aud"]) > 1
        if read.claims.get("azp", None if several else self._settings.client_id) != self._settings.client_id:
            raise AuthenticationError("The id token is for somebody else.", reason="login_invalid")
        return dict(read.claims)

    def _user_info(self, access_token: str, subject: str) -> dict[str, Any]:
        told = self._fetched(self._known("userinfo_endpoint"), bearer=access_token)
        if told.get("sub") != subject:
            raise AuthenticationError("The provider told of somebody else.", reason="login_invalid")
        return told

    def _client(self) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client

        return OAuth2Client(
            client_id=self._settings.client_id,
            client_secret=self._secret or None,
            token_endpoint_auth_method="client_secret_basic" if self._secret else "none",
            scope=" ".join(self._settings.scopes),
            redirect_uri=self._settings.redirect_uri,
            code_challenge_method="S256",
            timeout=_SECONDS,
        )

    def _known(self, endpoint: str) -> str:
        return str(self._document()[endpoint])

    def _document(self) -> dict[str, Any]:
        """The provider's metadata, read again after an hour."""
        with self._lock:
            if not self._metadata or time.monotonic() - self._read_at > _METADATA_SECONDS:
                url = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
                found = self._fetched(url)
                usable = all(self._is_safe(found.get(name)) for name in _ENDPOINTS)
                if found.get("issuer") != self._settings.issuer or not usable:
                    raise self._unavailable()
                self._metadata, self._read_at = found, time.monotonic()
            return self._metadata

    def _is_safe(self, url: object) -> bool:
        """As safe as the issuer itself: plain http only where that is on loopback."""
        scheme = urlsplit(url).scheme if isinstance(url, str) else ""
        return scheme in {"https", urlsplit(self._settings.issuer).scheme}

    def _fetched(self, url: str, *, bearer: str = "") -> dict[str, Any]:
        headers = {"accept": "application/json"} | ({"authorization": f"Bearer {bearer}"} if bearer else {})
        try:
            answer = httpx.get(url, headers=headers, timeout=_SECONDS).raise_for_status().json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            raise self._unavailable() from None
        if not isinstance(answer, dict):
            raise self._unavailable()
        return answer

    def _unavailable(self) -> AuthenticationError:
        text = f"The identity provider `{self._settings.provider}` could not be asked; try again."
        return AuthenticationError(text, reason="issuer_unavailable")


def open_logins(given: Sequence[Any]) -> dict[str, OpenIdLogin]:
    """The providers of the `login:` section, by name; none is asked yet. Raises ConfigurationError."""
    read = read_logins(given)
    if read and (find_spec("authlib") is None or find_spec("joserfc") is None):
        missing = "authlib is not installed; pip install 'clearance[server]'"
        raise ConfigurationError([Problem("missing_package", missing)])
    return {settings.provider: OpenIdLogin(settings) for settings in read}


def vouched(settings: LoginSettings, claims: Mapping[str, Any]) -> Vouched:
    """What verified claims mean here."""
    email = claims.get("email") if claims.get("email_verified") is True else ""
    name = claims.get(settings.name_claim) or email or claims["sub"]
    return Vouched(
        provider=settings.provider,
        issuer=settings.issuer,
        subject=str(claims["sub"]),
        name=str(name),
        email=email if isinstance(email, str) else "",
        roles=_roles(settings, _texts(claims.get(settings.groups_claim))),
        teams=_texts(claims.get(settings.teams_claim)) if settings.teams_claim else None,
        newcomers=_newcomers(settings),
    )


def _roles(settings: LoginSettings, groups: tuple[str, ...]) -> tuple[Role, ...] | None:
    """None where nothing here says what a group may do."""
    if not settings.roles:
        return None
    found = tuple(settings.roles[group] for group in groups if group in settings.roles)
    return found or _newcomers(settings)


def _newcomers(settings: LoginSettings) -> tuple[Role, ...]:
    return () if settings.default_role is None else (settings.default_role,)


def _texts(claim: object) -> tuple[str, ...]:
    if isinstance(claim, str):
        return (claim,)
    if not isinstance(claim, list):
        return ()
    return tuple(one for one in claim[:_MOST_GROUPS] if isinstance(one, str))
