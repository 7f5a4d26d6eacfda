"""Which reader reads a text of which dialect. A reader whose parser is not installed reads nothing."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module

from clearance.core.model import Classification
from clearance.core.model.effects import unknown
from clearance.core.normalize.shell import understood


class Dialect(StrEnum):
    """What a text is written in."""

    POSTGRES = "postgres"
    MYSQL = "mysql"
    SQLITE = "sqlite"
    SHELL = "shell"


def classify_text(dialect: Dialect, text: str) -> Classification:
    """By the text alone. Never raises; without the dialect's parser everything is UNKNOWN."""
    if dialect is Dialect.SHELL:
        return understood(text)
    try:
        module = import_module(f"clearance.core.classify.{dialect.value}")
    except ImportError as error:
        return unknown(f"{error.name} is not installed: pip install 'clearance[{dialect.value}]'")
    found: Classification = getattr(module, f"classify_{dialect.value}")(text)
    return found
