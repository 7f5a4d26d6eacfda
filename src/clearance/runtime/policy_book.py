"""The policies in force: files and the store's document, compiled together, swapped whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from clearance.core import redact
from clearance.core.policy import Document, PolicySet, compile_policies, parse_value
from clearance.errors import ConflictError, NotFoundError, PolicyError, Problem
from clearance.ports import PolicyStore, PolicyVersion

_STORED = "<store>"


class Record(Protocol):
    """How a change of the policies is recorded. Raises StoreError, and then nothing changes."""

    def __call__(self, act: str, *, by: str, target: str, details: dict[str, Any]) -> None: ...


class PolicyBook:
    """Compiles what files and the store say. Every change is checked whole before it is stored."""

    def __init__(
        self,
        store: PolicyStore,
        *,
        files: Sequence[Document] = (),
        clock: Callable[[], datetime],
        record: Record | None = None,
    ) -> None:
        """`record` is told of each change before it takes effect (`Audit.record`).

        Raises PolicyError when what is stored and what the files say do not compile together.
        """
        self._store = store
        self._files = tuple(files)
        self._clock = clock
        self._record = record
        self._lock = threading.Lock()
        self._revision = -1
        self._current = PolicySet.empty()
        self.current()

    def current(self) -> PolicySet:
        """The compiled set; recompiled when another process stored a new version."""
        revision = self._store.revision()
        if revision != self._revision:
            with self._lock:
                stored = self._store.current()
                self._current = self._compile(stored.document if stored else {})
                self._revision = stored.number if stored else 0
        return self._current

    def replace_files(self, files: Sequence[Document]) -> None:
        """Put these in the place of the files' policies. Raises PolicyError, and then nothing changes."""
        with self._lock:
            before, self._files = self._files, tuple(files)
            try:
                stored = self._store.current()
                self._current = self._compile(stored.document if stored else {})
            except PolicyError:
                self._files = before
                raise
            self._revision = stored.number if stored else 0

    def document(self) -> PolicyVersion | None:
        """The newest stored version, as it was written."""
        return self._store.current()

    def versions(self, limit: int = 50) -> list[PolicyVersion]:
        return self._store.versions(limit)

    def create(self, policy: dict[str, Any], *, by: str) -> PolicyVersion:
        """Add one policy. The same one again changes nothing.

        Raises PolicyError; ConflictError when the name stands for something else.
        """

        def add(document: dict[str, Any]) -> dict[str, Any]:
            for other in document.get("policies", []):
                if other.get("name") == policy.get("name"):
                    if other == policy:
                        return document
                    raise ConflictError(
                        "A policy of this name exists and says something else; replace it instead."
                    )
            return {**document, "policies": [*document.get("policies", []), policy]}

        return self._change(add, by=by, act="policy.create", target=_text(policy.get("name")))

    def replace(self, name: str, policy: dict[str, Any], *, by: str) -> PolicyVersion:
        """Put one policy in the place of the one of that name. Raises NotFoundError, PolicyError."""

        def swap(document: dict[str, Any]) -> dict[str, Any]:
            at = self._index(document, name)
            policies = list(document["policies"])
            policies[at] = policy
            return {**document, "policies": policies}

        return self._change(swap, by=by, act="policy.replace", target=name)

    def delete(self, name: str, *, by: str) -> PolicyVersion:
        """Take one policy out. Raises NotFoundError."""

        def drop(document: dict[str, Any]) -> dict[str, Any]:
            at = self._index(document, name)
            policies = [policy for index, policy in enumerate(document["policies"]) if index != at]
            return {**document, "policies": policies}

        return self._change(drop, by=by, act="policy.delete", target=name)

    def replace_all(self, document: dict[str, Any], *, by: str, expected: int | None = None) -> PolicyVersion:
        """Store a whole document. With `expected`, only if that is still the newest version's number.

        Raises PolicyError, ConflictError.
        """
        return self._change(lambda _: document, by=by, act="policies.replace", expected=expected)

    def _change(
        self,
        edit: Callable[[dict[str, Any]], dict[str, Any]],
        *,
        by: str,
        act: str,
        target: str = "",
        expected: int | None = None,
    ) -> PolicyVersion:
        with self._lock:
            stored = self._store.current()
            number = stored.number if stored else 0
            if expected is not None and expected != number:
                raise ConflictError(f"The policies are at version {number}, not {expected}; read them anew.")
            before = stored.document if stored else {}
            after = edit(before)
            if stored is not None and after == before:
                return stored
            compiled = self._compile(after)
            _must_hold_no_secret(after)
            details = {"version": number + 1, "before": number, "policies": compiled.version}
            if self._record is not None:
                self._record(act, by=by, target=target, details=details)
            version = self._store.replace(after, expected=number, by=by, at=self._clock())
            self._current, self._revision = compiled, version.number
            return version

    def _compile(self, document: dict[str, Any]) -> PolicySet:
        return compile_policies([*self._files, parse_value(document, _STORED)])

    @staticmethod
    def _index(document: dict[str, Any], name: str) -> int:
        for index, policy in enumerate(document.get("policies", [])):
            if policy.get("name") == name:
                return index
        raise NotFoundError(
            f"No stored policy is named {name!r}; policies from files are changed in their files."
        )


def _must_hold_no_secret(document: dict[str, Any]) -> None:
    """Raises PolicyError. It cannot be taken out silently: a policy means every word that it says."""
    if redact.clean_text(text := msgspec.json.encode(document).decode()) != text:
        message = "A policy says what looks like a credential; policies are stored and shown as they are."
        raise PolicyError([Problem("secret_in_policy", message, _STORED)])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
