"""`clearance serve`: what it says before it serves. Serving itself is tested under tests/doors."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance.cli import serve
from tests.cli.conftest import Invoke


def test_without_its_packages_it_says_what_to_install(run: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_NEEDS", ("no_such_package",))
    result = run("serve")
    assert result.exit_code == 1
    assert "pip install 'clearance[server]'" in result.stderr


def test_policies_that_do_not_load_stop_it_before_it_opens(run: Invoke, home: Path) -> None:
    (home / "broken.yaml").write_text("policies: 3\n")
    result = run("serve", "--policies", "broken.yaml")
    assert result.exit_code == 1
    assert result.stderr.startswith("error [policy_invalid]: broken.yaml:1: ")
