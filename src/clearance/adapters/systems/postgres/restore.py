"""Putting a snapshot back: one transaction that plans, removes, inserts, verifies and marks, or does nothing.

Triggers and foreign key actions stay quiet meanwhile; so every foreign key is checked here before COMMIT.
"""

# ruff: noqa: S608  names come quoted from the catalogue, numbers from the guard; values are parameters

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from msgspec import Struct

from clearance.adapters.systems.postgres import plans
from clearance.adapters.systems.postgres.connection import Connection, reached
from clearance.adapters.systems.postgres.options import Counter, Options
from clearance.adapters.systems.postgres.report import Report, report_of
from clearance.adapters.systems.postgres.targets import (
    ForeignKey,
    Target,
    load_foreign_keys,
    load_sequences,
    load_targets,
)
from clearance.adapters.systems.postgres.unique import refuse_duplicates
from clearance.core.model import Restored, RestoreMode, RestoreStatus
from clearance.errors import NotFoundError, RecoveryError

_FIND = """
SELECT number, kind, complete, settled, irreversible, undone_by
FROM clearance_guard.snapshots WHERE snapshot_id = %s FOR UPDATE
"""
# A snapshot is undone while what undid it stands; an undo that was itself undone undoes nothing.
_UNDONE = """
WITH RECURSIVE chain AS (
    SELECT snapshot_id, undone_by, 0 AS depth FROM clearance_guard.snapshots WHERE snapshot_id = %s
    UNION ALL
    SELECT s.snapshot_id, s.undone_by, chain.depth + 1
    FROM chain JOIN clearance_guard.snapshots s ON s.snapshot_id = chain.undone_by
)
SELECT max(depth) %% 2 = 1 FROM chain
"""


class Kept(Struct, frozen=True, kw_only=True):
    """One snapshot's own row in the guard."""

    number: int
    kind: str
    complete: bool
    settled: bool
    irreversible: tuple[str, ...]
    undone_by: str | None


class _Conflict(Exception):  # noqa: N818  never leaves this module
    """A constraint of the table refuses what was to be put back."""

    def __init__(self, target: Target) -> None:
        self.target = target


def find(connection: Connection, snapshot_id: str) -> Kept:
    """Raises NotFoundError. Nobody else restores it before this transaction ends."""
    row = connection.execute(_FIND, (snapshot_id,)).fetchone()
    if row is None:
        raise NotFoundError(f"there is no snapshot `{snapshot_id}` in this database")
    number, kind, complete, settled, irreversible, undone_by = row
    return Kept(
        number=number,
        kind=kind,
        complete=complete,
        settled=settled,
        irreversible=tuple(irreversible),
        undone_by=undone_by,
    )


def is_undone(connection: Connection, snapshot_id: str) -> bool:
    row = connection.execute(_UNDONE, (snapshot_id,)).fetchone()
    return bool(row and row[0])


