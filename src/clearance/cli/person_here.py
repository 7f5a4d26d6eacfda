"""Who works on a store itself: whoever may write its files may do everything there, under their own name."""

from __future__ import annotations

import getpass
import os

from clearance.core.model import Person, PersonSource, Role
from clearance.wiring import utc_now


def local_person() -> Person:
    """`local:<os user>`, with the role admin."""
    return Person(
        name=f"local:{_user()}", created_at=utc_now(), roles=(Role.ADMIN,), source=PersonSource.LOCAL
    )


def _user() -> str:
    """By the process's own user id where that has a name: LOGNAME and USER are what anybody sets."""
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        pass
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return str(os.geteuid()) if hasattr(os, "geteuid") else "unknown"
