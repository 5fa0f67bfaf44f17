"""The lock of a folder of the cache: one process writes at a time, readers need none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backtest.data.atomic import UNFINISHED, make_folder, sweep
from engine.errors import SourceError

LOCK = ".lock"


def report_nothing(sentence: str) -> None:
    """Takes a sentence meant for the user, and drops it."""


@contextmanager
def told_in_one_sentence(path: Path, verb: str = "written") -> Iterator[None]:
    """Turns an OSError into a SourceError that names the path and the reason."""
    try:
        yield
    except OSError as error:
        named = str(error.filename or path)
        where = path if named.endswith(UNFINISHED) else named
        raise SourceError(f"the cache cannot be {verb}: {where}: {error.strerror or error}") from None


@contextmanager
def locked(folder: Path, what: str, report: Callable[[str], None] = report_nothing) -> Iterator[None]:
    """Hold the lock of `folder`, which is made if need be; `what` is in it, for the sentence that says another process has it.

    The operating system lets go of a killed process's lock. What such a process left unfinished is removed. Not to be
    nested. Raises SourceError when the folder cannot be written.
    """
    from filelock import FileLock, Timeout  # here: who only reads should not wait for it

    with told_in_one_sentence(folder):
        make_folder(folder)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            report(f"another process is writing {what}; waiting for it")
            lock.acquire()
    try:
        with told_in_one_sentence(folder):
            sweep(folder)
        yield
    finally:
        lock.release()
