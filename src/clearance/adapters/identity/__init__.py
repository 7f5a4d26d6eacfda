"""Who asks: credentials in, an agent or a person out."""

from clearance.adapters.identity.api_key import KeyIdentity, new_key

__all__ = ["KeyIdentity", "new_key"]
