"""Files that are whole or not there: seals, torn lines, rights, names."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from clearance.adapters.systems.keyed.disk import Images, Shelf
from clearance.errors import NotFoundError, RecoveryError


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    images = Images(tmp_path, "snap")
    images.write("list", b"what was written")
    assert images.read("list") == b"what was written"
    assert images.read("another") is None
    (tmp_path / "list").write_bytes((tmp_path / "list").read_bytes() + b"!")
    with pytest.raises(RecoveryError, match="snapshot `snap` is damaged"):
        images.read("list")


def test_a_changed_or_missing_blob_is_refused(tmp_path: Path) -> None:
    images = Images(tmp_path, "snap")
    name = images.keep(b"\x00\xffbytes")
    assert images.blob(name) == b"\x00\xffbytes"
    (tmp_path / name).write_bytes(b"others")
    with pytest.raises(RecoveryError):
        images.blob(name)
    (tmp_path / name).unlink()
    with pytest.raises(RecoveryError):
        images.blob(name)


def test_a_torn_line_is_left_out_and_the_next_one_is_whole(tmp_path: Path) -> None:
    images = Images(tmp_path, "snap")
    images.append("log", b"one")
    images.append("log", b"two")
    stored = (tmp_path / "log").read_bytes()
    for cut in range(len(stored) // 2 + 1, len(stored) - 1):
        (tmp_path / "log").write_bytes(stored[:cut])
        images.append("log", b"three")
        assert images.lines("log") in ([b"one", b"three"], [b"one", b"two", b"three"])


def test_only_the_owner_may_read_what_is_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "images")
    with shelf.locked("snap"):
        images = shelf.begin("snap")
        images.write("list", b"[]")
        images.append("log", b"line")
        name = images.keep(b"personal")
        shelf.publish("snap")
    kept = tmp_path / "images" / "snap"
    assert kept.stat().st_mode & 0o777 == 0o700
    assert [(kept / file).stat().st_mode & 0o777 for file in ("list", "log", name)] == [0o600] * 3


def test_what_was_begun_and_not_published_does_not_exist(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.begin("snap").write("list", b"[]")
    assert not shelf.has("snap")
    with pytest.raises(NotFoundError):
        shelf.open("snap")
    assert shelf.begin("snap").read("list") is None


@pytest.mark.parametrize(
    "unfit", ["", ".", "..", "../x", "a/b", ".locks", "-x", "a\x00", "a" * 129, "ü", "a\n"]
)
def test_an_id_that_is_no_plain_name_is_refused(tmp_path: Path, unfit: str) -> None:
    shelf = Shelf(tmp_path)
    with pytest.raises(RecoveryError, match="letters"), shelf.locked(unfit):
        pass
    for use in (shelf.has, shelf.open, shelf.begin, shelf.forget):
        with pytest.raises(RecoveryError):
            use(unfit)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_written_is_a_recovery_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RecoveryError, match="cannot be used"), Shelf(tmp_path / "file" / "x").locked("snap"):
        pass


def test_two_threads_may_keep_one_content(tmp_path: Path) -> None:
    images = Images(tmp_path, "snap")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(images.keep(b"same"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8
    assert [path.name for path in tmp_path.iterdir()] == found[:1]
