"""Who is alive: a lock that the kernel frees."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from clearance.adapters.store.sqlite.nodes import Nodes

_HOLD = """
import sys
from pathlib import Path
from clearance.adapters.store.sqlite.nodes import Nodes
print(Nodes(Path(sys.argv[1])).own, flush=True)
sys.stdin.read()
"""


def test_a_node_is_alive_until_it_is_closed(tmp_path: Path) -> None:
    one, other = Nodes(tmp_path / "nodes"), Nodes(tmp_path / "nodes")
    assert one.is_alive(other.own)
    assert one.is_alive(one.own)
    assert one.dead_nodes() == set()
    other.close()
    assert not one.is_alive(other.own)
    assert one.dead_nodes() == set()
    one.close()


def test_a_killed_process_is_dead_and_stays_known_until_it_is_forgotten(tmp_path: Path) -> None:
    nodes = Nodes(tmp_path / "nodes")
    command = [sys.executable, "-c", _HOLD, str(tmp_path / "nodes")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        node = process.stdout.readline().strip()
        assert nodes.is_alive(node)
        nodes.forget(node)
        assert nodes.is_alive(node)
        process.send_signal(signal.SIGKILL)
        process.wait(5)
    assert not nodes.is_alive(node)
    assert nodes.dead_nodes() == {node}
    nodes.forget(node)
    assert nodes.dead_nodes() == set()
    nodes.close()


def test_a_name_that_is_no_id_is_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.lock"
    outside.touch()
    nodes = Nodes(tmp_path / "nodes")
    nodes.forget("../outside")
    assert outside.exists()
    assert not nodes.is_alive("../outside")
    nodes.close()
