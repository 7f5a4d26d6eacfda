"""A MySQL or MariaDB database as a system: it counts, saves and restores, with a connection for each call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymysql

from clearance.adapters.systems.mysql import guard, measuring, saving
from clearance.adapters.systems.mysql.catalogue import base_tables, tables
from clearance.adapters.systems.mysql.connect import Link, code, is_ours, reaching, unavailable
from clearance.adapters.systems.mysql.environment import environment_of
from clearance.adapters.systems.mysql.options import Options, Place, read_options
from clearance.adapters.systems.mysql.records import parameters_of, statement_of
from clearance.adapters.systems.mysql.restore import restore
from clearance.adapters.systems.mysql.session import MysqlSession
from clearance.core.classify.mysql import classify_mysql
from clearance.core.model import EffectClass, Radius, Request, Restored, RestoreMode, Saved
from clearance.errors import RecoveryError
from clearance.ports import Measured, SystemInfo

_CAN = (
    "counts one UPDATE, DELETE or INSERT exactly, through foreign keys of every level, before COMMIT",
    "puts every row of such a change back bit for bit, or names what was changed since and changes nothing",
)
_CANNOT = (
    "undo DDL, TRUNCATE, REPLACE, a changed primary key, or a change of a table without one",
    "run before it is cleared what touches other engines than InnoDB, or fires a trigger",
    "set AUTO_INCREMENT back, or undo what another credential does",
)


def open_system(name: str, options: Mapping[str, Any], *, images: Path) -> MysqlSystem:  # noqa: ARG001
    """`images` is not used: copies are kept on the server, where they commit with the change itself.

    Raises ConfigurationError.
    """
    read, place = read_options(name, options)
    return MysqlSystem(name, read, place)


def install(
    options: Mapping[str, Any],
    *,
    roles: Sequence[str],  # noqa: ARG001 - rights to the guard's schema are granted by the server's own means
    undo_roles: Sequence[str],  # noqa: ARG001
) -> tuple[str, ...]:
    """Make the guard's schema and image tables. Raises ConfigurationError, SystemUnavailableError."""
    read, place = read_options("mysql", options)
    MysqlSystem("mysql", read, place).install()
    return ()


class MysqlSystem:
    """See ports.System. Nothing is shared between calls but the options."""

    def __init__(self, name: str, options: Options, place: Place) -> None:
        self._name, self._options, self._place = name, options, place

    @property
    def name(self) -> str:
        return self._name

    def install(self) -> None:
        """Make the guard's schema, and image tables for every table. Raises SystemUnavailableError."""
        with self._side() as side:
            guard.install(side)
            known = tables(side, base_tables(side, side.schema))
            guard.make_images(side, [table for table in known.values() if table.engine == "InnoDB"])

    def info(self) -> SystemInfo:
        with self._side() as side:
            return SystemInfo(
                name=self._name,
                kind="mysql",
                fingerprint=side.fingerprint,
                environment=environment_of(side, self._options),
                can=_CAN,
                cannot=_CANNOT,
            )

    def measure(self, request: Request, names: Sequence[str]) -> Measured:
        text = statement_of(request.action.arguments)
        if text:
            return self._rehearse(text, parameters_of(request.action.arguments))
        with self._pair() as (link, side):
            measured = measuring.measure(link, side, self._name, request, names, self._options)
            link.raw.rollback()
            return measured

    def _rehearse(self, text: str, parameters: object) -> Measured:
        """Run the statement and take it back, where a rollback takes it back; count it from outside else."""
        session = MysqlSession(self._name, self._options, self._place)
        try:
            return session.attempt(text, parameters, snapshot_id=f"rehearsal-{uuid4()}")
        except (pymysql.err.MySQLError, TypeError, KeyError, ValueError) as error:
            found = classify_mysql(text)
            radius = Radius(
                system=self._name,
                fingerprint=session.fingerprint,
                environment=self.info().environment,
                effects=found.effects | {EffectClass.UNKNOWN},
                unknown=(*found.unknown, f"the statement failed when it was tried (error {code(error)})"),
            )
            return Measured(radius=radius, operation=found.operation)
        finally:
            session.close()

    def save(self, request: Request, names: Sequence[str], *, snapshot_id: str) -> Saved:
        with self._pair() as (link, side):
            return saving.save(link, side, self._name, request, names, snapshot_id, self._options)

    def settle(self, snapshot_id: str) -> None:
        with self._pair() as (link, side):
            saving.settle_saved(link, side, snapshot_id)

    def verify(self, snapshot_id: str) -> Saved:
        with self._pair() as (link, side):
            return saving.verify(link, side, self._name, snapshot_id)

    def restore(self, snapshot_id: str, *, as_snapshot: str, mode: RestoreMode) -> Restored:
        with self._pair() as (link, side):
            try:
                return restore(link, side, snapshot_id, as_snapshot=as_snapshot, mode=mode)
            except pymysql.err.MySQLError as error:
                if is_ours(error):
                    raise unavailable(self._name, error) from error
                raise RecoveryError(
                    f"snapshot {snapshot_id}: the server refused a row (error {code(error)}); nothing changed"
                ) from error

    def forget(self, snapshot_id: str) -> None:
        with self._pair() as (link, _):
            kept = guard.read(link, snapshot_id)
            if kept is not None:
                guard.remove(link, kept)
            link.raw.commit()

    def close(self) -> None:
        """Nothing is kept open between calls."""

    @contextmanager
    def _side(self) -> Iterator[Link]:
        link = Link(self._name, self._place, self._options).open()
        try:
            link.raw.autocommit(True)
            with reaching(self._name):
                yield link
        finally:
            link.close()

    @contextmanager
    def _pair(self) -> Iterator[tuple[Link, Link]]:
        """A connection for the transaction, and one that reads the catalogue beside it."""
        with self._side() as side:
            guard.require(side)
            link = Link(self._name, self._place, self._options).open()
            try:
                yield link, side
            finally:
                link.close()
