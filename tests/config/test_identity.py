"""`identity:` of clearance.yaml: every problem is told together, and nothing that is unsafe is accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance.config import IdentitySettings, OidcProvider, SpiffeProvider, is_safe_url, load_settings
from clearance.core.model import Bounds
from clearance.errors import ConfigurationError

OIDC = {"name": "idp", "kind": "oidc", "issuer": "https://id.example", "audience": "clearance"}
SPIFFE = {"name": "mesh", "kind": "spiffe", "trust_domain": "prod.example"}


def read(tmp_path: Path, identity: Any) -> IdentitySettings:
    (tmp_path / "clearance.yaml").write_text(yaml.safe_dump({"identity": identity}))
    return load_settings(tmp_path, {}).identity


def problems(tmp_path: Path, identity: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, identity)
    assert all(one.file == str(tmp_path / "clearance.yaml") for one in refused.value.problems)
    return [one.message for one in refused.value.problems]


def test_providers_are_read_by_their_kind(tmp_path: Path) -> None:
    scopes = {"crm.read": {"operations": ["read"], "resources": ["crm/*"]}}
    settings = read(
        tmp_path,
        {
            "providers": [
                {**OIDC, "scopes": scopes, "roles_claim": "roles", "roles": {"x": ["reader"]}},
                SPIFFE,
            ],
            "trusted_proxies": ["10.0.0.7"],
        },
    )
    oidc, spiffe = settings.providers
    assert isinstance(oidc, OidcProvider)
    assert isinstance(spiffe, SpiffeProvider)
    assert oidc.audience == ("clearance",)
    assert oidc.scopes == {"crm.read": Bounds(operations=("read",), resources=("crm/*",))}
    assert settings.trusted_proxies == ("10.0.0.7/32",)


def test_without_it_nobody_but_clearance_vouches(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {}).identity == IdentitySettings()


def test_it_stands_in_the_file_only(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"CLEARANCE_IDENTITY": "x"}).identity == IdentitySettings()


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        {
            "providers": [
                {**OIDC, "issuer": "http://id.example", "algorithms": ["HS256", "none"], "agents": "all"},
                {"name": "b", "kind": "oidc"},
                {"kind": "saml"},
                {**SPIFFE, "trust_domain": "Prod", "bundel": "x"},
            ],
            "trusted_proxies": ["everything", "0.0.0.0/0"],
            "providres": [],
        },
    )
    for word in (
        "providres",
        "`agents`",
        "`issuer` is missing",
        "`audience` is missing",
        "kind",
        "bundel",
        "everything",
        "0.0.0.0/0",
    ):
        assert any(word in one for one in found), word


@pytest.mark.parametrize(
    ("provider", "word"),
    [
        ({**OIDC, "issuer": "http://id.example"}, "issuer"),
        ({**OIDC, "jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({**OIDC, "audience": []}, "audience"),
        ({**OIDC, "audience": ""}, "audience"),
        ({**OIDC, "algorithms": ["none"]}, "none"),
        ({**OIDC, "algorithms": ["RS256", "HS256"]}, "HS256"),
        ({**OIDC, "algorithms": []}, "algorithms"),
        ({**OIDC, "leeway_seconds": 3600}, "leeway_seconds"),
        ({**OIDC, "cooldown_seconds": 0}, "cooldown_seconds"),
        ({**OIDC, "scopes": {"a": {"operations": ["reed"]}}}, "reed"),
        ({**OIDC, "scopes": {"a": {"resource": ["x"]}}}, "scopes"),
        ({**OIDC, "roles": {"a": ["b"]}}, "roles_claim"),
        ({**SPIFFE, "trust_domain": "spiffe://prod"}, "trust_domain"),
        ({**SPIFFE, "bundle": "b.json"}, "audience"),
        ({**SPIFFE, "bundle": "http://id.example/b"}, "bundle"),
        ({**SPIFFE, "agent": "/sa/agent"}, "{agent}"),
        ({**OIDC, "name": ""}, "name"),
    ],
)
def test_a_setting_that_is_unsafe_or_means_nothing_is_refused(
    tmp_path: Path, provider: dict[str, Any], word: str
) -> None:
    assert any(word in one for one in problems(tmp_path, {"providers": [provider]}))


def test_two_providers_differ_in_name_and_issuer(tmp_path: Path) -> None:
    found = problems(tmp_path, {"providers": [OIDC, OIDC]})
    assert len(found) == 3


def test_trusted_proxies_need_a_trust_domain(tmp_path: Path) -> None:
    assert problems(tmp_path, {"trusted_proxies": ["10.0.0.0/8"]})


@pytest.mark.parametrize(
    "identity", ["x", ["x"], {"providers": "x"}, {"providers": ["x"]}, {"trusted_proxies": 1}]
)
def test_another_form_is_refused(tmp_path: Path, identity: Any) -> None:
    assert problems(tmp_path, identity)


@pytest.mark.parametrize(
    ("url", "is_safe"),
    [
        ("https://id.example/realms/x", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080/x", True),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("https://user@id.example", False),
        ("https://id.example?x", False),
        ("https://id.example#x", False),
        ("https://id.example\\@evil.example", False),
        ("https://id.example\n", False),
        ("https://", False),
        ("https://id.example:99999", False),
        ("ftp://id.example", False),
        ("", False),
    ],
)
def test_only_https_and_loopback_are_safe(url: str, is_safe: bool) -> None:
    assert is_safe_url(url) is is_safe


def test_the_settings_of_the_page_are_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/identity.md").read_text(encoding="utf-8")
    block = page.partition("```yaml\n")[2].partition("```")[0]
    settings = read(tmp_path, yaml.safe_load(block)["identity"])
    assert [provider.name for provider in settings.providers] == ["company", "mesh"]
