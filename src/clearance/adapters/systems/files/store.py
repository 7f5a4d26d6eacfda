"""Snapshots on the disk: one index, one pack, one lock for all processes. Knows nothing of the saved tree.

Order of every save: bytes appended, pack fsynced, index committed (synchronous=FULL). Only then is it there.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct

from clearance.adapters.systems.files.content import Content, Identity, digest_of
from clearance.adapters.systems.files.entry import Change, Manifest, decode, decode_change, encode
from clearance.adapters.systems.files.pack import ALONE, Pack
from clearance.core.model import Saved
from clearance.errors import NotFoundError, RecoveryError

_BUSY_SECONDS = 30.0
_RACY_NS = 100_000_000  # coarser than the clock tick of any kernel (10 ms): a later write may share its ctime


class Stored(Struct, frozen=True, kw_only=True):
    """One snapshot. `after` holds what differs from `before` at the action's end; None: not noted.

    One taken `by_hand` belongs to no action: whatever differs from it is put back.
    """

    saved: Saved
    taken_ns: int
    before: Manifest
    after: Change | None
    by_hand: bool
    undone: bool


class Store:
    """Thread-safe, and safe to share between processes."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        self.directory = directory
        self._turn = threading.RLock()
        self._inside = 0
        self._closed = False
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._pack = Pack(directory)
        self._db = sqlite3.connect(
            directory / "index.sqlite",
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_SECONDS,
        )
        with self.alone():
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(files(__package__).joinpath("index.sql").read_text("utf-8"))
            self._remove_orphans()
        self._recent: tuple[int, dict[Identity, Content]] = (-1, {})

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other thread and no other process is inside."""
        with self._turn:
            if not self._inside:  # a lock on a file does not count how often it was taken
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._inside += 1
            try:
                yield
            except sqlite3.Error as error:
                raise RecoveryError(f"the snapshots in {self.directory} cannot be used: {error}") from None
            finally:
                self._inside -= 1
                if not self._inside:
                    fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _remove_orphans(self) -> None:
        """Shared copies that a crash left before the index knew them."""
        for path in self.directory.glob("*.blob"):
            digest = bytes.fromhex(path.stem)
            if not self._db.execute("SELECT 1 FROM blobs WHERE digest = ?", [digest]).fetchone():
                path.unlink(missing_ok=True)

    @contextmanager
    def writing(self) -> Iterator[Batch]:
        """A batch that is kept only by its own `keep`."""
        with self.alone():
            self._sweep()
            self._pack.begin(self._length())
            yield Batch(self._db, self._pack)

    def find(self, snapshot_id: str) -> Stored:
        """Raises NotFoundError, RecoveryError."""
        with self.alone():
            row = self._db.execute(
                'SELECT saved, taken_ns, "before", "after", by_hand, undone FROM snapshots WHERE id = ?',
                [snapshot_id],
            ).fetchone()
            if row is None:
                raise NotFoundError(f"there is no snapshot `{snapshot_id}` here")
            return Stored(
                saved=msgspec.msgpack.decode(row[0], type=Saved),
                taken_ns=row[1],
                before=self._manifest(row[2]),
                after=None if row[3] is None else decode_change(self._held(row[3])),
                by_hand=bool(row[4]),
                undone=bool(row[5]),
            )

    def has(self, snapshot_id: str) -> bool:
        with self._turn:
            return bool(self._db.execute("SELECT 1 FROM snapshots WHERE id = ?", [snapshot_id]).fetchone())

    def _manifest(self, blob: int) -> Manifest:
        return decode(self._held(blob))

    def _held(self, blob: int) -> bytes:
        row = self._db.execute("SELECT digest, place, length FROM blobs WHERE id = ?", [blob]).fetchone()
        return self._pack.whole(*row)

    def _length(self) -> int:
        return int(self._db.execute("SELECT length FROM pack").fetchone()[0])

    def known(self, fingerprint: str) -> Mapping[Identity, Content]:
        """What the largest of the latest snapshots read, by the identity of each file at that time."""
        with self.alone():
            rows = self._db.execute(
                'SELECT number, taken_ns, "before", saved FROM snapshots ORDER BY number DESC LIMIT 20'
            ).fetchall()
            saved = [(msgspec.msgpack.decode(row[3], type=Saved), row) for row in rows]
            fitting = [(one.count, row) for one, row in saved if one.fingerprint == fingerprint]
            if not fitting:
                return {}
            _, (_, taken_ns, blob, _) = max(fitting, key=lambda pair: (pair[0], pair[1][0]))
            if self._recent[0] != blob:
                manifest = self._manifest(blob)
                contents = _contents(manifest, taken_ns)
                files = sum(entry.is_file and entry.nlink == 1 for entry in manifest.entries.values())
                if len(contents) < files:  # a later snapshot of the same state will know more
                    return contents
                self._recent = (blob, contents)
            return self._recent[1]

    def note_after(self, snapshot_id: str, after: Change) -> None:
        """The first is kept."""
        with self.writing() as batch:
            blob = batch.add(encode(after))
            with batch.kept([blob]):
                self._db.execute(
                    'UPDATE snapshots SET "after" = ? WHERE id = ? AND "after" IS NULL',
                    [batch.id_of(blob), snapshot_id],
                )

    def begun(self, snapshot_id: str) -> str | None:
        """The id that what is replaced is kept under, where a restore began and did not end."""
        with self._turn:
            row = self._db.execute("SELECT as_snapshot FROM restores WHERE id = ?", [snapshot_id]).fetchone()
            return None if row is None else str(row[0])

    def finish(self, snapshot_id: str, *, undone: bool) -> None:
        """A restore has ended and is on the disk; not `undone` where something was left out of it."""
        with self.alone(), self._transaction():
            self._db.execute("DELETE FROM restores WHERE id = ?", [snapshot_id])
            self._db.execute("UPDATE snapshots SET undone = ? WHERE id = ?", [int(undone), snapshot_id])

    def read(self, digest: bytes) -> Iterator[bytes]:
        """A blob's bytes in parts. Raises RecoveryError."""
        yield from self._pack.read(*self._blob(digest))

    def share(self, digest: bytes, target: int) -> bool:
        """Whether the open, empty file now shares the blob's blocks."""
        return self._blob(digest)[1] == ALONE and self._pack.share(digest, target)

    def _blob(self, digest: bytes) -> tuple[bytes, int, int]:
        with self._turn:
            row = self._db.execute(
                "SELECT digest, place, length FROM blobs WHERE digest = ?", [digest]
            ).fetchone()
        if row is None:
            raise RecoveryError("a saved file is missing from the store")
        return bytes(row[0]), int(row[1]), int(row[2])

    def check(self, digests: Sequence[bytes]) -> None:
        """Read every one of these whole. Raises RecoveryError."""
        with self.alone():
            for digest in digests:
                for _ in self._pack.read(*self._blob(digest)):
                    pass

    def forget(self, snapshot_id: str) -> None:
        """Remove a snapshot, and every byte that no other one needs."""
        with self.alone():
            row = self._db.execute(
                'SELECT "before", "after" FROM snapshots WHERE id = ?', [snapshot_id]
            ).fetchone()
            if row is None:
                return
            with self._transaction():
                self._db.execute("DELETE FROM restores WHERE id = ?", [snapshot_id])
                self._db.execute("DELETE FROM snapshots WHERE id = ?", [snapshot_id])
                for manifest in row:
                    self._drop(manifest)
            self._recent = (-1, {})
            self._sweep()

    def _drop(self, manifest: int | None) -> None:
        """One manifest's blobs, those still needed left out."""
        if manifest is None or self._needed(manifest):
            return
        blobs = [row[0] for row in self._db.execute("SELECT blob FROM uses WHERE manifest = ?", [manifest])]
        self._db.execute("DELETE FROM uses WHERE manifest = ?", [manifest])
        for blob in (*blobs, manifest):
            if not self._needed(blob):
                self._db.execute(
                    "INSERT INTO dead SELECT digest, place, length FROM blobs WHERE id = ?", [blob]
                )
                self._db.execute("DELETE FROM blobs WHERE id = ?", [blob])

    def _needed(self, blob: int) -> bool:
        asked = (
            'SELECT 1 FROM snapshots WHERE "before" = ?1 '
            'UNION ALL SELECT 1 FROM snapshots WHERE "after" = ?1 '
            "UNION ALL SELECT 1 FROM uses WHERE blob = ?1 LIMIT 1"
        )
        return self._db.execute(asked, [blob]).fetchone() is not None

    def _sweep(self) -> None:
        """Erase what is dead: begun by `forget`, ended here if a crash came between."""
        dead = self._db.execute("SELECT digest, place, length FROM dead ORDER BY place").fetchall()
        if not dead:
            return
        end = self._length()
        for digest, place, length in dead:
            if place == ALONE:
                self._erase_alone(digest)
            elif length:
                start, stop = self._gap(place, end)
                self._pack.erase(digest, start, stop - start)
        last = self._db.execute("SELECT max(place + length) FROM blobs WHERE place >= 0").fetchone()[0] or 0
        with self._transaction():
            self._db.execute("DELETE FROM dead")
            self._db.execute("UPDATE pack SET length = ?", [min(end, last)])
        self._pack.cut(min(end, last))

    def _erase_alone(self, digest: bytes) -> None:
        if not self._db.execute("SELECT 1 FROM blobs WHERE digest = ?", [digest]).fetchone():
            self._pack.erase(digest, ALONE, 0)

    def _gap(self, place: int, end: int) -> tuple[int, int]:
        """From the end of the living blob before to the start of the next: so that whole blocks come free."""
        before = self._db.execute(
            "SELECT place + length FROM blobs WHERE place >= 0 AND place < ? AND length > 0 "
            "ORDER BY place DESC LIMIT 1",
            [place],
        ).fetchone()
        behind = self._db.execute(
            "SELECT place FROM blobs WHERE place > ? AND length > 0 ORDER BY place LIMIT 1", [place]
        ).fetchone()
        return (before[0] if before else 0), (behind[0] if behind else end)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _transaction(self._db):
            yield

    def close(self) -> None:
        with self._turn:
            if self._closed:  # a descriptor's number may be somebody else's by now
                return
            self._closed = True
            self._db.close()
            self._pack.close()
            os.close(self._lock)


