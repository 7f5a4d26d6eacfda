"""The configuration page: every example is accepted by the reader of settings, and every setting is there."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance.adapters.approvals import open_notifiers
from clearance.config import OidcProvider, Settings, SpiffeProvider, load_settings
from clearance.config.login import LoginSettings, read_logins
from clearance.config.models import Upstream
from clearance.config.notices import NoticeReceiver
from clearance.wiring import utc_now

TEXT = (Path(__file__).parents[2] / "docs/operating/configuration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.M | re.S)
SECRETS = {"IDP_SECRET": "x", "CLEARANCE_HOOK_SECRET": "whsec_" + base64.b64encode(bytes(24)).decode()}


def examples() -> dict[str, Any]:
    """What all examples of the page set, together."""
    return {name: value for block in BLOCKS for name, value in yaml.safe_load(block).items()}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: next(iter(yaml.safe_load(block))))
def test_every_example_is_accepted(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    (tmp_path / "clearance.yaml").write_text(block, encoding="utf-8")
    settings = load_settings(tmp_path, {})
    read_logins(settings.login, environment=SECRETS)
    open_notifiers(settings.notices, clock=utc_now)


def test_every_setting_is_on_the_page() -> None:
    head = TEXT.partition("\n## ")[0]
    assert missing(Settings, re.findall(r"`(\w+)`", head)) == set()


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (OidcProvider, examples()["identity"]["providers"][0]),
        (SpiffeProvider, examples()["identity"]["providers"][1]),
        (NoticeReceiver, examples()["notices"][0]),
        (LoginSettings, examples()["login"][0]),
        (Upstream, {name: 1 for one in examples()["models"]["upstreams"].values() for name in one}),
    ],
    ids=["oidc", "spiffe", "notices", "login", "upstream"],
)
def test_every_setting_of_a_section_is_in_its_example_and_its_table(kind: Any, given: dict[str, Any]) -> None:
    only_one_of_two = {"client_secret_file", "secret_file"}
    seldom = {
        "headers",
        "ca_file",
        "connect_timeout_seconds",
        "attempts",
        "open_after_failures",
        "open_seconds",
    }
    assert missing(kind, given) <= only_one_of_two | (seldom if kind is Upstream else set())
    assert missing(kind, re.findall(r"`(\w+)`", TEXT)) == set()


def missing(kind: Any, names: Iterable[str]) -> set[str]:
    return set(kind.__struct_fields__) - set(names)
