"""People and services that rule agents."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

from clearance.adapters.store.sqlite.state.body import Body, written
from clearance.adapters.store.sqlite.state.database import Database, count_change, taken
from clearance.adapters.store.sqlite.state.remembered import Remembered
from clearance.adapters.store.sqlite.state.schema import PEOPLE
from clearance.core.model import Person
from clearance.errors import NotFoundError

SELECT: Final = "SELECT body FROM people WHERE name = ?"
OF_IDENTITY: Final = "SELECT body FROM people WHERE issuer = ? AND subject = ? AND issuer <> ''"
_UPDATE: Final = "UPDATE people SET issuer = ?, subject = ?, body = ? WHERE name = ?"
_TAKEN: Final = "A person of this name, or of this identity, exists already."
_BODY: Final = Body(Person)


class SqlitePeople:
    """PeopleStore. People asked for by name lately are remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._remembered = Remembered(database, PEOPLE, read=lambda name: self._one(SELECT, name))

    def revision(self) -> int:
        return self._database.revision(PEOPLE)

    def people(self) -> list[Person]:
        return [_BODY.read(row[0]) for row in self._database.rows("SELECT body FROM people ORDER BY name")]

    def person(self, name: str) -> Person | None:
        return self._remembered.get(name)

    def person_of(self, issuer: str, subject: str) -> Person | None:
        return self._one(OF_IDENTITY, issuer, subject)

    def add_person(self, person: Person) -> None:
        with self._database.writing("store the person") as connection:
            with taken(_TAKEN):
                insert_person(connection, person)
            count_change(connection, PEOPLE)

    def replace_person(self, person: Person) -> None:
        self.change_person(person.name, lambda _: person)

    def change_person(self, name: str, change: Callable[[Person], Person]) -> Person:
        with self._database.writing("store the person") as connection:
            row = connection.execute(SELECT, (name,)).fetchone()
            if row is None:
                raise NotFoundError("There is no person of this name.")
            person = change(_BODY.read(row[0]))
            with taken("Another person has this identity."):
                connection.execute(_UPDATE, (person.issuer, person.subject, written(person), name))
            count_change(connection, PEOPLE)
            return person

    def _one(self, select: str, *values: str) -> Person | None:
        rows = self._database.rows(select, *values)
        return _BODY.read(rows[0][0]) if rows else None


def insert_person(connection: sqlite3.Connection, one: Person) -> None:
    row = (one.name, one.issuer, one.subject, written(one))
    connection.execute("INSERT INTO people VALUES (?, ?, ?, ?)", row)
