"""File and environment to settings. Knows no adapter."""

from clearance.config.settings import Settings, default_policies, load_settings, read_policy_files

__all__ = ["Settings", "default_policies", "load_settings", "read_policy_files"]
