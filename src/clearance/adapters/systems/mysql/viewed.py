"""Views whose text calls code that was not read: who selects from one runs that code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearance.adapters.systems.mysql.catalogue import view_texts, views
from clearance.adapters.systems.mysql.connect import Link
from clearance.core.classify.mysql import Catalogue, classify_mysql


class Viewed:
    """The views of the link's schema, and which of them are opaque, as they were when last read."""

    def __init__(self, side: Link, reviewed: Sequence[str]) -> None:
        self._side = side
        self._harmless = frozenset(name.lower() for name in reviewed)
        self._texts: dict[str, str] = {}
        self.known = Catalogue()

    def load(self) -> None:
        """Read them all, also views on views. Raises the driver's error."""
        self._texts = dict(views(self._side, self._side.schema))
        opaque: frozenset[str] = frozenset()
        while True:
            self.known = Catalogue(schema=self._side.schema, opaque=opaque, harmless=self._harmless)
            found = {
                f"{self._side.schema}.{name}".lower()
                for name, text in self._texts.items()
                if not classify_mysql(text, routines=self.known).only_reads
            }
            if found == opaque:
                return
            opaque = frozenset(found)

    def is_current(self, names: Iterable[str]) -> bool:
        """Whether what these names stand for, and what their views name in turn, is as it was read."""
        asked = self._reached(names)
        if not asked:
            return True
        now = dict(view_texts(self._side, self._side.schema, asked))
        return all(now.get(name) == self._texts.get(name) for name in asked)

    def _reached(self, names: Iterable[str]) -> list[str]:
        waiting, found = list(names), set[str]()
        while waiting:
            schema, _, name = waiting.pop().rpartition(".")
            if schema.lower() not in ("", self._side.schema.lower()):
                continue
            same = [known for known in self._texts if known.lower() == name.lower()]
            new = {name.lower() if self._side.folds_names else name, *same} - found
            found |= new
            for view in new & set(same):
                waiting += [
                    one.name for one in classify_mysql(self._texts[view], routines=self.known).objects
                ]
        return sorted(found)
