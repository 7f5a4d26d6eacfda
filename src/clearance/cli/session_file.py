"""Sessions of this user, by server: one file that nobody else may read."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from clearance.errors import StoreError

_MODE = 0o600


def path() -> Path:
    """`$XDG_CONFIG_HOME/clearance/sessions.json`."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "clearance" / "sessions.json"


def session_of(url: str) -> str:
    """The session for exactly this server; empty without one. Raises StoreError where others may read it."""
    return _read().get(_server(url), "")


def keep(url: str, session: str) -> None:
    """Write it, in the place of the one before."""
    _write({**_read(), _server(url): session})


def forget(url: str) -> None:
    """Take it out, if it is there."""
    kept = _read()
    if kept.pop(_server(url), None) is not None:
        _write(kept)


def _server(url: str) -> str:
    """Scheme, host and port: a session goes to no other."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _read() -> dict[str, str]:
    try:
        with path().open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise StoreError(f"Others may read {path()}; delete it, and log in again.")
            return msgspec.json.decode(file.read(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError(f"{path()} cannot be read ({type(error).__name__}).") from None


def _write(sessions: dict[str, str]) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    file = path()
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(msgspec.json.encode(sessions))
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StoreError(f"{file} cannot be written ({type(error).__name__}).") from None
