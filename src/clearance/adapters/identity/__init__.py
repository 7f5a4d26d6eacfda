"""Who asks: credentials in, an agent or a person out."""

from clearance.adapters.identity.api_key import KeyIdentity, new_key
from clearance.adapters.identity.build import Proofs, proofs
from clearance.adapters.identity.delegation import Delegations
from clearance.adapters.identity.login import OpenIdLogin, open_logins
from clearance.adapters.identity.passwords import Passwords
from clearance.adapters.identity.standing import Standing

__all__ = [
    "Delegations",
    "KeyIdentity",
    "OpenIdLogin",
    "Passwords",
    "Proofs",
    "Standing",
    "new_key",
    "open_logins",
    "proofs",
]
