"""PostgreSQL as a system: statements counted and captured inside their own transaction, and put back."""

from clearance.adapters.systems.postgres.install import install, uninstall
from clearance.adapters.systems.postgres.open import open_session, open_system

__all__ = ["install", "open_session", "open_system", "uninstall"]