class Batch:
    """Blobs on their way: a `content.Sink`. Nothing of it is there before `kept` is left without an error."""

    def __init__(self, db: sqlite3.Connection, pack: Pack) -> None:
        self._db = db
        self._pack = pack
        self._new: dict[bytes, tuple[int, int]] = {}
        self._old = dict(db.execute("SELECT digest, id FROM blobs").fetchall())

    def has(self, digest: bytes) -> bool:
        return digest in self._old or digest in self._new

    def add(self, data: bytes) -> bytes:
        digest = digest_of(data)
        if not self.has(digest):
            self._new[digest] = (self._pack.append(data), len(data))
        return digest

    def pour(self, parts: Iterator[bytes]) -> bytes:
        digest, place, length = self._pack.pour(parts)
        if self.has(digest):
            self._pack.back_to(place)
        else:
            self._new[digest] = (place, length)
        return digest

    def clone(self, handle: int) -> bytes | None:
        cloned = self._pack.clone(handle)
        if cloned is None:
            return None
        digest, length = cloned
        if not self.has(digest):
            self._new[digest] = (ALONE, length)
        return digest

    def id_of(self, digest: bytes) -> int:
        return int(self._old[digest])

    @contextmanager
    def kept(self, used: Sequence[bytes]) -> Iterator[None]:
        """Make the used blobs durable together with what the caller writes inside."""
        self._pack.sync()
        wanted = set(used)
        rows = [(digest, *where) for digest, where in self._new.items()]
        with _transaction(self._db):
            self._db.executemany(
                "INSERT INTO blobs (digest, place, length) VALUES (?, ?, ?)",
                (row for row in rows if row[0] in wanted),
            )
            self._db.executemany(
                "INSERT INTO dead VALUES (?, ?, ?)", (row for row in rows if row[0] not in wanted)
            )
            self._db.execute("UPDATE pack SET length = ?", [self._pack.end])
            if rows:
                self._old = dict(self._db.execute("SELECT digest, id FROM blobs").fetchall())
            yield

    def keep(self, saved: Saved, before: Manifest, *, taken_ns: int, by_hand: bool) -> None:
        """One snapshot, with every blob that `before` names."""
        with self._keeping(saved, before, None, taken_ns):
            self._db.execute("UPDATE snapshots SET by_hand = ? WHERE id = ?", [by_hand, saved.snapshot_id])

    def keep_for_restore(
        self, saved: Saved, before: Manifest, *, after: Change, taken_ns: int, restores: str
    ) -> None:
        """What a restore will replace, and that it has begun, in one."""
        with self._keeping(saved, before, after, taken_ns):
            self._db.execute("INSERT INTO restores VALUES (?, ?)", [restores, saved.snapshot_id])

    @contextmanager
    def _keeping(self, saved: Saved, before: Manifest, after: Change | None, taken_ns: int) -> Iterator[None]:
        first = self.add(encode(before))
        last = None if after is None else self.add(encode(after))
        used = {entry.digest for entry in before.entries.values() if entry.digest}
        with self.kept([*used, first, *([] if last is None else [last])]):
            manifest = self.id_of(first)
            self._db.execute(
                'INSERT INTO snapshots (id, saved, taken_ns, "before", "after") VALUES (?, ?, ?, ?, ?)',
                [
                    saved.snapshot_id,
                    msgspec.msgpack.encode(saved),
                    taken_ns,
                    manifest,
                    None if last is None else self.id_of(last),
                ],
            )
            if not self._db.execute("SELECT 1 FROM uses WHERE manifest = ?", [manifest]).fetchone():
                ids = sorted(self.id_of(digest) for digest in used)
                self._db.executemany("INSERT INTO uses VALUES (?, ?)", ((manifest, blob) for blob in ids))
            yield


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # a full disk has rolled back already
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _contents(manifest: Manifest, taken_ns: int) -> dict[Identity, Content]:
    """Of files that had been still for long enough before the snapshot began."""
    return {
        entry.identity: Content(entry.digest, entry.extents, entry.xattrs)
        for entry in manifest.entries.values()
        if entry.is_file and entry.ctime_ns < taken_ns - _RACY_NS
    }
