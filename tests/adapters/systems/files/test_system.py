"""The port: what is counted, what is saved, and what is refused rather than guessed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.systems.files import FilesSystem, open_system
from clearance.adapters.systems.files.settings import Options, environment_of
from clearance.core.model import EffectClass, Environment, Exactness, Operation, RestoreMode, Reversibility
from clearance.errors import (
    ConfigurationError,
    NotFoundError,
    RecoveryError,
    SystemUnavailableError,
)

from .conftest import World, request_of


def test_deleting_a_directory_counts_everything_beneath(world: World) -> None:
    for number in range(25):
        world.write(f"d/{number}", "12345")
    radius = world.system.measure(request_of(Operation.DELETE), ["d"]).radius
    assert (radius.count, radius.touches[0].bytes) == (26, 125)
    assert radius.touches[0].exactness is Exactness.EXACT
    assert radius.effects == {EffectClass.DELETE}
    assert radius.reversibility is Reversibility.EXACT
    assert len(radius.touches[0].sample) == 10


def test_a_path_below_a_counted_one_is_counted_once(world: World) -> None:
    world.write("d/a")
    assert world.system.measure(request_of(Operation.DELETE), ["d", "d/a", "./d/"]).radius.count == 2


def test_a_change_of_a_directory_is_a_bound_and_a_missing_file_is_one(world: World) -> None:
    world.write("d/a")
    touch = world.system.measure(request_of(), ["d"]).radius.touches[0]
    assert (touch.count, touch.exactness) == (2, Exactness.BOUND)
    assert world.system.measure(request_of(), ["new"]).radius.count == 1
    assert world.system.measure(request_of(Operation.DELETE), ["new"]).radius.count == 0


@pytest.mark.parametrize("name", ["../etc/passwd", "/etc/passwd", "a/../../b", "a\0b"])
def test_a_name_outside_of_the_root_is_unknown_and_cannot_be_saved(world: World, name: str) -> None:
    radius = world.system.measure(request_of(Operation.DELETE), [name]).radius
    assert radius.count is None
    assert EffectClass.UNKNOWN in radius.effects
    assert radius.reversibility is Reversibility.NONE
    with pytest.raises(RecoveryError):
        world.system.save(request_of(), [name], snapshot_id="s")


def test_a_name_that_leads_through_a_link_is_unknown_and_cannot_be_saved(world: World) -> None:
    (world.root / "link").symlink_to("/etc")
    radius = world.system.measure(request_of(Operation.DELETE), ["link/passwd"]).radius
    assert radius.count is None
    with pytest.raises(RecoveryError, match="real path"):
        world.system.save(request_of(), ["link/passwd"], snapshot_id="s")


def test_writing_to_a_link_is_unknown_but_deleting_it_is_one(world: World) -> None:
    (world.root / "link").symlink_to("/etc/passwd")
    assert world.system.measure(request_of(), ["link"]).radius.count is None
    assert world.system.measure(request_of(Operation.DELETE), ["link"]).radius.count == 1


@pytest.mark.parametrize("operation", [Operation.EXECUTE, Operation.UNKNOWN, Operation.ADMIN, Operation.DDL])
def test_an_operation_that_is_not_understood_is_not_counted(world: World, operation: Operation) -> None:
    radius = world.system.measure(request_of(operation), ["."]).radius
    assert radius.count is None
    assert radius.effects == {EffectClass.UNKNOWN}


def test_a_command_that_is_not_known_to_be_file_only_is_never_run(world: World) -> None:
    system = FilesSystem("x", _options(world), images=world.base / "other", judge=lambda _: False)
    radius = system.measure(request_of(Operation.EXECUTE, command="touch made"), []).radius
    assert radius.count is None
    assert not (world.root / "made").exists()
    system.close()


def test_a_command_is_not_rehearsed_where_that_is_switched_off(world: World) -> None:
    options = Options(root=str(world.root), rehearse="never")
    system = FilesSystem("x", options, images=world.base / "other", judge=lambda _: True)
    radius = system.measure(request_of(Operation.EXECUTE, command="rm -rf ."), []).radius
    assert (radius.count, radius.unknown) == (None, ("the command was not rehearsed: switched off",))
    system.close()


@pytest.mark.servers
def test_a_file_only_command_is_counted_by_rehearsal(world: World) -> None:
    for number in range(12):
        world.write(f"d/{number}")
    system = FilesSystem("x", _options(world), images=world.base / "other", judge=lambda _: True)
    measured = system.measure(request_of(Operation.EXECUTE, cmd=["rm", "-rf", "d"]), [])
    assert (measured.radius.count, measured.operation) == (13, Operation.DELETE)
    assert measured.radius.touches[0].exactness is Exactness.EXACT
    outside = system.measure(request_of(Operation.EXECUTE, command="rm -rf d; echo x > /etc/zz"), []).radius
    assert outside.count is None
    assert outside.touches[0].exactness is Exactness.ESTIMATE
    assert sum(1 for _ in world.root.rglob("*")) == 13
    system.close()


def test_a_command_is_saved_for_by_the_whole_root(world: World) -> None:
    world.write("a/b")
    saved = world.system.save(request_of(Operation.EXECUTE, command="rm x"), ["x"], snapshot_id="s")
    assert (saved.resources, saved.count) == ((".",), 3)


def test_record_ids_name_files_in_a_directory(world: World) -> None:
    world.write("d/a")
    world.write("d/b")
    saved = world.system.save(request_of(record_ids=["a"]), ["d"], snapshot_id="s")
    assert saved.resources == ("d/a",)


def test_saving_twice_under_one_id_keeps_the_first(world: World) -> None:
    file = world.write("a", "one")
    first = world.system.save(request_of(), [], snapshot_id="s")
    file.write_text("two two")
    assert world.system.save(request_of(), [], snapshot_id="s") == first
    assert world.system.verify("s") == first


@pytest.mark.parametrize("cap", [{"most_bytes": 100}, {"most_files": 3}])
def test_more_than_the_caps_is_told_before_and_refused_whole(world: World, cap: dict[str, int]) -> None:
    for number in range(5):
        world.write(f"{number}", "x" * 50)
    system = world.again(**cap)
    radius = system.measure(request_of(Operation.DELETE), ["."]).radius
    assert (radius.count, radius.reversibility) == (5, Reversibility.NONE)
    with pytest.raises(RecoveryError, match="exclude"):
        system.save(request_of(), [], snapshot_id="s")
    with pytest.raises(NotFoundError):
        system.verify("s")


def test_what_will_not_come_back_is_said_when_saving(world: World) -> None:
    os.link(world.write("shared"), world.base / "outside")
    (world.root / "link").symlink_to("../images")
    world.write("x.log")
    saved = world.again(exclude=["*.log"]).save(request_of(), [], snapshot_id="s")
    assert saved.reversibility is Reversibility.CONTENT
    assert len(saved.irreversible) == 3


def test_a_damaged_pack_is_found_and_nothing_is_restored_from_it(world: World) -> None:
    file = world.write("a", "precious " * 100)
    snapshot = world.guarded(file.unlink)
    pack = world.images / "pack"
    data = bytearray(pack.read_bytes())
    data[10] ^= 1
    pack.write_bytes(data)
    with pytest.raises(RecoveryError, match="damaged"):
        world.system.verify(snapshot)
    with pytest.raises(RecoveryError, match="damaged"):
        world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.ALL)
    assert os.listdir(world.root) == []


def test_a_pack_cut_short_is_refused_at_the_next_save(world: World) -> None:
    world.guarded(world.write("a", "precious " * 100).unlink)
    os.truncate(world.images / "pack", 10)
    with pytest.raises(RecoveryError, match="cut off"):
        world.system.save(request_of(), [], snapshot_id="x")


def test_a_forgotten_snapshot_leaves_no_byte_that_no_other_needs(world: World) -> None:
    world.write("shared", "kept by both " * 500)
    world.write("own", "only in the first " * 500)
    world.system.save(request_of(), [], snapshot_id="one")
    (world.root / "own").unlink()
    world.system.save(request_of(), [], snapshot_id="two")
    world.system.forget("one")
    world.system.forget("one")
    assert b"only in the first" not in (world.images / "pack").read_bytes()
    world.system.verify("two")
    with pytest.raises(NotFoundError):
        world.system.verify("one")
    world.system.forget("two")
    assert (world.images / "pack").stat().st_size == 0


def test_two_openings_share_one_store(world: World) -> None:
    first = world.system
    world.write("a", "one")
    first.save(request_of(), [], snapshot_id="s1")
    second = world.again()
    world.write("b", "two")
    second.save(request_of(), [], snapshot_id="s2")
    first.verify("s2")
    second.forget("s1")
    first.save(request_of(), [], snapshot_id="s3")
    for snapshot in ("s2", "s3"):
        second.verify(snapshot)


def test_an_unknown_snapshot_is_not_found_and_forgetting_or_settling_it_does_nothing(world: World) -> None:
    for call in (
        world.system.verify,
        lambda name: world.system.restore(name, as_snapshot="u", mode=RestoreMode.ALL),
    ):
        with pytest.raises(NotFoundError):
            call("none")
    world.system.forget("none")
    world.system.settle("none")


def test_a_missing_root_is_unavailable(world: World) -> None:
    world.root.rename(world.base / "away")
    with pytest.raises(SystemUnavailableError):
        world.system.info()


def test_the_fingerprint_names_the_directory_and_not_its_path(world: World) -> None:
    first = world.system.info()
    (world.base / "alias").symlink_to(world.root)
    second = open_system("y", {"root": str(world.base / "alias")}, images=world.base / "i2")
    assert second.info().fingerprint == first.fingerprint
    assert first.environment is Environment.UNKNOWN
    second.close()
    options = Options(root="/x", environments={first.fingerprint: "sandbox"})
    assert environment_of(options, first.fingerprint) is Environment.SANDBOX


def test_a_marker_counts_only_where_root_alone_could_write_it(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can make a marker of root's")
    marker = tmp_path / "place/environment"
    marker.parent.mkdir(mode=0o755)
    marker.write_text("staging\n")
    marker.chmod(0o644)
    options = Options(root="/x")
    assert environment_of(options, "f", marker=marker) is Environment.STAGING
    marker.write_text("nonsense")
    assert environment_of(options, "f", marker=marker) is Environment.UNKNOWN
    marker.write_text("staging")
    for change in (lambda: os.chown(marker, 1000, 0), lambda: marker.parent.chmod(0o777)):
        os.chown(marker, 0, 0)
        marker.parent.chmod(0o755)
        change()
        assert environment_of(options, "f", marker=marker) is Environment.UNKNOWN
    assert environment_of(options, "f", marker=tmp_path / "none") is Environment.UNKNOWN


@pytest.mark.parametrize(
    "options",
    [{}, {"root": "relative"}, {"root": "/x", "roots": 1}, {"root": "/x", "most_bytes": 0}, {"root": "/"}],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="system `docs`"):
        open_system("docs", options, images=tmp_path / "images")


def _options(world: World) -> Options:
    return Options(root=str(world.root))
