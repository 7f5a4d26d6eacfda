"""An option that takes the values of an enumeration, as they stand on the wire."""

from __future__ import annotations

from enum import StrEnum

import click


def choice_of(kind: type[StrEnum]) -> click.Choice[str]:
    """Converts to the value, a plain text: older click knows no enumerations."""
    return click.Choice([one.value for one in kind])
