"""Files that are written whole or not at all, and are on the disk when the call returns.

A file is written beside its place under a name that begins with a dot and ends with `UNFINISHED`, brought to the disk, and
renamed into place; then the folder, which holds the name, is brought to the disk as well. Whoever reads meanwhile sees the old
file or the new one. What a killed process leaves behind is the unfinished file, which `sweep` removes.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path

UNFINISHED = ".unfinished"


def write_atomically(path: Path, blob: bytes) -> None:
    """Put `blob` into the file `path`, whole or not at all; its folder must be there. Raises OSError with nothing changed.

    Should bringing the folder to the disk fail, the new file is in place and OSError is raised all the same.
    """
    # The name is this thread's own; what a killed process of the same number left under it is overwritten.
    unfinished = path.parent / f".{path.name}.{os.getpid()}-{threading.get_ident()}{UNFINISHED}"
    try:
        _write(unfinished, blob)
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, and bring their names to the disk. Raises OSError."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk. Raises OSError. Windows cannot open a folder and keeps names by itself."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove the unfinished files of killed processes; only while no other process may be writing into the folder."""
    for left in folder.glob(f".*{UNFINISHED}"):
        left.unlink(missing_ok=True)


def _write(path: Path, blob: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(blob)
        while rest:  # a write may take only a part
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
