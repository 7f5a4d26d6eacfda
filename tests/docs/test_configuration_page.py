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
from clearance.config.egress import EgressCredential, EgressSettings
from clearance.config.login import LoginSettings, read_logins
from clearance.config.mcp import McpServer, McpSettings
from clearance.config.models import ModelSettings, Price, Route, Upstream
from clearance.config.notices import NoticeReceiver
from clearance.wiring import utc_now

DOCS = Path(__file__).parents[2] / "docs"
DOORS = DOCS / "doors"
TEXT = (DOCS / "operating/configuration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.M | re.S)
SECRETS = {
    "IDP_SECRET": "x",
    "CRM_TOKEN": "x",
    "CLEARANCE_HOOK_SECRET": "whsec_" + base64.b64encode(bytes(24)).decode(),
}


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


def merged(values: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What any of them sets."""
    return {name: setting for value in values for name, setting in value.items()}


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (OidcProvider, examples()["identity"]["providers"][0]),
        (SpiffeProvider, examples()["identity"]["providers"][1]),
        (NoticeReceiver, examples()["notices"][0]),
        (LoginSettings, examples()["login"][0]),
        (ModelSettings, examples()["models"]),
        (Upstream, merged(examples()["models"]["upstreams"].values())),
        (Route, merged(examples()["models"]["routes"])),
        (Price, merged(examples()["models"]["prices"].values())),
        (McpSettings, examples()["mcp"]),
        (McpServer, merged(examples()["mcp"]["servers"].values())),
        (EgressSettings, examples()["egress"]),
        (EgressCredential, merged(examples()["egress"]["credentials"])),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_every_setting_of_a_section_is_in_its_example_and_explained(kind: Any, given: dict[str, Any]) -> None:
    only_one_of_two = {"client_secret_file", "secret_file", "value_file"}
    assert missing(kind, given) <= only_one_of_two
    assert missing(kind, re.findall(r"\w+", TEXT)) == set()


@pytest.mark.parametrize(
    ("page", "kind"),
    [("mcp-proxy", McpServer), ("mcp-proxy", McpSettings), ("egress-proxy", EgressSettings)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_the_page_of_a_door_explains_its_settings(page: str, kind: Any) -> None:
    text = (DOORS / f"{page}.md").read_text(encoding="utf-8")
    elsewhere = {"directory"} if kind is McpServer else set()  # of a command: docs/doors/mcp-wrap.md
    assert missing(kind, re.findall(r"`(\w+)`", text)) <= elsewhere


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Upstream, examples()["models"]["upstreams"]["openai"]),
        (ModelSettings, examples()["models"]),
        (McpServer, examples()["mcp"]["servers"]["crm"]),
        (EgressSettings, examples()["egress"]),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_number_in_the_reference_is_what_holds_without_it(kind: Any, given: dict[str, Any]) -> None:
    numbers = {
        name: value
        for name, value in given.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name != "port"
    }
    assert numbers
    assert numbers == {name: getattr(kind(**_needed(kind)), name) for name in numbers}


def _needed(kind: Any) -> dict[str, str]:
    return {"base_url": "https://api.example.com"} if kind is Upstream else {}


def missing(kind: Any, names: Iterable[str]) -> set[str]:
    return set(kind.__struct_fields__) - set(names)
