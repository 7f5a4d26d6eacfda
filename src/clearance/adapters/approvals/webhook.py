"""Notices as signed HTTP requests (https://www.standardwebhooks.com). Sends; decides and retries nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Struct

from clearance.config.notices import NoticeReceiver
from clearance.errors import ConfigurationError, Problem, SystemUnavailableError
from clearance.ports import Notice

_PREFIX = "whsec_"  # the secret's text is this and base64 of its bytes
_LEAST_SECRET_BYTES = 24  # as the standard asks


class WebhookOptions(Struct, frozen=True, kw_only=True):
    """Where to, how long it may take, and what it is signed with."""

    name: str
    url: str
    secret: bytes
    timeout_seconds: float = 5.0

    def __repr__(self) -> str:
        return f"WebhookOptions(name={self.name!r})"  # neither the secret nor a token in the address


class _Body(Struct, frozen=True):
    """What is sent: the same bytes at every attempt, so that its id and signature tell repeats."""

    type: str
    timestamp: datetime
    data: dict[str, object]


class Webhook:
    """Notifier. Follows no redirect. A receiver takes a notice by answering with a status of 200 to 299."""

    def __init__(self, options: WebhookOptions, *, clock: Callable[[], datetime]) -> None:
        self._options = options
        self._clock = clock
        self._http = httpx.Client(timeout=options.timeout_seconds, follow_redirects=False)

    @property
    def name(self) -> str:
        return self._options.name

    def send(self, notice: Notice) -> None:
        """Raises SystemUnavailableError; its message holds neither the address nor the answer."""
        body = msgspec.json.encode(_Body(notice.kind, notice.at, notice.body))
        sent_at = int(self._clock().timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": notice.notice_id,
            "webhook-timestamp": str(sent_at),
            "webhook-signature": signature(self._options.secret, notice.notice_id, sent_at, body),
        }
        try:
            with self._http.stream("POST", self._options.url, content=body, headers=headers) as answer:
                status = answer.status_code  # what it says beside is not read: it may be endless
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._not_taken(type(error).__name__) from None
        if not 200 <= status < 300:
            raise self._not_taken(f"HTTP {status}")

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def _not_taken(self, why: str) -> SystemUnavailableError:
        return SystemUnavailableError(f"The receiver `{self.name}` did not take the notice ({why}).")


def signature(secret: bytes, notice_id: str, sent_at: int, body: bytes) -> str:
    """HMAC-SHA256 over id, time and body, in the form of the standard's header.

    >>> signature(b"k" * 24, "msg_1", 1700000000, b"{}")[:3]
    'v1,'
    """
    signed = hmac.new(secret, f"{notice_id}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def open_webhook(receiver: NoticeReceiver, *, clock: Callable[[], datetime]) -> Webhook:
    """Raises ConfigurationError with every problem of its address and its secret."""
    problems = _address_problems(receiver.url)
    secret = b""
    try:
        secret = _secret_bytes(_secret_text(receiver))
    except ValueError as error:
        problems.append(str(error))
    if problems:
        raise ConfigurationError(
            [Problem("wrong_value", f"notices `{receiver.name}`: {each}") for each in problems]
        )
    options = WebhookOptions(
        name=receiver.name, url=receiver.url, secret=secret, timeout_seconds=receiver.timeout_seconds
    )
    return Webhook(options, clock=clock)


def open_notifiers(
    receivers: Sequence[NoticeReceiver], *, clock: Callable[[], datetime]
) -> tuple[Webhook, ...]:
    """One for each receiver. Raises ConfigurationError with the problems of all of them."""
    opened: list[Webhook] = []
    problems: list[Problem] = []
    for receiver in receivers:
        if receiver.name in {webhook.name for webhook in opened}:
            problems.append(Problem("wrong_value", f"notices `{receiver.name}`: the name is there twice"))
            continue
        try:
            opened.append(open_webhook(receiver, clock=clock))
        except ConfigurationError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigurationError(problems)
    return tuple(opened)


def _address_problems(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ["`url` is no address"]
    if parts.username or parts.password:
        return ["`url` holds a password; the receiver proves who sends by the signature"]
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        return ["`url` has to begin with https:// (http:// only on this machine)"]
    return []


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _secret_text(receiver: NoticeReceiver) -> str:
    """Raises ValueError, with no part of the secret in it."""
    if bool(receiver.secret_env) == bool(receiver.secret_file):
        raise ValueError("name its secret, by `secret_env` or by `secret_file`")
    if receiver.secret_env:
        text = os.environ.get(receiver.secret_env, "")
        if not text:
            raise ValueError(f"the environment variable {receiver.secret_env} is not set")
        return text
    try:
        return Path(receiver.secret_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError("`secret_file` cannot be read") from None


def _secret_bytes(text: str) -> bytes:
    """Raises ValueError."""
    wanted = f"the secret has to be `{_PREFIX}` and base64 of at least {_LEAST_SECRET_BYTES} bytes"
    try:
        secret = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(wanted) from None
    if not text.startswith(_PREFIX) or len(secret) < _LEAST_SECRET_BYTES:
        raise ValueError(wanted)
    return secret
