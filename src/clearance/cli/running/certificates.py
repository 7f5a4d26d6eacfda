"""One file with every certificate that a program is to trust: the system's and the egress proxy's."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def bundle(ca_file: str) -> Iterator[str]:
    """Its path; empty without a certificate of ours. Gone afterwards."""
    if not ca_file:
        yield ""
        return
    with tempfile.NamedTemporaryFile("wb", prefix="clearance-", suffix=".pem") as made:
        made.write(_of_the_system() + b"\n" + Path(ca_file).read_bytes())
        made.flush()
        yield made.name


def _of_the_system() -> bytes:
    """What this user's programs trust now: their own choice first."""
    chosen = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    return Path(chosen).read_bytes() if chosen else b""
