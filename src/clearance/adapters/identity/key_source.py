"""The signing keys of one issuer, kept: asked for when they are old or one is missing, not more often."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from clearance.adapters.identity.signature import SigningKey
from clearance.adapters.identity.token import Unverified
from clearance.config import Provider
from clearance.errors import AuthenticationError

_LOG = logging.getLogger("clearance")

Fetch = Callable[[], list[SigningKey]]


class KeySource:
    """Thread-safe. `find` never blocks; `refresh` asks the issuer, one thread for all that wait."""

    def __init__(
        self, fetch: Fetch, provider: Provider, *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._provider = provider
        self._seconds = seconds
        self._asking = threading.Lock()
        self._keys: tuple[SigningKey, ...] = ()
        self._thumbprints: frozenset[str] = frozenset()
        self._answered: float | None = None  # when the issuer last told its keys
        self._asked: float | None = None  # when it was last asked, answered or not

    def find(self, token: Unverified) -> SigningKey | None:
        """The key that may have signed it; None when the issuer has to be asked first: `refresh`.

        Raises AuthenticationError when it has been asked just now, and has no such key or gave no answer.
        """
        if self._is_due():
            return None
        self._must_be_fresh()
        fitting = [key for key in self._keys if key.fits(token.algorithm)]
        # A key id is compared with those of the issuer's own keys; it is never a path, or part of a URL.
        named = [key for key in fitting if key.key_id == token.key_id] if token.key_id else fitting
        if len(named) == 1:
            return named[0]
        if self._may_ask() and not named:
            return None
        raise AuthenticationError("The token's issuer has no such key.", reason="token_key_unknown")

    def holds(self, thumbprint: str) -> bool:
        """Whether a key that verified something is still the issuer's. False also when it has to be asked."""
        return thumbprint in self._thumbprints and not self._is_due() and self._is_fresh()

    def refresh(self) -> None:
        """Ask the issuer, unless another thread just has. A failure is told by `find`."""
        before = self._asked
        with self._asking:
            if self._asked != before or not self._may_ask():
                return
            try:
                keys = tuple(self._fetch())
                self._keys, self._thumbprints = keys, frozenset(key.thumbprint for key in keys)
                self._answered = self._seconds()
            except (OSError, ValueError) as error:
                _LOG.warning("identity provider %s: no keys: %s", self._provider.name, error)
            finally:
                self._asked = self._seconds()

    def _is_due(self) -> bool:
        """Old, or never seen. While a thread asks, the others go on with what there is, if it is good."""
        answered = self._answered
        if answered is None or not self._may_ask():
            return answered is None and self._may_ask()
        is_old = self._seconds() - answered >= self._provider.refresh_seconds
        return is_old and not (self._asking.locked() and self._is_fresh())

    def _may_ask(self) -> bool:
        asked = self._asked
        return asked is None or self._seconds() - asked >= self._provider.cooldown_seconds

    def _is_fresh(self) -> bool:
        answered, provider = self._answered, self._provider
        if answered is None:
            return False
        return self._seconds() - answered < max(provider.stale_seconds, provider.refresh_seconds)

    def _must_be_fresh(self) -> None:
        if not self._is_fresh():
            raise AuthenticationError(
                f"The identity provider `{self._provider.name}` could not be asked for its keys: try again.",
                reason="issuer_unavailable",
            )
