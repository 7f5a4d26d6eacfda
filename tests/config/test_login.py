"""The `login:` section: what is wrong with it is told at once, all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clearance.config.login import read_logins
from clearance.core.model import Role
from clearance.errors import ConfigurationError

GOOD: dict[str, Any] = {
    "provider": "company",
    "issuer": "https://id.example.test",
    "client_id": "clearance",
    "redirect_uri": "https://clearance.example.test/v1/login/company/callback",
}


def _problems(*given: Any, **environment: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_logins(given, environment=environment)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_a_provider_is_read_with_its_roles() -> None:
    [read] = read_logins([{**GOOD, "roles": {"admins": "admin"}, "default_role": "viewer"}])
    assert read.roles == {"admins": Role.ADMIN}
    assert read.default_role is Role.VIEWER
    assert read.secret({}) == ""


def test_a_secret_comes_from_the_environment_or_a_file_and_must_be_there(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    [read] = read_logins([{**GOOD, "client_secret_file": str(file)}])
    assert read.secret() == "s3cret"
    given = {**GOOD, "client_secret_env": "IDP_SECRET"}
    [read] = read_logins([given], environment={"IDP_SECRET": "other"})
    assert read.secret({"IDP_SECRET": "other"}) == "other"
    assert "not in IDP_SECRET" in _problems(given)
    both = {**given, "client_secret_file": str(file)}
    assert "exclude each other" in _problems(both, IDP_SECRET="x")


def test_every_problem_of_every_provider_is_told_together() -> None:
    told = _problems(
        {**GOOD, "client_secret": "in the file"},
        {
            **GOOD,
            "issuer": "http://id.example.test",
            "redirect_uri": "https://x.test/back",
            "client_id": "",
        },
        {**GOOD, "provider": "Bad Name", "scopes": ["email"]},
        {**GOOD, "roles": {"g": "king-of-all"}},
        "company",
    )
    for wanted in (
        "client_secret",
        "`issuer` is an https URL",
        "`redirect_uri` ends in",
        "`client_id` is empty",
        "`provider` has small letters",
        "needs openid",
        "not one of the allowed values",
        "login 5",
    ):
        assert wanted in told, wanted
    assert "in the file" not in told
    assert "king-of-all" not in told


def test_a_name_is_given_once_and_plain_http_is_for_loopback() -> None:
    assert "given twice" in _problems(GOOD, GOOD)
    local = {
        **GOOD,
        "issuer": "http://127.0.0.1:9000",
        "redirect_uri": "http://localhost:8700/v1/login/company/callback",
    }
    assert read_logins([local])[0].issuer == "http://127.0.0.1:9000"
