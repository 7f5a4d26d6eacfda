"""A web server that the proxy can reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.web import Web, web_server


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as running:
        yield running
