"""Credentials, and the tokens that were used: only ever hashes and ids.

A key of a release before the brake whose scope was `admin` is a service token here, under its old id. Its
text still begins with `clr_`: look a credential up by its id, and judge it by its kind, not by the prefix.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from clearance.adapters.store.sqlite.rows import micros
from clearance.adapters.store.sqlite.state.body import Body, written
from clearance.adapters.store.sqlite.state.database import Database, count_change, taken
from clearance.adapters.store.sqlite.state.remembered import Remembered
from clearance.adapters.store.sqlite.state.schema import CREDENTIALS, ENDED_CREDENTIALS
from clearance.core.model import Credential, CredentialKind
from clearance.errors import NotFoundError

SELECT: Final = "SELECT body FROM credentials WHERE credential_id = ?"
SWEEP: Final = "DELETE FROM used_tokens WHERE until <= ?"
_BODY: Final = Body(Credential)


class SqliteCredentials:
    """CredentialStore. Credentials asked for lately are remembered until any of them ends before its time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered = Remembered(database, ENDED_CREDENTIALS, read=self._read)

    def revision(self) -> int:
        return self._database.revision(CREDENTIALS)

    def credentials(self, kind: CredentialKind | None = None, subject: str = "") -> list[Credential]:
        select, values = listing(kind, subject)
        return [_BODY.read(row[0]) for row in self._database.rows(select, *values)]

    def credential(self, credential_id: str) -> Credential | None:
        return self._remembered.get(credential_id)

    def add_credential(self, credential: Credential) -> None:
        with self._database.writing("store the credential") as connection:
            with taken("A credential of this id exists already."):
                insert_credential(connection, credential)
            count_change(connection, CREDENTIALS)

    def revoke_credential(self, credential_id: str, at: datetime) -> None:
        self._change(credential_id, lambda one: replace(one, revoked_at=one.revoked_at or at))

    def expire_credential(self, credential_id: str, at: datetime) -> None:
        def ended(one: Credential) -> Credential:
            return replace(one, expires_at=at if one.expires_at is None else min(one.expires_at, at))

        self._change(credential_id, ended)

    def use_once(self, issuer: str, token_id: str, *, until: datetime, at: datetime) -> bool:
        insert = "INSERT INTO used_tokens VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        with self._database.writing("store that a token was used") as connection:
            connection.execute(SWEEP, (micros(at),))
            return connection.execute(insert, (issuer, token_id, micros(until))).rowcount == 1

    def _read(self, credential_id: str) -> Credential | None:
        rows = self._database.rows(SELECT, credential_id)
        return _BODY.read(rows[0][0]) if rows else None

    def _change(self, credential_id: str, change: Callable[[Credential], Credential]) -> None:
        update = "UPDATE credentials SET body = ? WHERE credential_id = ?"
        with self._database.writing("end the credential") as connection:
            row = connection.execute(SELECT, (credential_id,)).fetchone()
            if row is None:
                raise NotFoundError("There is no key of this id.")
            before = _BODY.read(row[0])
            after = change(before)
            if after != before:
                connection.execute(update, (written(after), credential_id))
                count_change(connection, CREDENTIALS, ENDED_CREDENTIALS)


def insert_credential(connection: sqlite3.Connection, one: Credential) -> None:
    row = (one.credential_id, one.kind.value, one.subject, micros(one.created_at), written(one))
    connection.execute("INSERT INTO credentials VALUES (?, ?, ?, ?, ?)", row)


def listing(kind: CredentialKind | None, subject: str) -> tuple[str, list[str]]:
    """The query for those of a kind, of a subject, of both or all."""
    given = {"kind": kind.value if kind else "", "subject": subject}
    tests = [f"{name} = ?" for name, value in given.items() if value]
    where = f"WHERE {' AND '.join(tests)}" if tests else ""
    select = f"SELECT body FROM credentials {where} ORDER BY created_at, credential_id"  # noqa: S608 - own words
    return select, [value for value in given.values() if value]
