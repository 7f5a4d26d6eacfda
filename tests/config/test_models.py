"""`models:` of clearance.yaml: every problem is told together, and no key goes where others can read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clearance.config import load_settings
from clearance.config.models import ModelSettings, read_keys
from clearance.errors import ConfigurationError

OPENAI = {"base_url": "https://api.openai.com/v1", "key_env": "OPENAI_API_KEY"}


def read(tmp_path: Path, models: Any) -> ModelSettings:
    (tmp_path / "clearance.yaml").write_text(yaml.safe_dump({"models": models}))
    return load_settings(tmp_path, {}).models


def problems(tmp_path: Path, models: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, models)
    assert all(one.file == str(tmp_path / "clearance.yaml") for one in refused.value.problems)
    return [one.message.removeprefix("models: ") for one in refused.value.problems]


def test_upstreams_routes_and_prices_are_read(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        {
            "upstreams": {"openai": OPENAI, "local": {"base_url": "http://gpu-1:8000/v1", "attempts": 1}},
            "routes": [
                {"model": "gpt-*", "upstreams": ["openai", "local"], "send_as": "gpt-4o"},
                {"model": "*", "upstreams": "local"},
            ],
            "prices": {"gpt-*": {"input": 2.5, "output": 10}},
            "reserve_output_tokens": 100,
        },
    )
    assert settings.upstreams["openai"].key_env == "OPENAI_API_KEY"
    assert settings.upstreams["local"].attempts == 1
    assert [route.upstreams for route in settings.routes] == [("openai", "local"), ("local",)]
    assert (settings.prices["gpt-*"].output, settings.reserve_output_tokens) == (10, 100)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        {
            "upstreams": {
                "a": {"base_url": "ftp://x", "kind": "cohere", "attempts": 0},
                "b": {"timeout_seconds": "soon", "colour": "red"},
                "c": {**OPENAI, "base_url": "http://api.example.org/v1"},
            },
            "routes": [{"model": "gpt 4", "upstreams": ["c", "d"]}, {"upstreams": []}],
            "prices": {"gpt-*": {"input": -1, "output": 1}},
            "tool_prefixes": 7,
            "retries": 3,
        },
    )
    expected = [
        "upstream `a`: `kind` has a value that is not known",
        "upstream `a`: `attempts`: expected `int` >= 1",
        "upstream `b`: `colour` is not a setting",
        "upstream `b`: `base_url` is missing",
        "upstream `b`: `timeout_seconds`: expected `float`",
        "upstream `c`: `base_url` is http and goes to another machine",
        "price of `gpt-*`: `input`: expected `float` >= 0",
        "route 2: `model` is missing",
        "route for `gpt 4`: a model is named with",
        "route for `gpt 4`: there is no upstream `d`; known: a, b, c",
        "`tool_prefixes`: expected `array`",
        "`retries` is not a setting",
    ]
    for text in expected:
        assert any(one.startswith(text) for one in found), (text, found)
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"base_url": "https://user@api.openai.com"}, "`base_url` must be"),
        ({"base_url": "https://api.openai.com/v1?x=1"}, "`base_url` must be"),
        ({"base_url": "api.openai.com"}, "`base_url` must be"),
        ({"base_url": "https://api.openai.com:0/"}, "`base_url` must be"),
        ({"key_file": "/run/key"}, "`key_env` and `key_file`"),
        ({"proxy": "socks5://10.0.0.1:1080"}, "`proxy` must be"),
        ({"proxy": "http://proxy:3128/path"}, "`proxy` must be"),
        ({"ca_file": "/no/such/file.pem"}, "`ca_file` names no file"),
        ({"api_version": "2024-10-21"}, "`api_version` is for"),
        ({"headers": {"x-team": "a\r\nhost: b"}}, "`headers` has a name or a value"),
        ({"headers": {"x team": "a"}}, "`headers` has a name or a value"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "`headers` may not set `Transfer-Encoding`"),
        ({"connect_timeout_seconds": 0}, "`connect_timeout_seconds`: expected `float` > 0"),
    ],
)
def test_an_upstream_that_cannot_work_is_refused(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    found = problems(tmp_path, {"upstreams": {"one": {**OPENAI, **change}}})
    assert [one.startswith(f"upstream `one`: {text}") for one in found] == [True]


@pytest.mark.parametrize(
    "upstream",
    [
        {"base_url": "http://127.0.0.1:11434/v1", "key_env": "X"},
        {"base_url": "http://gpu-1.internal:8000/v1"},
        {**OPENAI, "proxy": "http://user:pass@proxy:3128"},
        {"base_url": "https://team.openai.azure.com", "kind": "azure", "api_version": "2024-10-21"},
        {"base_url": "https://[2001:db8::1]:8443/v1", "headers": {"OpenAI-Organization": "org-1"}},
    ],
)
def test_an_upstream_that_can_work_is_taken(tmp_path: Path, upstream: dict[str, Any]) -> None:
    assert "one" in read(tmp_path, {"upstreams": {"one": upstream}}).upstreams


def test_a_key_in_a_header_goes_to_no_other_machine_in_the_clear(tmp_path: Path) -> None:
    upstream = {"base_url": "http://gpu-1:8000/v1", "headers": {"Authorization": "Bearer x"}}
    (found,) = problems(tmp_path, {"upstreams": {"one": upstream}})
    assert "whoever listens would read its key" in found


@pytest.mark.parametrize(
    ("routes", "reached"),
    [
        (["*", "gpt-4o"], False),
        (["gpt-*", "gpt-4*"], False),
        (["gpt-4o", "gpt-4o"], False),
        (["gpt-4*", "gpt-*"], True),
        (["gpt-?", "gpt-*"], True),
        (["gpt-4o", "*"], True),
    ],
)
def test_a_route_that_can_never_be_reached_is_refused(
    tmp_path: Path, routes: list[str], reached: bool
) -> None:
    models = {
        "upstreams": {"one": OPENAI},
        "routes": [{"model": each, "upstreams": ["one"]} for each in routes],
    }
    if reached:
        assert len(read(tmp_path, models).routes) == 2
    else:
        assert "never reached" in problems(tmp_path, models)[0]


@pytest.mark.parametrize("value", ["x", ["x"], {"upstreams": []}, {"routes": {}}, {"prices": "x"}])
def test_what_is_no_mapping_or_list_is_told(tmp_path: Path, value: Any) -> None:
    assert len(problems(tmp_path, value)) == 1


def test_keys_are_read_from_the_environment_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-from-file\n")
    filed = {"base_url": "https://api.example.org", "key_file": str(tmp_path / "key")}
    settings = read(tmp_path, {"upstreams": {"a": OPENAI, "b": filed, "c": {"base_url": "http://x"}}})
    assert read_keys(settings, environment={"OPENAI_API_KEY": "sk-1"}) == {"a": "sk-1", "b": "sk-from-file"}


def test_every_key_that_is_missing_is_told_and_none_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-secret\nsecond line")
    filed = {"base_url": "https://api.example.org", "key_file": str(tmp_path / "key")}
    gone = {"base_url": "https://api.example.org", "key_file": str(tmp_path / "gone")}
    settings = read(tmp_path, {"upstreams": {"a": OPENAI, "b": filed, "c": gone}})
    with pytest.raises(ConfigurationError) as missing:
        read_keys(settings, environment={})
    assert [one.message.split("`")[1] for one in missing.value.problems] == ["a", "b", "c"]
    assert "sk-secret" not in str(missing.value)
