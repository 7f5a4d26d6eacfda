"""`trace --verify`: recompute one run's chain. A store proves itself, a server's answer is proved here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clearance.adapters.store.checks import Problems, RunCheck
from clearance.core.model import Record
from clearance.sdk.embedded import EmbeddedBackend

if TYPE_CHECKING:
    from clearance.sdk.backend import Backend


def problems_of(records: Sequence[Record], backend: Backend) -> tuple[str, ...]:
    """What is wrong with these records, all of one run; empty when every hash fits."""
    if isinstance(backend, EmbeddedBackend):
        return backend.assembly.journal.verify(records[0].run_id).problems
    problems = Problems()
    is_whole = records[0].seq == 1
    check = RunCheck(problems) if is_whole else RunCheck(problems, after=None)
    for record in records:
        check.add(record, "server")
    return problems.all()
