"""The peers' own environment: made on demand, pinned by hash, made anew when the pins change."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from benchmarks.harness.result import ROOT

_HERE = ROOT / "benchmarks"
_LOCK = _HERE / "requirements.lock"
_VENV = _HERE / ".venv"
_READY = _VENV / ".ready"
_PYTHON = _VENV / "bin" / "python"


def peer_python() -> Path:
    """The peers' interpreter, of the same version as ours. Raises CalledProcessError."""
    pins = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    if not _READY.exists() or _READY.read_text() != pins:
        print("Making the peers' environment (benchmarks/.venv), once …", file=sys.stderr, flush=True)
        _make()
        _READY.write_text(pins)
    return _PYTHON


def peer_version(distribution: str) -> str:
    """`name version` of an installed peer."""
    found = distributions(
        name=distribution, path=[str(path) for path in _VENV.glob("lib/python*/site-packages")]
    )
    return f"{distribution} {next(iter(found)).version}"


def _make() -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv:
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, _VENV], check=True)
        install: list[str | Path] = [uv, "pip", "install", "-q", "--python", _PYTHON]
    else:
        subprocess.run([sys.executable, "-m", "venv", "--clear", _VENV], check=True)
        install = [_PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "-r", _LOCK], check=True)
