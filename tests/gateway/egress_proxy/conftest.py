"""A web server that the proxy can reach; and asyncio's loop and uvloop, for what differs between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
import uvloop

from tests.servers.web import Web, web_server

_ON_BOTH = ("test_link.py", "test_listening.py", "test_tunnel.py")


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.name not in _ON_BOTH:
        return {"asyncio": asyncio.new_event_loop}
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as running:
        yield running
