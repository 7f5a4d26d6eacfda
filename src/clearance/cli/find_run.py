"""From what a person typed to one run's records: an id, the beginning of one, or `last`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from clearance.core.model import Record
from clearance.errors import NotFoundError
from clearance.ports import RunQuery

if TYPE_CHECKING:
    from clearance.sdk.backend import Backend

LAST = "last"
_PAGE = 1_000  # the most that a server lists at once
_NAMED = 10  # so many candidates are named


def find_run(backend: Backend, text: str) -> list[Record]:
    """Raises NotFoundError, also where the beginning fits several runs; those it names."""
    if text == LAST:
        newest = backend.runs(RunQuery(limit=1))
        if not newest:
            raise NotFoundError("There are no runs yet.")
        return backend.trace(newest[0].run_id)
    records = _trace(backend, text)
    if records:
        return records
    fitting = list(_beginning_with(backend, text))
    if not fitting:
        raise NotFoundError(f"No run's id begins with {text!r}; `clearance runs` lists them.")
    if len(fitting) > 1:
        named = ", ".join(fitting[:_NAMED]) + (" and more" if len(fitting) > _NAMED else "")
        raise NotFoundError(f"Several runs begin with {text!r}: {named}.")
    return backend.trace(fitting[0])


def _trace(backend: Backend, run_id: str) -> list[Record]:
    try:
        return backend.trace(run_id)
    except NotFoundError:
        return []


def _beginning_with(backend: Backend, text: str) -> Iterator[str]:
    """Newest first; stops once there are more than will be named."""
    query, found = RunQuery(limit=_PAGE), 0
    while page := backend.runs(query):
        for run in page:
            if run.run_id.startswith(text):
                yield run.run_id
                found += 1
        if len(page) < _PAGE or found > _NAMED:
            return
        query = RunQuery(limit=_PAGE, before=page[-1].started_at)
