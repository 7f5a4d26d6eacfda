"""File and environment to settings. Knows no adapter."""

from clearance.config.egress import EgressCredential, EgressSettings, Tunnels
from clearance.config.identity import (
    Admission,
    IdentitySettings,
    OidcProvider,
    Provider,
    SpiffeProvider,
    SubjectKind,
    is_loopback_url,
    is_safe_url,
)
from clearance.config.settings import Settings, default_policies, load_settings, read_policy_files

__all__ = [
    "Admission",
    "EgressCredential",
    "EgressSettings",
    "IdentitySettings",
    "OidcProvider",
    "Provider",
    "Settings",
    "SpiffeProvider",
    "SubjectKind",
    "Tunnels",
    "default_policies",
    "is_loopback_url",
    "is_safe_url",
    "load_settings",
    "read_policy_files",
]
