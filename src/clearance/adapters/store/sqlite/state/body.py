"""Whole values as JSON in one column, and back. What cannot be read was changed by somebody else."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from clearance.adapters.store.sqlite.rows import micros, moment
from clearance.errors import IntegrityError

T = TypeVar("T")


class Body(Generic[T]):
    """Fields that a newer release has added are passed over; those it has not are at their defaults."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)

    def read(self, text: Any) -> T:
        """Raises IntegrityError."""
        try:
            return self._decoder.decode(text)
        except (msgspec.MsgspecError, TypeError) as error:
            raise IntegrityError("A line of the store was changed after it was written.") from error


def written(value: object) -> str:
    """As JSON."""
    return msgspec.json.encode(value).decode()


def maybe_micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def maybe_moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)
