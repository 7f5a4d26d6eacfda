"""`identity:` of clearance.yaml: who vouches for agents, and what their claims mean here. Knows no token."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from clearance.core.model import Bounds, Operation
from clearance.errors import Problem

ALGORITHMS: Final = frozenset(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
)  # asymmetric all: whoever can verify a shared secret's signature can make one
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_TRUST_DOMAIN: Final = re.compile(r"[a-z0-9._-]{1,255}")  # SPIFFE-ID, section 2.1
_MOST_LEEWAY_SECONDS: Final = 300.0
_VERBS: Final = frozenset(operation.value for operation in Operation)


class Admission(StrEnum):
    """Whether a name that no agent has is taken in when a provider vouches for it."""

    ARRIVE = "arrive"
    REGISTERED = "registered"


class SubjectKind(StrEnum):
    """What `sub` names where it is not the acting agent: on whose behalf it acts."""

    PERSON = "person"
    AGENT = "agent"
    NONE = "none"  # nobody: this provider gives its own clients a `sub` of another form


class _Keys(Struct, frozen=True, kw_only=True):
    """How the signing keys of an issuer are kept. All in seconds.

    Keys are asked for again after `refresh_seconds`; for a key that is not among them at most once in
    `cooldown_seconds`; and hold for `stale_seconds` after the last answer, where none comes.
    """

    refresh_seconds: float = 300.0
    cooldown_seconds: float = 10.0
    stale_seconds: float = 3_600.0
    timeout_seconds: float = 3.0


class OidcProvider(
    _Keys, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="oidc"
):
    """JWT access tokens of an OpenID provider. `name` is what records call it."""

    name: str
    issuer: str
    audience: tuple[str, ...]
    jwks_uri: str = ""  # where discovery is not offered
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
    token_type: str = ""  # `at+jwt` (RFC 9068): then nothing else is accepted
    agent_claim: str = ""  # without: client_id, azp, sub, the first that is there
    agent_prefix: str = ""  # before every agent's name of this provider
    subject: SubjectKind = SubjectKind.PERSON
    roles_claim: str = ""  # dotted: realm_access.roles
    roles: dict[str, tuple[str, ...]] = {}
    scopes: dict[str, Bounds] | None = None
    agents: Admission = Admission.ARRIVE
    single_use: bool = False
    leeway_seconds: float = 30.0


class SpiffeProvider(
    _Keys, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="spiffe"
):
    """SVIDs of one trust domain. Without `bundle` only certificates, by a trusted proxy."""

    name: str
    trust_domain: str
    bundle: str = ""  # a file, or an https URL
    audience: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = tuple(sorted(ALGORITHMS - {"EdDSA", "Ed25519"}))  # JWT-SVID, section 2
    agent: str = ""  # `/ns/*/sa/{agent}`; without: the path, without its first slash
    agents: Admission = Admission.ARRIVE
    leeway_seconds: float = 30.0


Provider = OidcProvider | SpiffeProvider


class IdentitySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`trusted_proxies` are networks whose `x-forwarded-client-cert` counts."""

    providers: tuple[Provider, ...] = ()
    trusted_proxies: tuple[str, ...] = ()


def read_identity(value: Any, *, file: str) -> tuple[IdentitySettings, list[Problem]]:
    """What stands there, and everything that is wrong with it."""
    problems: list[Problem] = []

    def wrong(where: str, text: str) -> None:
        problems.append(Problem("wrong_value", f"identity: {where}{text}", file))

    if not isinstance(value, Mapping):
        wrong("", "must be a mapping")
        return IdentitySettings(), problems
    for key in value:
        if key not in IdentitySettings.__struct_fields__:
            wrong("", f"`{key}` is not a setting; known: {', '.join(IdentitySettings.__struct_fields__)}")
    given, proxies = value.get("providers", ()), value.get("trusted_proxies", ())
    if not isinstance(given, list | tuple):
        wrong("", "`providers` must be a list")
        given = ()
    providers = [one for one in (_provider(each, index, wrong) for index, each in enumerate(given)) if one]
    _unlike(providers, wrong)
    settings = IdentitySettings(providers=tuple(providers), trusted_proxies=_networks(proxies, wrong))
    if settings.trusted_proxies and not any(isinstance(one, SpiffeProvider) for one in providers):
        wrong("", "`trusted_proxies` needs a provider of kind spiffe, which says whose certificates count")
    return settings, problems


_Wrong = Callable[[str, str], None]


def _provider(value: Any, index: int, wrong: _Wrong) -> Provider | None:
    """One provider whose every field fits, or None, and then told why."""
    where = f"provider {index + 1}: "
    if not isinstance(value, Mapping):
        wrong(where, "must be a mapping")
        return None
    where = f"provider `{value.get('name') or index + 1}`: "
    kinds: dict[Any, type[Provider]] = {"oidc": OidcProvider, "spiffe": SpiffeProvider}
    kind = kinds.get(value.get("kind")) if isinstance(value.get("kind"), str) else None
    if kind is None:
        wrong(where, "`kind` must be oidc or spiffe")
        return None
    listed = {key: _as_listed(kind, key, each) for key, each in value.items()}
    fits = True
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in listed:
            wrong(where, f"`{field.name}` is missing")
            fits = False
        elif field.name in listed and not _converts(listed[field.name], field.type):
            wrong(where, f"`{field.name}` has a value of the wrong type, or one that is not known")
            fits = False
    for key in set(listed) - {"kind", *kind.__struct_fields__}:
        wrong(where, f"`{key}` is not a setting; known: {', '.join(kind.__struct_fields__)}")
        fits = False
    if not fits:
        return None
    provider = msgspec.convert(listed, kind)
    _check(provider, lambda text: wrong(where, text))
    return provider


