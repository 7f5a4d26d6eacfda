"""`egress:` in clearance.yaml: what is accepted, and every problem of it together."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearance.config import EgressSettings, Tunnels, load_settings
from clearance.config.egress import read_egress
from clearance.errors import ConfigurationError


def test_a_whole_section_is_read(tmp_path: Path) -> None:
    (tmp_path / "clearance.yaml").write_text(
        """
egress:
  port: 8701
  private: [10.1.0.0/16]
  intercept: [api.example.org, "*.example.com"]
  tunnels: any
  ports: [443]
  credentials:
    - {host: api.example.org, value_env: KEY, prefix: "Bearer ", agents: [billing]}
"""
    )
    egress = load_settings(tmp_path, {}).egress
    assert (egress.port, egress.ports, egress.tunnels) == (8701, (443,), Tunnels.ANY)
    assert egress.credentials[0].header == "authorization"


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "clearance.yaml").write_text(
        """
egress:
  prot: 8701
  port: 70000
  private: [10.0.0.0/33]
  intercept: ["https://api.example.org"]
  tunnels: some
  ports: [0]
  credentials:
    - {host: api.example.org}
    - {host: a.example, value_env: A, value_file: b}
    - {value_env: A}
    - {host: a.example, value_env: A, header: Host}
    - {host: a.example, value_env: A, prefix: "x\\r\\n"}
    - nonsense
"""
    )
    with pytest.raises(ConfigurationError) as wrong:
        load_settings(tmp_path, {})
    told = str(wrong.value)
    assert len(wrong.value.problems) == 12, told
    for part in (
        "`prot`",
        "`port`",
        "10.0.0.0/33",
        "https://api",
        "`tunnels`",
        "`ports`",
        "credential 3: `host`",
    ):
        assert part in told


@pytest.mark.parametrize("value", ["8701", [8701], None, {"credentials": "x"}])
def test_what_is_no_mapping_is_refused(value: object) -> None:
    settings, problems = read_egress(value, file="clearance.yaml")
    assert settings == EgressSettings()
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("more", "problems"),
    [
        ({}, 1),
        ({"intercept": ["other.example.org"]}, 1),
        ({"intercept": ["api.example.org"]}, 0),
        ({"intercept": ["*.example.org"]}, 0),
        ({"private": ["10.0.0.0/8"]}, 0),
    ],
)
def test_a_credential_that_could_never_be_set_is_refused(more: dict[str, object], problems: int) -> None:
    credential = {"host": "api.example.org", "value_env": "KEY"}
    _, found = read_egress({"port": 8701, "credentials": [credential], **more}, file="clearance.yaml")
    assert len(found) == problems