class Restorer:
    """One restore, in one transaction of one connection."""

    def __init__(self, connection: Connection, options: Options, *, mode: RestoreMode) -> None:
        self._connection = connection
        self._options = options
        self._mode = mode
        self._report = Report()
        self._targets: list[Target] = []

    def restore(self, snapshot_id: str, *, as_snapshot: str) -> Restored:
        """Raises NotFoundError, RecoveryError, SystemUnavailableError; then nothing was changed."""
        try:
            with reached("put rows back"):
                done = self._restored(snapshot_id, as_snapshot)
                if done.status in (RestoreStatus.RESTORED, RestoreStatus.PARTIAL):
                    self._connection.commit()
        finally:
            if not self._connection.closed:
                self._connection.rollback()
        return done

    def _restored(self, snapshot_id: str, as_snapshot: str) -> Restored:
        kept = find(self._connection, snapshot_id)
        # Netting ten thousand rows of 100 bytes takes 5 MB; the server's default of 4 MB would spill to disk.
        # Rows are found by place and key: beside a large table, a plan of ten thousand rows must not scan it.
        for setting in ("work_mem = '64MB'", "enable_seqscan = off", "jit = off"):
            self._connection.execute(f"SET LOCAL {setting}".encode())
        if is_undone(self._connection, snapshot_id):
            return Restored(snapshot_id=snapshot_id, status=RestoreStatus.ALREADY_UNDONE)
        if not kept.complete:
            raise RecoveryError(
                "fewer rows were captured than changed, so putting back would leave a mixture"
            )
        self._quiet()
        armed = self._arm(as_snapshot)
        foreign = self._prepare(kept)
        for target in self._targets:
            self._plan(target, kept)
        moved = self._put_back(foreign)
        for target in self._targets:
            refuse_duplicates(self._connection, target)
        self._report.read(self._connection, self._targets)
        verified = not self._report.conflicts or self._mode is RestoreMode.FREE
        if verified:
            self._sequences()
            self._mark(kept, armed, as_snapshot, moved)
        return report_of(
            self._report, snapshot_id=snapshot_id, mode=self._mode, lost=kept.irreversible, verified=verified
        )

    def _quiet(self) -> None:
        try:
            self._connection.execute("SET LOCAL session_replication_role = replica")
        except psycopg.errors.InsufficientPrivilege:
            raise RecoveryError(
                "the role that puts rows back may not silence triggers, which would change other rows: "
                "GRANT SET ON PARAMETER session_replication_role to it, or configure `undo_dsn`"
            ) from None

    def _arm(self, as_snapshot: str) -> int:
        row = self._connection.execute("SELECT clearance_guard.arm(%s)", (as_snapshot,)).fetchone()
        assert row is not None
        self._connection.execute(
            "SELECT set_config('clearance.snapshot', %s, true), set_config('clearance.most_rows', '', true)",
            (str(row[0]),),
        )
        return int(row[0])

    def _prepare(self, kept: Kept) -> list[ForeignKey]:
        """Choose the tables, and keep writers away from them and from their foreign keys' other ends."""
        for target in load_targets(self._connection, kept.number):
            if self._left_alone(target):
                self._report.skip(target, "the configuration leaves this table alone")
            elif not target.kind:
                self._report.refuse(target, "the table was dropped since")
            elif not target.same:
                self._report.refuse(target, "the table's columns were changed since")
            elif not target.key and kept.kind == "saved" and not kept.settled:
                self._report.refuse(target, "the table has no key, and how it stood after is not known")
            else:
                self._targets.append(target)
        relids = [target.relid for target in self._targets]
        foreign = [key for key in load_foreign_keys(self._connection, relids) if key.enforced]
        if any(key.temporal for key in foreign):
            raise RecoveryError("a foreign key over a period takes part: its check cannot be repeated here")
        names = {target.relid: target.name for target in self._targets}
        for key in foreign:
            names |= {key.child: key.child_name, key.parent: key.parent_name}
        for relid in sorted(names):
            self._run(f"LOCK TABLE {names[relid]} IN SHARE ROW EXCLUSIVE MODE")
        return foreign

    def _left_alone(self, target: Target) -> bool:
        skipped = self._options.counters.get(target.name) is Counter.SKIP
        return skipped or target.name in self._options.exclude

    def _plan(self, target: Target, kept: Kept) -> None:
        def fill(query: str) -> str:
            # Numbers alone are filled in, and not by the driver: a column may be named `%s`.
            return query.replace("%(number)s", str(kept.number)).replace("%(relid)s", str(target.relid))

        if not target.key:
            self._run(fill(plans.keyless_plan(target)))
            return
        unsettled = kept.kind == "saved" and not kept.settled
        operation = "" if unsettled else self._only_event(target, kept)
        for query in (
            *([plans.paired_plan(target, operation)] if operation else []),
            plans.keyed_plan(target, netted=False, unsettled=unsettled),
            plans.keyed_plan(target, netted=True, unsettled=unsettled),
        ):
            self._run(fill(query))
            if not self._ask(plans.repeated(target)):
                break
            self._run(f"DROP TABLE {target.plan}")
        else:
            raise RecoveryError("the images of a table do not form one story; nothing was put back")
        if unsettled:
            self._run(fill(plans.strangers(target)))
        self._run(plans.reasons(target))
        if self._options.counters.get(target.name) is Counter.REPORT:
            self._run(f"UPDATE {target.plan} SET state = 'skipped' WHERE state = 'conflict'")
        keys = ", ".join(f"k{place}" for place in range(len(target.key)))
        self._run(f"ANALYZE {target.plan} ({keys}, state, nb, na)")

    def _only_event(self, target: Target, kept: Kept) -> str:
        """The operation, where one event left one array of images a side; else nothing."""
        row = self._connection.execute(
            "SELECT operation FROM (SELECT min(operation) AS operation, count(*) AS events"
            " FROM clearance_guard.events WHERE snapshot = %(number)s AND shape = %(shape)s) e"
            f" WHERE e.events = 1 AND (SELECT coalesce(max(n), 0)"
            f" FROM (SELECT count(*) AS n FROM {target.image}"
            " WHERE snapshot = %(number)s GROUP BY sign) s) = 1".encode(),
            {"number": kept.number, "shape": target.shape},
        ).fetchone()
        return str(row[0]) if row is not None else ""

    def _put_back(self, foreign: Sequence[ForeignKey]) -> int:
        """Write until nothing is in the way: each round takes entries out, so the rounds end."""
        while True:
            if self._blocked():
                return 0
            self._hold_keyless_back()
            with self._savepoint():
                found: dict[Target, tuple[list[str], str]] = {}
                moved = self._write(found)
                self._check(foreign, found)
                if not found:
                    return moved
                self._run("ROLLBACK TO SAVEPOINT clearance_restore")
            for target, (places, why) in found.items():
                self._run(
                    f"UPDATE {target.plan} SET state = 'conflict', why = %(why)s"
                    " WHERE ctid::text = ANY (%(places)s)"
                    " OR (%(places)s::text[] = '{}' AND state = 'restore')",
                    {"why": why, "places": places},
                )

    def _blocked(self) -> bool:
        if self._mode is RestoreMode.FREE:
            return False
        return self._report.refused > 0 or self._any("conflict")

    def _any(self, state: str) -> bool:
        return any(
            self._ask(f"SELECT EXISTS (SELECT FROM {target.plan} WHERE state = %(state)s)", {"state": state})
            for target in self._targets
        )

    def _hold_keyless_back(self) -> None:
        """Rows without a key cannot be told from copies: a second restore would put them back twice."""
        if self._mode is RestoreMode.FREE and (self._report.refused or self._any("conflict")):
            for target in self._targets:
                if not target.key:
                    self._run(
                        f"UPDATE {target.plan} SET state = 'skipped',"
                        " why = 'without a key, only all or nothing'"
                        " WHERE state = 'restore'"
                    )

    def _write(self, found: dict[Target, tuple[list[str], str]]) -> int:
        """Remove, then insert, table by table; then read every entry again."""
        moved = 0
        for target in self._targets:
            moved += self._run(plans.remove(target))
        for target in self._targets:
            try:
                moved += self._inserted(target)
            except psycopg.errors.IntegrityError as error:
                self._run("ROLLBACK TO SAVEPOINT clearance_insert")
                constraint = error.diag.constraint_name or "of a column"
                found[target] = ([], f"the constraint {constraint} refuses it")
        for target in self._targets:
            places = self._places(plans.wrong(target))
            if places and target not in found:
                found[target] = (places, "a unique value is taken")
        return moved

    def _inserted(self, target: Target) -> int:
        """Where a unique value is taken, once more, so that it is seen which rows cannot return."""
        try:
            with self._savepoint("clearance_insert"):
                return self._run(plans.insert(target))
        except (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation):
            if target.rules:
                raise
            self._run("ROLLBACK TO SAVEPOINT clearance_insert")
        with self._savepoint("clearance_insert"):
            return self._run(plans.insert(target, leaving_out="ON CONFLICT DO NOTHING"))

    def _check(self, foreign: Sequence[ForeignKey], found: dict[Target, tuple[list[str], str]]) -> None:
        targets = {target.relid: target for target in self._targets}
        for key in foreign:
            checks = (
                (targets.get(self._root(key.child)), plans.orphans, f"what {key.name} names is gone"),
                (
                    targets.get(self._root(key.parent)),
                    plans.bereaved,
                    f"{key.name} of {key.child_name} names it",
                ),
            )
            for target, check, why in checks:
                if target is not None and target not in found:
                    places = self._places(check(target, key))
                    if places:
                        found[target] = (places, why)

    def _root(self, relid: int) -> int:
        return int(
            self._ask("SELECT coalesce(pg_partition_root(%(relid)s)::oid, %(relid)s)", {"relid": relid})
        )

    def _sequences(self) -> None:
        """Never behind their data, so that the next insertion does not collide. Never set back."""
        if self._mode is RestoreMode.PLAN:
            return
        targets = {target.relid: target for target in self._targets}
        for sequence in load_sequences(self._connection, list(targets)):
            plan, end = targets[sequence.relid].plan, "max" if sequence.rises else "min"
            beyond = ">" if sequence.rises else "<"
            self._run(
                f"SELECT setval('{sequence.name.replace(chr(39), chr(39) * 2)}'::regclass, r.e, true) FROM ("
                f"SELECT {end}((p.b).{sequence.column}) AS e FROM {plan} p"
                " WHERE p.state = 'restore' AND p.nb > 0) r,"
                f" {sequence.name} q WHERE r.e {beyond} q.last_value"
                " OR (r.e = q.last_value AND NOT q.is_called)"
            )

    def _mark(self, kept: Kept, armed: int, as_snapshot: str, moved: int) -> None:
        """A partial restore leaves the snapshot open, so that the rest can follow. Images of the undo itself
        are held against the rows it moved: tables that are watched no longer leave none.
        """
        images = self._ask(
            "SELECT coalesce(sum(olds + news), 0)::bigint FROM clearance_guard.events"
            " WHERE snapshot = %(armed)s",
            {"armed": armed},
        )
        if images != moved:
            self._run(
                "UPDATE clearance_guard.snapshots SET complete = false WHERE number = %(armed)s",
                {"armed": armed},
            )
        if not self._report.conflicts:
            self._run(
                "UPDATE clearance_guard.snapshots SET undone_by = %(by)s WHERE number = %(number)s",
                {"by": as_snapshot, "number": kept.number},
            )

    def _places(self, query: str) -> list[str]:
        return [row[0] for row in self._connection.execute(query.encode()).fetchall()]

    def _run(self, query: str, given: dict[str, object] | None = None) -> int:
        return max(self._connection.execute(query.encode(), given).rowcount, 0)

    def _ask(self, query: str, given: dict[str, object] | None = None) -> int:
        row = self._connection.execute(query.encode(), given).fetchone()
        assert row is not None
        return row[0] if isinstance(row[0], int) else int(row[0])

    @contextmanager
    def _savepoint(self, name: str = "clearance_restore") -> Iterator[None]:
        self._run(f"SAVEPOINT {name}")
        yield
        self._run(f"RELEASE SAVEPOINT {name}")
