"""A command in the overlay: exactly what it would change, nothing of it kept, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from clearance.adapters.systems.files import NotPossibleHereError, Rehearsed, rehearse
from tests.servers.process import missing

from .conftest import portrait

pytestmark = pytest.mark.servers


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for number in range(40):
        file = root / f"d{number % 4}/f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("hello")
    try:
        rehearse("true", root, timeout_seconds=20)
    except NotPossibleHereError as error:
        missing("an overlay in a mount namespace", f"run as root or allow user namespaces ({error})")
    return root


def run(command: str | list[str], root: Path, *, seconds: float = 20) -> Rehearsed:
    """Nothing of a rehearsal is kept, whatever it does."""
    before, mounts = portrait(root), Path("/proc/self/mountinfo").read_text()
    try:
        return rehearse(command, root, timeout_seconds=seconds)
    finally:
        assert portrait(root) == before
        assert Path("/proc/self/mountinfo").read_text() == mounts


def test_a_removed_tree_is_listed_path_by_path(root: Path) -> None:
    done = run("rm -rf d1", root)
    assert set(done.deleted) == {b"d1", *(b"d1/f%d" % number for number in range(1, 40, 4))}
    assert (done.written, done.created, done.bytes, done.exit_code, done.outside) == ((), (), 50, 0, False)


def test_a_tree_removed_and_made_again_counts_only_what_is_missing(root: Path) -> None:
    done = run("rm -rf d1; mkdir d1; echo a > d1/f1; echo b > d1/new", root)
    assert len(done.deleted) == 9
    assert (done.written, done.created) == ((b"d1/f1",), (b"d1/new",))


def test_every_kind_of_change_is_told_apart(root: Path) -> None:
    done = run(
        "mv d0/f0 d0/g; chmod 600 d0/f4; >> d0/f8; echo x > n; mkdir e; chmod 700 d2; rm -r d3; touch d3",
        root,
    )
    assert set(done.created) == {b"d0/g", b"n", b"e", b"d3"}
    assert set(done.written) == {b"d0/f4", b"d0/f8", b"d2"}
    assert set(done.deleted) == {b"d0/f0", b"d3", *(b"d3/f%d" % number for number in range(3, 40, 4))}


def test_a_list_of_words_is_not_expanded(root: Path) -> None:
    assert run(["rm", "*"], root).exit_code == 1
    assert len(run("rm -rf *", root).deleted) == 44


def test_odd_names_are_told_byte_by_byte(root: Path) -> None:
    assert run("touch $(printf 'a\\377b')", root).created == (b"a\xffb",)
    assert run("touch 'a\nb'", root).created == (b"a\nb",)


@pytest.mark.parametrize("command", ["touch /tmp/leak", "echo x > /etc/leak", "rm -f /etc/hostname"])
def test_a_write_outside_is_stopped_and_told(root: Path, command: str) -> None:
    if str(root).startswith("/tmp") and "/tmp" in command:
        command = command.replace("/tmp", "/var/tmp")
    hosts = Path("/etc/hostname").read_bytes()
    assert run(command, root).outside
    assert not Path("/etc/leak").exists()
    assert not Path("/var/tmp/leak").exists()
    assert Path("/etc/hostname").read_bytes() == hosts


def test_a_write_through_a_link_out_of_the_root_is_stopped_and_told(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("safe")
    (root / "link").symlink_to(tmp_path / "other")
    assert run("echo x > link", root).outside
    assert (tmp_path / "other").read_text() == "safe"


def test_the_network_is_cut(root: Path) -> None:
    assert (
        run(
            "ls /sys/class/net | grep -v lo > seen; cat /proc/net/route | wc -l > routes; true", root
        ).exit_code
        == 0
    )
    assert run(["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/22"], root).exit_code != 0


def test_rights_over_the_machine_are_dropped(root: Path) -> None:
    for command in ("mount -o remount,rw /", "mknod x c 1 3", "umount .", "unshare -m true"):
        assert run(command, root).exit_code != 0, command
    assert run("head -c1 /dev/vda /dev/sda /dev/mem", root).exit_code != 0


def test_a_process_left_running_dies_with_the_rehearsal(root: Path) -> None:
    mark = f"{os.getpid()}.25"
    done = run(f"(setsid sleep {mark}; rm -rf d0) >/dev/null 2>&1 & true", root)
    assert done.deleted == ()
    time.sleep(0.1)
    assert mark not in _running()


def test_a_command_that_takes_too_long_is_ended_whole(root: Path) -> None:
    mark = f"{os.getpid()}.75"
    with pytest.raises(NotPossibleHereError, match="did not end"):
        run(f"setsid sleep {mark} & sleep {mark}", root, seconds=0.5)
    time.sleep(0.1)
    assert mark not in _running()


def test_more_than_there_is_room_for_is_no_rehearsal(root: Path) -> None:
    with pytest.raises(NotPossibleHereError, match="room"):
        rehearse("head -c 40000000 /dev/zero > big", root, timeout_seconds=20, room_bytes=16 << 20)


def test_a_mount_inside_the_root_is_refused() -> None:
    with pytest.raises(NotPossibleHereError, match="mounted inside"):
        rehearse("true", Path("/"), timeout_seconds=20)


def test_a_failing_command_tells_its_exit_code(root: Path) -> None:
    assert run("rm d0/f0; exit 3", root).exit_code == 3
    assert run(["no-such-program"], root).exit_code == 127


def _running() -> str:
    return subprocess.run(["ps", "ax", "-o", "args"], capture_output=True, text=True, check=True).stdout
