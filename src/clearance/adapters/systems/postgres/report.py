"""The report of a restore: what came of every row, counted whole and named as far as a report goes."""

# ruff: noqa: S608  names come quoted from the catalogue, numbers from the guard; values are parameters

from __future__ import annotations

from collections.abc import Sequence

from clearance.adapters.systems.postgres.connection import Connection
from clearance.adapters.systems.postgres.targets import Target
from clearance.core.model import MOST_ITEMS, Item, ItemState, Restored, RestoreMode, RestoreStatus

_STATES = {
    "restore": ItemState.RESTORED,
    "already": ItemState.ALREADY,
    "conflict": ItemState.CONFLICT,
    "skipped": ItemState.SKIPPED,
}
_ORDER = (ItemState.CONFLICT, ItemState.SKIPPED, ItemState.RESTORED, ItemState.ALREADY)


class Report:
    """Gathers while a restore goes on."""

    def __init__(self) -> None:
        self.refused = 0  # tables that cannot be restored at all
        self.numbers = dict.fromkeys(ItemState, 0)
        self._whole: list[Item] = []
        self._rows: list[Item] = []

    @property
    def conflicts(self) -> int:
        return self.numbers[ItemState.CONFLICT]

    @property
    def items(self) -> tuple[Item, ...]:
        items = sorted([*self._whole, *self._rows], key=lambda item: _ORDER.index(item.state))
        return tuple(items[:MOST_ITEMS])

    def refuse(self, target: Target, why: str) -> None:
        """Every row of a table is in conflict."""
        self.refused += 1
        self.numbers[ItemState.CONFLICT] += max(target.images, 1)
        self._whole.append(Item(resource=target.name, key="", state=ItemState.CONFLICT, why=why))

    def skip(self, target: Target, why: str) -> None:
        self.numbers[ItemState.SKIPPED] += target.images
        self._whole.append(Item(resource=target.name, key="", state=ItemState.SKIPPED, why=why))

    def read(self, connection: Connection, targets: Sequence[Target]) -> None:
        """Count the plans' entries, and name the first of each state."""
        for target in targets:
            query = (
                "SELECT state, sum(greatest(nb, na, 1))::bigint FROM "
                f"{target.plan} WHERE state <> 'same' GROUP BY state"
            )
            for state, number in connection.execute(query.encode()).fetchall():
                self.numbers[_STATES[state]] += number
                self._rows += _named(connection, target, state)


def _named(connection: Connection, target: Target, state: str) -> list[Item]:
    shown = f"SELECT shown, why FROM {target.plan} WHERE state = %s ORDER BY shown LIMIT {MOST_ITEMS}"
    rows = connection.execute(shown.encode(), (state,)).fetchall()
    return [Item(resource=target.name, key=key, state=_STATES[state], why=why) for key, why in rows]


def report_of(
    report: Report, *, snapshot_id: str, mode: RestoreMode, lost: tuple[str, ...], verified: bool
) -> Restored:
    numbers = report.numbers
    restored = numbers[ItemState.RESTORED]
    match mode:
        case RestoreMode.PLAN:
            status = RestoreStatus.PLANNED
        case _ if not report.conflicts:
            status = RestoreStatus.RESTORED
        case RestoreMode.FREE:
            status = RestoreStatus.PARTIAL
        case _:
            status, restored = RestoreStatus.CONFLICT, 0
    return Restored(
        snapshot_id=snapshot_id,
        status=status,
        restored=restored,
        already=numbers[ItemState.ALREADY],
        conflicts=numbers[ItemState.CONFLICT],
        skipped=numbers[ItemState.SKIPPED],
        items=_told(report.items, status),
        verified=verified and mode is not RestoreMode.PLAN,
        irreversible=lost,
    )


def _told(items: tuple[Item, ...], status: RestoreStatus) -> tuple[Item, ...]:
    """Where nothing was changed, no row is called restored."""
    if status is not RestoreStatus.CONFLICT:
        return items
    return tuple(item for item in items if item.state is not ItemState.RESTORED)
