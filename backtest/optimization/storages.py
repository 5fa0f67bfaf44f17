"""Opening the place where studies are kept: a journal file, SQLite, or a database server.

The journal file is Optuna's, with three differences that a killed process asks for: the lock is one that the system takes back
from the dead, half a line at the end is cut off before the next is written, and several lines can be written as one.
"""

from __future__ import annotations

import importlib.util
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.logging import ERROR, set_verbosity
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, get_storage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random

from engine.errors import InputError

# Where studies are kept unless the user says otherwise.
DEFAULT_STORAGE = "data/optimizer/studies.log"
JOURNAL_ENDINGS = (".log", ".journal")
SQLITE_ENDINGS = (".db", ".sqlite", ".sqlite3")
# How long a process waits for another one that is writing to the same SQLite file.
SQLITE_WAIT_SECONDS = 60.0
# What to install for a kind of server, and the modules that are taken, the first that is there.
DRIVERS = {"postgresql": "psycopg2-binary", "mysql": "pymysql"}
_MODULES = {"postgresql": ("psycopg2", "psycopg"), "mysql": ("pymysql", "MySQLdb")}
_NAMES_OF_MODULES = {"MySQLdb": "mysqldb"}
_POLL_SECONDS = 0.002


class ProcessLock(BaseJournalFileLock):
    """A lock on a file beside the journal that the system lets go when its process dies."""

    def __init__(self, path: str) -> None:
        self._lock = FileLock(path + ".lock")

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._lock.acquire(poll_interval=_POLL_SECONDS)
        return True

    def release(self) -> None:
        """Let it go."""
        self._lock.release()


class Journal(BaseJournalBackend):
    """A journal file that survives processes killed in the middle of a line, and takes many lines at once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = ProcessLock(path)
        self._file = JournalFileBackend(path, self._lock)
        self._waiting = threading.local()

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The entries from a number on."""
        return self._file.read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries, or keep them until `at_once` ends."""
        waiting = getattr(self._waiting, "logs", None)
        if waiting is not None:
            waiting.extend(logs)
        elif logs:
            self._write("".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode())

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Entries that this thread appends meanwhile are written together at the end: one lock, one write, one sync."""
        self._waiting.logs = []
        try:
            yield
            logs = self._waiting.logs
        finally:
            self._waiting.logs = None
        self.append_logs(logs)

    def _write(self, lines: bytes) -> None:
        self._lock.acquire()
        try:
            with Path(self._path).open("r+b") as file:
                file.truncate(_whole_lines(file))
                file.seek(0, os.SEEK_END)
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        finally:
            self._lock.release()


def _whole_lines(file: Any) -> int:
    """Bytes up to the end of the last whole line; more are there when a process was killed while it wrote."""
    end = int(file.seek(0, os.SEEK_END))
    behind, step = end, 4096
    while behind > 0:
        begin = max(0, behind - step)
        file.seek(begin)
        place = file.read(behind - begin).rfind(b"\n")
        if place >= 0:
            return begin + int(place) + 1
        behind = begin
    return 0


def open_storage(text: str) -> BaseStorage:
    """The storage that a text names, made when it is not there.

    A file ending in .log or .journal is a journal, one ending in .db, .sqlite or .sqlite3 is SQLite; sqlite:///, postgresql:// and
    mysql:// are addresses of SQLAlchemy. Raises InputError, one sentence without the password, when it cannot be opened.
    """
    set_verbosity(ERROR)
    if "://" in text:
        return _database(text)
    path = Path(text).expanduser()
    if path.suffix not in (*JOURNAL_ENDINGS, *SQLITE_ENDINGS):
        raise InputError(
            f"storage = {text!r} is refused: it must be a file ending in {', '.join((*JOURNAL_ENDINGS, *SQLITE_ENDINGS))}, "
            "or an address that begins with sqlite:///, postgresql:// or mysql://"
        )
    if path.is_dir():
        raise InputError(f"storage = {text!r} is refused: it is a folder, and must be a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in JOURNAL_ENDINGS:
            return JournalStorage(Journal(str(path)))
    except OSError as error:
        raise InputError(f"storage = {text!r} is refused: it cannot be opened ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"storage = {text!r} is refused: it is not a journal of studies") from None
    return _database(f"sqlite:///{path}")


def _database(address: str) -> BaseStorage:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        url = make_url(address)
    except ArgumentError:
        raise InputError("storage is refused: its address cannot be read; it must look like postgresql://user:password@host/name") from None
    kind = {"postgres": "postgresql"}.get(url.get_backend_name(), url.get_backend_name())
    shown = _without_password(url)
    if url.host is not None and "@" in url.host:
        raise InputError("storage is refused: its address has more than one @; an @ of a password is written %40")
    if kind not in ("sqlite", *DRIVERS):
        raise InputError(f"storage = {shown} is refused: it must begin with sqlite:///, postgresql:// or mysql://")
    if kind != "sqlite" and "+" not in url.drivername:
        url = url.set(drivername=f"{kind}+{_driver(kind)}")
    # A server may drop a connection over night: a dead one is replaced before it is used.
    options: dict[str, Any] = {"connect_args": {"timeout": SQLITE_WAIT_SECONDS}} if kind == "sqlite" else {"pool_pre_ping": True}
    whole = url.render_as_string(hide_password=False)
    try:
        for attempt in Retrying(
            retry=retry_if_exception(_tables_in_the_making), stop=stop_after_attempt(10), wait=wait_random(0.1, 1.0), reraise=True
        ):
            with attempt:
                return get_storage(RDBStorage(whole, engine_kwargs=dict(options)))
        raise AssertionError("tenacity ends by a value or an error")
    except ImportError:
        raise InputError(f"storage = {shown} is refused: it needs a package that is not installed; pip install {DRIVERS[kind]}") from None
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise InputError(f"storage = {shown} is refused: it cannot be reached or read ({reason})") from None
    except RuntimeError:
        raise InputError(f"storage = {shown} is refused: another version of Optuna made it; optuna storage upgrade mends that") from None


def _tables_in_the_making(error: BaseException) -> bool:
    """Whether another worker, which began at the same moment, is making the tables of an empty database: Optuna does not wait for it."""
    from sqlalchemy.exc import IntegrityError

    return isinstance(error, (IntegrityError, StorageInternalError)) or "already exists" in str(error)


def _without_password(url: Any) -> str:
    """An address as it may be shown."""
    hidden = url.update_query_dict({"password": "***"}) if "password" in url.query else url
    return str(hidden.render_as_string(hide_password=True))


def _driver(kind: str) -> str:
    """The driver to use: which one SQLAlchemy takes by itself changes with its version."""
    module = next((name for name in _MODULES[kind] if importlib.util.find_spec(name) is not None), _MODULES[kind][0])
    return _NAMES_OF_MODULES.get(module, module)