def _as_listed(kind: type[Provider], key: str, value: Any) -> Any:
    """One text where a list of texts is wanted is a list of one."""
    wanted = any(
        field.name == key and field.type == tuple[str, ...] for field in msgspec.structs.fields(kind)
    )
    return [value] if wanted and isinstance(value, str) else value


def _converts(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, _strict_bounds(kind))
    except msgspec.ValidationError:
        return False
    return True


class _ScopeBounds(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds in which a key that is misspelt does not mean "any"."""

    tools: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


def _strict_bounds(kind: Any) -> Any:
    return dict[str, _ScopeBounds] | None if kind == dict[str, Bounds] | None else kind


def _check(provider: Provider, wrong: Callable[[str], None]) -> None:
    if not provider.name:
        wrong("`name` is empty")
    for unknown in sorted(set(provider.algorithms) - ALGORITHMS):
        wrong(f"`{unknown}` is not an algorithm that is accepted; known: {', '.join(sorted(ALGORITHMS))}")
    if not provider.algorithms:
        wrong("`algorithms` is empty")
    if not 0 <= provider.leeway_seconds <= _MOST_LEEWAY_SECONDS:
        wrong(f"`leeway_seconds` is 0 to {_MOST_LEEWAY_SECONDS:g}")
    for name in ("refresh_seconds", "cooldown_seconds", "stale_seconds", "timeout_seconds"):
        if not 0 < getattr(provider, name) < float("inf"):
            wrong(f"`{name}` is a number of seconds above 0")
    if isinstance(provider, OidcProvider):
        _check_oidc(provider, wrong)
    else:
        _check_spiffe(provider, wrong)


def _check_oidc(provider: OidcProvider, wrong: Callable[[str], None]) -> None:
    for name in ("issuer", "jwks_uri"):
        url = getattr(provider, name)
        if (url or name == "issuer") and not is_safe_url(url):
            wrong(f"`{name}` must be an https URL (http on loopback only) without user, query and fragment")
    if not provider.audience or not all(provider.audience):
        wrong("`audience` names what tokens for this control point say; without it, any token would do")
    if provider.roles and not provider.roles_claim:
        wrong("`roles` needs `roles_claim`: where in the token they stand")
    for scope, bounds in (provider.scopes or {}).items():
        for verb in sorted(set(bounds.operations) - _VERBS):
            wrong(f"scope `{scope}`: `{verb}` is not an operation; known: {', '.join(sorted(_VERBS))}")


def _check_spiffe(provider: SpiffeProvider, wrong: Callable[[str], None]) -> None:
    if not _TRUST_DOMAIN.fullmatch(provider.trust_domain):
        wrong("`trust_domain` is lower-case letters, digits, `.`, `-` and `_`, without spiffe://")
    if "://" in provider.bundle and not is_safe_url(provider.bundle):
        wrong("`bundle` must be a file, or an https URL (http on loopback only)")
    if provider.bundle and not (provider.audience and all(provider.audience)):
        wrong("`audience` is missing: without it, an SVID for somebody else would do")
    if provider.agent and (provider.agent.count("{agent}") != 1 or not provider.agent.startswith("/")):
        wrong("`agent` is a path with one `{agent}`, such as /ns/*/sa/{agent}")


def _unlike(providers: list[Provider], wrong: _Wrong) -> None:
    """Two of one name cannot be told apart in records, two of one issuer not in a token."""
    kinds = [one.issuer if isinstance(one, OidcProvider) else one.trust_domain for one in providers]
    for what, values in (("name", [one.name for one in providers]), ("issuer or trust domain", kinds)):
        for value in sorted({value for value in values if values.count(value) > 1}):
            wrong("", f"two providers have the {what} `{value}`")
    prefixes = [one.agent_prefix for one in providers if isinstance(one, OidcProvider)]
    if len(set(prefixes)) < len(prefixes):
        wrong(
            "", "two providers of kind oidc need different `agent_prefix`: else either could name any agent"
        )


def _networks(value: Any, wrong: _Wrong) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        wrong("", "`trusted_proxies` must be a list")
        return ()
    good = []
    for one in value:
        try:
            network = ip_network(one if isinstance(one, str) else "")
        except ValueError:
            wrong("", f"trusted proxy `{one}` is not a network such as 10.0.0.0/8 or 10.0.0.7")
            continue
        if network.prefixlen == 0:
            wrong("", f"trusted proxy `{one}` is every address there is: anybody could send a certificate")
        good.append(str(network))
    return tuple(good)


def is_loopback_url(url: str) -> bool:
    """Whether what answers there runs on this machine."""
    return is_safe_url(url) and (urlsplit(url).hostname or "") in _LOOPBACK


def is_safe_url(url: str) -> bool:
    """https, or http to this machine; nothing in it that readers of URLs disagree about."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or port == 0 or "@" in parts.netloc or "?" in url or "#" in url or "\\" in url:
        return False
    if any(character.isspace() or not character.isprintable() for character in url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
