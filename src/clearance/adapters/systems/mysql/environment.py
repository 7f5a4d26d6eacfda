"""Which environment a server is: what the options say of its fingerprint, then the marker it carries."""

from __future__ import annotations

from clearance.adapters.systems.mysql import guard
from clearance.adapters.systems.mysql.connect import Link
from clearance.adapters.systems.mysql.options import Options
from clearance.core.model import Environment


def environment_of(link: Link, options: Options) -> Environment:
    """UNKNOWN, which counts as production, where nothing tells."""
    named = options.environments.get(link.fingerprint)
    return named if named is not None else guard.environment(link)
