"""How many examples a property is tried on: `make check`, which people wait for, tries a quarter of them."""

from __future__ import annotations

from hypothesis import settings

ALL = 100  # what hypothesis tries where nothing is said
CHECK = settings(max_examples=ALL // 4)  # the profile `check`; `make test` has all


def examples(count: int) -> int:
    """`count`, or as much less of it as the profile has."""
    return max(1, count * settings.default.max_examples // ALL)
