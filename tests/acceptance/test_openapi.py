"""schemathesis over the published OpenAPI: no answer is a 5xx, and every answer is of its declared form."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Server

pytestmark = pytest.mark.acceptance


def test_schemathesis_finds_no_server_error(server: Server, tmp_path: Path) -> None:
    told = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "run",
            f"{server.url}/openapi.json",
            "--header",
            f"Authorization: Bearer {server.admin_key}",
            "--checks",
            "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance",
            "--exclude-path-regex",
            "/events$",  # a stream has no end; tests/doors/test_holds.py reads them
            "--max-examples",
            "40",
            "--phases",
            "examples,coverage,fuzzing,stateful",
            "--no-color",
            "--seed",
            "7",
        ],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": ""},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert told.returncode == 0, told.stdout[-6_000:] + told.stderr[-2_000:]
