"""Signing keys and signatures, by joserfc. The one file that knows it; no cryptography of our own."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final

from clearance.adapters.identity.token import MOST_BYTES, Unverified
from clearance.errors import AuthenticationError, ConfigurationError, Problem

try:
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OKPKey, RSAKey
    from joserfc.jws import JWSRegistry, deserialize_compact
except ImportError as error:  # pragma: no cover
    raise ConfigurationError(
        [
            Problem(
                "missing_extra",
                "identity providers need joserfc: pip install 'clearance[identity]'",
                "clearance.yaml",
            )
        ]
    ) from error

Key = RSAKey | ECKey | OKPKey

_MOST_KEYS: Final = 100
_LEAST_RSA_BITS: Final = 2_048  # RFC 7518, section 3.3
_KEY_TYPES: Final[dict[str, type[Key]]] = {
    "RSA": RSAKey,
    "EC": ECKey,
    "OKP": OKPKey,
}  # symmetric ones are none
_PUBLIC: Final = frozenset(("kty", "kid", "use", "alg", "key_ops", "n", "e", "crv", "x", "y"))
_EDWARDS: Final = frozenset(("EdDSA", "Ed25519"))


class SigningKey:
    """One public key of an issuer, with what the issuer says it is for."""

    __slots__ = ("_key", "algorithm", "key_id", "key_type", "thumbprint")

    def __init__(self, key: Key, stated: Mapping[str, Any]) -> None:
        self._key = key
        self.key_id = str(stated.get("kid", ""))
        self.key_type = str(stated["kty"])
        self.algorithm = str(stated.get("alg", ""))
        self.thumbprint = key.thumbprint()

    def fits(self, algorithm: str) -> bool:
        """Whether it may have made a signature of that kind: a key of one kind never verifies another's."""
        kinds = {"R": "RSA", "P": "RSA", "E": "EC"}
        wanted = "OKP" if algorithm in _EDWARDS else kinds.get(algorithm[:1], "")
        return self.key_type == wanted and self.algorithm in ("", algorithm)

    def verify(self, token: Unverified, allowed: Collection[str]) -> None:
        """Raises AuthenticationError unless the signature is this key's, of an allowed algorithm."""
        check_algorithm(token.algorithm, allowed)
        try:
            deserialize_compact(token.text, self._key, registry=_registry(token.algorithm))
        except (JoseError, ValueError, TypeError):
            raise AuthenticationError(
                "The token's signature does not fit.", reason="token_signature"
            ) from None


class _Registry(JWSRegistry):
    """Of one algorithm. What else a header says is ignored, but for what `token.read` refuses."""

    max_header_length = max_payload_length = MOST_BYTES

    def get_alg(self, name: str) -> Any:
        """Without the library's warning that RFC 9864 gives EdDSA another name."""
        if name not in (self.allowed or ()):
            raise JoseError
        return self.algorithms[name]


@lru_cache(maxsize=16)
def _registry(algorithm: str) -> _Registry:
    return _Registry(algorithms=[algorithm], strict_check_header=False)


def check_algorithm(algorithm: str, allowed: Collection[str]) -> None:
    """Raises AuthenticationError."""
    if algorithm not in allowed:
        raise AuthenticationError(
            "The token is signed in a way that is not accepted here.", reason="token_algorithm"
        )


def signing_keys(document: bytes, *, use: str = "") -> list[SigningKey]:
    """The usable public keys of a JWK set; others are passed over. Raises ValueError for what is none.

    `use`: only keys that say it. Without: those that say `sig`, or nothing.
    """
    try:
        parsed = json.loads(document)
    except RecursionError:
        raise ValueError("nested too deep") from None
    listed = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise ValueError("not a set of keys")
    wanted = (use,) if use else ("sig", None)
    stated = [one for one in listed if isinstance(one, dict) and one.get("use") in wanted]
    return [key for key in map(_signing_key, stated) if key is not None]


def _signing_key(stated: Mapping[str, Any]) -> SigningKey | None:
    kind = _KEY_TYPES.get(str(stated.get("kty")))
    if kind is None or not isinstance(stated.get("kid", ""), str):
        return None
    public = {name: value for name, value in stated.items() if name in _PUBLIC - {"use", "key_ops"}}
    try:
        key = kind.import_key(public)
        made = SigningKey(key, stated)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey) and key.raw_value.key_size < _LEAST_RSA_BITS:
        return None
    return made
