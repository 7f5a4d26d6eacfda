"""Passwords of local accounts: argon2id, by argon2-cffi. Keeps none."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from clearance.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_AT_ONCE = (
    2  # each takes 64 MiB while it runs (RFC 9106, low memory): a flood of logins must not take the rest
)


class Passwords:
    """Thread-safe. The hash is in argon2's own encoded form, its parameters included."""

    def __init__(self) -> None:
        self._at_once = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """Raises ConfigurationError where argon2-cffi is not installed."""
        with self._at_once:
            return self._hasher.hash(password)

    def fits(self, password: str, hashed: str) -> bool:
        """Without a hash, or with one that cannot be read, it takes as long and is False."""
        hasher, usable = self._hasher, hashed or self._nobodys
        from argon2.exceptions import InvalidHashError, VerificationError

        with self._at_once:
            try:
                return hasher.verify(usable, password) and bool(hashed)
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, hashed: str) -> bool:
        """Whether it was made with weaker parameters than are used now."""
        return self._hasher.check_needs_rehash(hashed)

    @cached_property
    def _hasher(self) -> PasswordHasher:
        try:
            from argon2 import PasswordHasher
            from argon2.profiles import RFC_9106_LOW_MEMORY
        except ImportError:
            missing = "argon2-cffi is not installed; pip install 'clearance[server]'"
            raise ConfigurationError([Problem("missing_package", missing)]) from None
        return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)

    @cached_property
    def _nobodys(self) -> str:
        """What a password given for nobody is compared with, so that nobody takes as long as somebody."""
        import secrets

        return self._hasher.hash(secrets.token_urlsafe(32))
