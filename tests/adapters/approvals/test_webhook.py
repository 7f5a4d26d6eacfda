"""The webhook: signed so that others can check it, to no place but the configured one."""

from __future__ import annotations

import base64
import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Standard
from standardwebhooks.webhooks import WebhookVerificationError

from clearance.adapters.approvals import Webhook, open_notifiers, open_webhook
from clearance.config.notices import NoticeReceiver
from clearance.errors import ConfigurationError, SystemUnavailableError
from clearance.ports import Notice
from tests.servers.receiver import Receiver, receiver

pytestmark = pytest.mark.servers  # takes its time

__all__ = ["receiver"]  # a fixture

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
NOTICE = Notice(notice_id="note_1", kind="hold_closed", at=datetime.now(UTC), body={"hold_id": "hold_1"})


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)


def opened(url: str, **more: object) -> Webhook:
    settings = NoticeReceiver(name="ops", url=url, secret_env="HOOK_SECRET", **more)  # type: ignore[arg-type]
    return open_webhook(settings, clock=lambda: datetime.now(UTC))


def test_the_reference_library_verifies_what_is_sent_and_nothing_that_was_changed(receiver: Receiver) -> None:
    opened(receiver.url).send(NOTICE)
    [(headers, body)] = receiver.got
    assert Standard(SECRET).verify(body, headers)["data"] == {"hold_id": "hold_1"}
    with pytest.raises(WebhookVerificationError):
        Standard(SECRET).verify(body.replace(b"hold_1", b"hold_2"), headers)
    with pytest.raises(WebhookVerificationError):
        Standard(SECRET).verify(body, {**headers, "webhook-id": "note_2"})


def test_an_old_notice_is_sent_with_the_time_of_sending(receiver: Receiver) -> None:
    """A receiver refuses signatures that are minutes old; a notice may have waited for hours."""
    notice = Notice(notice_id="n", kind="hold_closed", at=NOTICE.at - timedelta(hours=3), body={})
    opened(receiver.url).send(notice)
    [(headers, body)] = receiver.got
    Standard(SECRET).verify(body, headers)
    assert datetime.fromisoformat(json.loads(body)["timestamp"]) == notice.at


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.location = 307, receiver.url
    with pytest.raises(SystemUnavailableError, match="HTTP 307"):
        opened(receiver.url).send(NOTICE)
    assert len(receiver.got) == 1


def test_a_receiver_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        webhook = opened(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.2)
        with pytest.raises(SystemUnavailableError, match="ReadTimeout"):
            webhook.send(NOTICE)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x",
        "ftp://127.0.0.1/x",
        "https://",
        "https://user:pass@hooks.example.com/",
        "http://127.0.0.1.example.com/",
        "http://[::1",
        "hooks.example.com",
    ],
)
def test_no_address_in_clear_but_on_this_machine(url: str) -> None:
    with pytest.raises(ConfigurationError):
        opened(url)


@pytest.mark.parametrize("url", ["https://hooks.example.com/x", "http://localhost:1/", "http://[::1]:1/"])
def test_https_anywhere_and_http_on_this_machine(url: str) -> None:
    assert opened(url).name == "ops"


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "hunter2hunter2hunter2hunter2hunter2", "whsec_?"]
)
def test_a_weak_or_missing_secret_is_refused_and_not_repeated(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", secret)
    with pytest.raises(ConfigurationError) as caught:
        opened("https://hooks.example.com/x")
    assert secret.removeprefix("whsec_") == "" or secret not in str(caught.value)


def test_the_secret_may_stand_in_a_file(tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    settings = NoticeReceiver(name="ops", url=receiver.url, secret_file=str(tmp_path / "secret"))
    open_webhook(settings, clock=lambda: datetime.now(UTC)).send(NOTICE)
    [(headers, body)] = receiver.got
    Standard(SECRET).verify(body, headers)


def test_every_problem_of_every_receiver_is_told_at_once() -> None:
    wrong = [
        NoticeReceiver(name="a", url="http://hooks.example.com/", secret_env="NOT_SET_ANYWHERE"),
        NoticeReceiver(name="b", url="https://hooks.example.com/", secret_env="HOOK_SECRET"),
        NoticeReceiver(name="b", url="https://hooks.example.com/", secret_env="HOOK_SECRET"),
        NoticeReceiver(name="c", url="https://hooks.example.com/"),
    ]
    with pytest.raises(ConfigurationError) as caught:
        open_notifiers(wrong, clock=lambda: datetime.now(UTC))
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 4, told


def test_neither_secret_nor_address_is_in_what_is_printed(receiver: Receiver) -> None:
    webhook = opened(receiver.url + "?token=abc123")
    assert "abc123" not in repr(webhook._options)
    assert SECRET not in repr(webhook._options)
    receiver.status = 500
    with pytest.raises(SystemUnavailableError) as caught:
        webhook.send(NOTICE)
    assert "abc123" not in str(caught.value)
