"""People and services that rule agents."""

from __future__ import annotations

from collections.abc import Callable

from clearance.adapters.store.memory_state.counted import Counted
from clearance.core.model import Person
from clearance.errors import ConflictError, NotFoundError


class MemoryPeople(Counted):
    """PeopleStore."""

    def __init__(self) -> None:
        super().__init__()
        self._people: dict[str, Person] = {}

    def people(self) -> list[Person]:
        with self._lock:
            return sorted(self._people.values(), key=lambda person: person.name)

    def person(self, name: str) -> Person | None:
        return self._people.get(name)

    def person_of(self, issuer: str, subject: str) -> Person | None:
        with self._lock:
            found = (one for one in self._people.values() if (one.issuer, one.subject) == (issuer, subject))
            return next(found, None) if issuer else None

    def add_person(self, person: Person) -> None:
        with self._lock:
            if person.name in self._people or self.person_of(person.issuer, person.subject) is not None:
                raise ConflictError("A person of this name, or of this identity, exists already.")
            self._people[person.name] = person
            self._revision += 1

    def replace_person(self, person: Person) -> None:
        self.change_person(person.name, lambda _: person)

    def change_person(self, name: str, change: Callable[[Person], Person]) -> Person:
        with self._lock:
            before = self._people.get(name)
            if before is None:
                raise NotFoundError("There is no person of this name.")
            person = change(before)
            same = self.person_of(person.issuer, person.subject)
            if same is not None and same.name != name:
                raise ConflictError("Another person has this identity.")
            self._people[name] = person
            self._revision += 1
            return person
