"""A segment's own line: its name, where it takes over the chain, and, once sealed, where it hands it on."""

from __future__ import annotations

import hashlib
import sqlite3

import msgspec
from msgspec import Struct

from clearance.adapters.store.sqlite.schema import VERSION
from clearance.errors import IntegrityError, StoreError


class Meta(Struct, frozen=True, kw_only=True):
    """`previous` is empty in a journal's first segment; `next` is empty while the segment takes records."""

    version: int = VERSION
    name: str
    previous: str = ""
    genesis_position: int = 0
    genesis_chain: str
    next: str = ""
    final_position: int = 0
    final_chain: str = ""

    def digest(self) -> str:
        """SHA-256, in hex, over the JSON array of every field: a changed field is noticed."""
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.astuple(self))).hexdigest()

    @property
    def is_sealed(self) -> bool:
        return self.next != ""


_COLUMNS = (
    "version, name, previous, genesis_position, genesis_chain, next, final_position, final_chain, digest"
)


def read_meta(connection: sqlite3.Connection) -> Meta:
    """Raises StoreError for a newer version, IntegrityError for a line that was changed."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM meta").fetchone()  # noqa: S608 - a constant
    if row is None:
        raise IntegrityError("A segment of the journal has lost its first line: restore a copy.")
    require_known(row[0])
    meta = Meta(**dict(zip(Meta.__struct_fields__, row, strict=False)))
    if meta.digest() != row[-1] or (meta.is_sealed and meta.next <= meta.name):
        raise IntegrityError("The first line of a journal segment was changed after it was written.")
    return meta


def insert_meta(connection: sqlite3.Connection, meta: Meta) -> None:
    values = (*msgspec.structs.astuple(meta), meta.digest())
    connection.execute("INSERT INTO meta VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def update_sealed(connection: sqlite3.Connection, meta: Meta) -> None:
    connection.execute(
        "UPDATE meta SET next = ?, final_position = ?, final_chain = ?, digest = ?",
        (meta.next, meta.final_position, meta.final_chain, meta.digest()),
    )


def require_known(version: object, *, known: int = VERSION) -> None:
    """Refuse a file that a newer release has made. Raises StoreError."""
    if not isinstance(version, int) or version > known:
        raise StoreError(
            f"The store has format {version!r}; this release knows up to {known}. Upgrade clearance."
        )
