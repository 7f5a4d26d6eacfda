"""Views whose text calls code that was not read: who selects from one runs that code."""

from __future__ import annotations

from collections.abc import Sequence

from clearance.adapters.systems.mysql.catalogue import views
from clearance.adapters.systems.mysql.connect import Link
from clearance.core.classify.mysql import Catalogue, classify_mysql


def known_code(side: Link, reviewed: Sequence[str]) -> Catalogue:
    """The opaque views of the link's schema, also views on views. Raises the driver's error."""
    harmless = frozenset(name.lower() for name in reviewed)
    opaque: frozenset[str] = frozenset()
    texts = views(side, side.schema)
    while True:
        known = Catalogue(schema=side.schema, opaque=opaque, harmless=harmless)
        found = {
            f"{side.schema}.{name}".lower()
            for name, text in texts
            if not classify_mysql(text, routines=known).only_reads
        }
        if found == opaque:
            return known
        opaque = frozenset(found)
