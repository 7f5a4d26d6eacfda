"""What the tests of several doors begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.model import ScriptedModel


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    started = ScriptedModel().start()
    yield started
    started.stop()
