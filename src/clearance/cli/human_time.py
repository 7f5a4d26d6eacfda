"""Times as people say them: `in 12 min`, `3 min ago`. Pure."""

from __future__ import annotations

from datetime import datetime

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def span(seconds: float) -> str:
    """A length of time in its two largest units, the second only where the first is small.

    >>> [span(seconds) for seconds in (0.4, 59, 720, 5400, 7200, 200_000)]
    ['0 s', '59 s', '12 min', '1 h 30 min', '2 h', '2 d 7 h']
    """
    whole = int(abs(seconds))
    for index, (size, unit) in enumerate(_STEPS):
        if whole >= size:
            many, rest = divmod(whole, size)
            more = rest // _STEPS[index + 1][0] if size >= 3_600 else 0
            return f"{many} {unit}" + (f" {more} {_STEPS[index + 1][1]}" if more else "")
    return "0 s"


def relative(at: datetime, now: datetime) -> str:
    """When that is, from now.

    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 7, 14, 12, 0, tzinfo=UTC)
    >>> relative(now + timedelta(minutes=12), now), relative(now - timedelta(minutes=3), now)
    ('in 12 min', '3 min ago')
    """
    seconds = (at - now).total_seconds()
    return f"in {span(seconds)}" if seconds > 0 else f"{span(seconds)} ago"


def minute(at: datetime | None, *, otherwise: str = "") -> str:
    """A time to the minute, UTC; `otherwise` where there is none.

    >>> minute(None, otherwise="never")
    'never'
    """
    return f"{at:%Y-%m-%d %H:%M}" if at else otherwise
