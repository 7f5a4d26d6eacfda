"""The scene of the ways past the model proxy; another door's tests set their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.bypass.scene import Scene, opened


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("model")) as made:
        yield made
