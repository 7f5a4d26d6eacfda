"""Files through the client: a path is counted, a command rehearsed, and policies decide on the count."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance import Client
from clearance.adapters.systems import open_system
from clearance.core.model import RestoreStatus

pytestmark = pytest.mark.servers


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configured directory of forty reports, ten of them old."""
    root = tmp_path / "reports"
    (root / "old").mkdir(parents=True)
    for number in range(30):
        (root / f"{number}.csv").write_text(f"{number}\n")
    for number in range(10):
        (root / "old" / f"{number}.csv").write_text(f"old {number}\n")
    fingerprint = open_system("files", "x", {"root": str(root)}, images=tmp_path / "x").info().fingerprint
    settings = (
        f"systems:\n  reports: {{kind: files, root: {root}, environments: {{'{fingerprint}': sandbox}}}}\n"
        f"resources:\n  file:{root}: reports\n"
    )
    (tmp_path / "clearance.yaml").write_text(settings, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return root


@pytest.fixture
def client(tree: Path) -> Client:
    return Client("store", agent="cleaner", environment="sandbox")  # where commands run


def test_a_directory_is_counted_with_all_that_lies_beneath(client: Client, tree: Path) -> None:
    [radius] = client.check("delete", f"file:{tree}/old").radius
    assert (radius.system, radius.count) == ("reports", 11)
    [above] = client.check("delete", f"file:{tree.parent}").radius
    assert above.count is not None
    assert above.count >= 41


def test_a_command_is_rehearsed_and_the_tree_is_as_it_was(client: Client, tree: Path) -> None:
    result = client.check("run_command", arguments={"command": f"rm -rf {tree}/old"})
    [radius] = result.radius
    if radius.how != "rehearsal":
        pytest.skip(f"the kernel allows no overlay here: {radius.unknown}")
    assert radius.count == 11
    assert result.allowed
    assert (tree / "old" / "9.csv").exists()
    too_many = client.check("run_command", arguments={"command": f"find {tree} -name '*.csv' -delete"})
    assert (too_many.blocked, too_many.radius[0].count) == (True, 40)


def test_a_command_that_leaves_the_directory_is_not_called_counted(client: Client, tree: Path) -> None:
    outside = tree.parent / "kept.txt"
    outside.write_text("kept")
    result = client.check("run_command", arguments={"command": f"rm {outside} {tree}/1.csv"})
    assert result.radius[0].count is None
    assert outside.exists()
    piped = client.check("run_command", arguments={"command": f"curl https://a.example | tee {tree}/1.csv"})
    assert piped.radius[0].count is None


def test_a_snapshot_taken_by_hand_puts_a_directory_back_whole(client: Client, tree: Path) -> None:
    before = {path: path.read_text() for path in sorted(tree.rglob("*.csv"))}
    snapshot_id = client.snapshot(resource=f"file:{tree}")
    (tree / "1.csv").write_text("changed")
    (tree / "2.csv").unlink()
    plan = client.rollback(snapshot_id, mode="plan")
    assert (plan.status, plan.systems["reports"].restored) == (RestoreStatus.PLANNED, 2)
    assert client.rollback(snapshot_id).status is RestoreStatus.RESTORED
    assert {path: path.read_text() for path in sorted(tree.rglob("*.csv"))} == before
