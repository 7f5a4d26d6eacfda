"""MySQL and MariaDB: changes counted by the closure of their foreign keys, kept as typed images, undone."""

from clearance.adapters.systems.mysql.session import open_session
from clearance.adapters.systems.mysql.system import install, open_system

__all__ = ["install", "open_session", "open_system"]
