"""An environment of its own for each peer: made once with venv and pip, kept in a cache folder, never a part of the project."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
INSTALL_SECONDS = 900
_STAMP = "installed"


class PeerError(Exception):
    """A peer that cannot take part, with the reason in one sentence."""


def default_cache() -> Path:
    """`~/.cache/gridcore/peers`, or below XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gridcore" / "peers"


def last_line(text: str) -> str:
    """What went wrong: the last line that begins with ERROR, else the last that says something. Addresses are left out."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    said = (errors or lines or ["it said nothing"])[-1]
    return re.sub(r"\w+://\S+", "(address)", said).removeprefix("ERROR:").strip().rstrip(".")


def run_quietly(command: list[str], what: str) -> None:
    """Run a command to its end. Raises PeerError when it fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise PeerError(f"{what} took longer than {INSTALL_SECONDS // 60} minutes and was given up") from None
    if done.returncode != 0:
        raise PeerError(f"{what} failed: {last_line(done.stderr or done.stdout)}")


def python_of(requirements: str, cache: Path) -> Path:
    """The interpreter that runs a peer, installed first if it is not there yet.

    requirements: name of the peer's file, "" for the interpreter that runs now. The folder's name holds a hash of the file and the
    version of Python, so that another pin gets another environment. Raises PeerError when it cannot be installed.
    """
    if not requirements:
        return Path(sys.executable)
    pins = REQUIREMENTS / f"{requirements}.txt"
    digest = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache / f"{requirements}-{digest}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / _STAMP).exists():
        print(f"{requirements}: installing into an environment of its own ...", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        run_quietly([sys.executable, "-m", "venv", str(folder)], f"making an environment for {requirements}")
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--requirement", str(pins)]
        run_quietly(pip, f"installing {requirements}")
        (folder / _STAMP).touch()
    return python
