"""A point in time on the command line: `45m`, `2h`, `3d` ago, or an ISO time, UTC without a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_AGO = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_option(value: str) -> datetime:
    """Aware UTC. Raises BadParameter."""
    try:
        return moment(value, now=datetime.now(UTC))
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{value!r} is no time; write 45m, 2h, 3d or 2026-07-14T09:00.") from None


def moment(text: str, *, now: datetime) -> datetime:
    """Raises ValueError or OverflowError.

    >>> now = datetime(2026, 7, 14, 12, 0, tzinfo=UTC)
    >>> moment("2h", now=now).isoformat(), moment("2026-07-14T09:00+02:00", now=now).isoformat()
    ('2026-07-14T10:00:00+00:00', '2026-07-14T07:00:00+00:00')
    """
    ago = _AGO.fullmatch(text.strip().lower())
    if ago:
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    at = datetime.fromisoformat(text.strip())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
