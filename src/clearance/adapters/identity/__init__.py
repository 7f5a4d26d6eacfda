"""Credentials to principals."""

from clearance.adapters.identity.api_key import ApiKeyIdentity, new_key

__all__ = ["ApiKeyIdentity", "new_key"]
