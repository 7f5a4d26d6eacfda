"""The peers' own environments: made on demand, pinned by hash, made anew when the pins change."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from benchmarks.harness.result import ROOT

_HERE = ROOT / "benchmarks"


def peer_python(directory: str = ".") -> Path:
    """The interpreter of the peers in DIRECTORY/requirements.lock, of the version of ours.

    Raises CalledProcessError.
    """
    lock, environment = _HERE / directory / "requirements.lock", _HERE / directory / ".venv"
    pins, ready = hashlib.sha256(lock.read_bytes()).hexdigest(), environment / ".ready"
    if not ready.exists() or ready.read_text() != pins:
        where = environment.relative_to(ROOT)
        print(f"Making the peers' environment ({where}), once …", file=sys.stderr, flush=True)
        _make(environment, lock)
        ready.write_text(pins)
    return environment / "bin" / "python"


def peer_version(distribution: str, directory: str = ".") -> str:
    """`name version` of an installed peer."""
    places = (_HERE / directory / ".venv").glob("lib/python*/site-packages")
    found = distributions(name=distribution, path=[str(path) for path in places])
    return f"{distribution} {next(iter(found)).version}"


def node_package(directory: str, package: str) -> Path:
    """Where a peer of npm is installed, from the lock in its directory. Raises CalledProcessError."""
    here = _HERE / directory
    if not (here / "node_modules" / package).exists():
        print(f"Installing {package} (benchmarks/{directory}), once …", file=sys.stderr, flush=True)
        install = ["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(install, cwd=here, check=True, stdout=subprocess.DEVNULL)
    return here / "node_modules" / package


def _make(environment: Path, lock: Path) -> None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    python = environment / "bin" / "python"
    if uv:
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, environment], check=True)
        install: list[str | Path] = [uv, "pip", "install", "-q", "--python", python]
    else:
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*install, "--require-hashes", "-r", lock], check=True)
