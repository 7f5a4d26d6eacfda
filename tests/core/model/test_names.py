"""One spelling for a name, and which names mean a secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.model.names import canonical, secret_name
from clearance.core.model.patterns import SECRET_NAMES


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("sendEmail", "send_email"),
        ("send-email", "send_email"),
        ("Send  Email", "send_email"),
        ("HTTPGet", "http_get"),
        ("getURL", "get_url"),
        ("mail.send_*", "mail_send_*"),
        ("ｓｅｎｄ", "send"),
        ("__x__", "x"),
        ("", ""),
    ],
)
def test_a_name_is_spelt_in_lower_snake_case(name: str, spelling: str) -> None:
    assert canonical(name) == spelling


@given(st.text(max_size=60))
def test_spelling_a_name_twice_changes_nothing(name: str) -> None:
    assert canonical(canonical(name)) == canonical(name)


@given(
    st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=1, max_size=4), st.sampled_from("-_. /")
)
def test_a_name_is_the_same_however_its_words_are_joined(words: list[str], joint: str) -> None:
    camel = words[0] + "".join(word.capitalize() for word in words[1:])
    assert canonical(joint.join(words)) == canonical(camel) == "_".join(words)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("password", "password"),
        ("dbPassword", "password"),
        ("X-API-Key", "api_key"),
        ("Authorization", "authorization"),
        ("github_access_token", "access_token"),
        ("max_tokens", ""),
        ("password_hint", ""),
        ("subject", ""),
        ("x" * 10_000 + "_password", "password"),
    ],
)
def test_a_key_that_ends_in_a_secrets_name_means_a_secret(key: str, name: str) -> None:
    assert secret_name(key) == name


@pytest.mark.parametrize("name", sorted(SECRET_NAMES))
def test_every_listed_name_is_found_in_camel_case_too(name: str) -> None:
    first, *others = name.split("_")
    assert secret_name(first + "".join(word.capitalize() for word in others)) == name
