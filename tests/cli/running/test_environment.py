"""What a program behind all doors is given, and what of ours it is not."""

from __future__ import annotations

from pathlib import Path

import anthropic
import openai
import pytest

from clearance.cli.running import kept_back
from clearance.cli.running.command import how_it_ended, name_of
from clearance.cli.running.doors import Doors
from clearance.cli.running.enclosure import walls
from clearance.cli.running.environment import environment
from clearance.config import Settings, load_settings

DOORS = Doors(url="http://127.0.0.1:8700", key="clr_1_x", egress_host="127.0.0.1", egress_port=8701)
RUN = "run_1"


def given(parent: dict[str, str], doors: Doors = DOORS, *, bundle: str = "") -> dict[str, str]:
    return environment(parent, doors, RUN, without=(), bundle=bundle)


def test_the_sdks_find_the_doors_without_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in given({"OPENAI_API_VERSION": "2026-01-01"}).items():
        monkeypatch.setenv(name, value)
    assert str(openai.OpenAI().base_url) == "http://127.0.0.1:8700/r/run_1/openai/v1/"
    assert openai.OpenAI().api_key == "clr_1_x"
    assert str(openai.AzureOpenAI().base_url) == "http://127.0.0.1:8700/r/run_1/openai/"
    assert openai.AzureOpenAI().api_key == "clr_1_x"
    assert str(anthropic.Anthropic().base_url) == "http://127.0.0.1:8700/r/run_1/anthropic/"
    assert anthropic.Anthropic().api_key == "clr_1_x"


def test_every_way_to_name_a_proxy_leads_to_ours_and_the_run_is_its_user() -> None:
    found = given({"https_proxy": "http://elsewhere:3128", "NO_PROXY": "*"})
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        assert found[name] == "http://run_1:clr_1_x@127.0.0.1:8701"
    assert found["NO_PROXY"] == found["no_proxy"] == "127.0.0.1,localhost,::1"
    assert found["NODE_USE_ENV_PROXY"] == "1"


def test_without_an_egress_door_no_proxy_of_ours_or_of_others_is_set() -> None:
    found = given(
        {"https_proxy": "http://elsewhere:3128"}, Doors(url="https://control.example", key="clr_1_x")
    )
    assert not [name for name in found if name.lower() in {"http_proxy", "https_proxy", "all_proxy"}]
    assert found["no_proxy"].startswith("control.example,")


def test_where_tls_is_looked_into_every_client_trusts_one_bundle() -> None:
    found = given({"SSL_CERT_FILE": "/old"}, bundle="/tmp/b.pem")
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "PIP_CERT")
    assert {found[name] for name in (*names, "CURL_CA_BUNDLE")} == {"/tmp/b.pem"}
    assert given({"SSL_CERT_FILE": "/old"})["SSL_CERT_FILE"] == "/old"


def test_keys_of_providers_and_whatever_the_settings_name_as_secret_stay_here(tmp_path: Path) -> None:
    (tmp_path / "clearance.yaml").write_text(
        "models: {upstreams: {openai: {base_url: 'https://x', key_env: MY_KEY}, "
        "azure: {base_url: 'https://z', kind: azure, key_file: /k/model}}}\n"
        "mcp: {servers: {git: {url: 'https://y', headers: {authorization: 'Bearer ${GIT_TOKEN}'}}}}\n"
        "egress: {port: 8701, intercept: [z, w], ca_directory: /k/ca, credentials: "
        "[{host: z, value_env: Z_KEY}, {host: w, value_file: /k/z}]}\n"
        "systems: {crm: {kind: postgres, dsn_env: CRM_DSN}}\n"
        "store: /k/store\n"
        "policies: [/k/policies]\n"
    )
    settings = load_settings(tmp_path, {})
    secrets = ["MY_KEY", "GIT_TOKEN", "Z_KEY", "CRM_DSN", "OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN"]
    more = ["AWS_SECRET_ACCESS_KEY", "CLEARANCE_API_KEY", "CLEARANCE_STORE", "SSH_AUTH_SOCK"]
    parent = dict.fromkeys([*secrets, *more, "PATH", "LANG"], "x")
    assert set(kept_back.variables(parent, settings, keep=())) == {*secrets, *more}
    kept = kept_back.variables(parent, settings, keep=("AWS_*", "CRM_DSN"))
    assert set(kept) == {*secrets, *more} - {"AWS_SECRET_ACCESS_KEY", "CRM_DSN"}
    assert {"/k/model", "/k/z", "/k/ca", "/k/store"} < set(kept_back.hidden(settings))
    assert "/k/policies" in kept_back.read_only(settings)


def test_inside_the_doors_have_the_name_and_the_port_that_they_have_outside() -> None:
    doors = Doors(url="https://control.example", key="k", egress_host="10.0.0.5", egress_port=8701)
    built = walls(Settings(), doors)
    assert [(one.address, one.port, one.host, one.to_port) for one in built.listens] == [
        ("127.0.0.1", 443, "control.example", 443),
        ("10.0.0.5", 8701, "10.0.0.5", 8701),
    ]
    assert built.names == {"control.example": "127.0.0.1"}


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("python", "agents/mailer.py", "--fast"), "mailer"),
        (("python3.12", "-m", "mailer"), "mailer"),
        (("bash", "-c", "echo a; rm -rf /"), "bash"),
        (("./mailer",), "mailer"),
        (("npx", "-y", "@org/mailer"), "mailer"),
        (("*",), "agent"),
    ],
)
def test_an_agent_without_a_name_is_called_after_its_program(command: tuple[str, ...], name: str) -> None:
    assert name_of(command) == name


def test_the_trace_says_in_words_how_it_ended() -> None:
    assert how_it_ended(3) == "exit status 3"
    assert how_it_ended(143) == "ended by SIGTERM"
    assert how_it_ended(255) == "exit status 255"
