"""The bytes of a file, whatever it is packed in: plain, gzip, or a zip that holds one CSV file.

Nothing is unpacked to disk. A checksum file beside an archive is held against it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from backtest.data.files.catalogue import CHECKSUM
from engine.errors import InputError

# Unpacked sizes above these are no market data but a mistake or a trap: a table is read whole, trades are streamed.
MOST_TABLE_BYTES = 2**30
MOST_TRADE_BYTES = 2**36


@contextmanager
def unpacked(path: Path, name: str, most_bytes: int) -> Iterator[BinaryIO]:
    """A stream of the text of a CSV file, zipped, gzipped or plain. `name` is what sentences call it.

    Raises InputError, also while the stream is read, for a file that is empty, damaged or encrypted, that holds not exactly
    one CSV file, or that unpacks to more than `most_bytes`.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{name} is empty")
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive, archive.open(_only_csv(archive, name, most_bytes)) as member:
                yield _limited(member, name, most_bytes)
        elif path.suffix == ".gz":
            with gzip.open(path) as file:
                yield _limited(file, name, most_bytes)
        else:
            with path.open("rb") as file:
                yield file
    except (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"{name} is damaged and cannot be unpacked: {_first_line(error)}") from None
    except NotImplementedError:
        raise InputError(f"{name} is packed in a way that cannot be unpacked: it must be an ordinary zip") from None
    except OSError as error:
        raise InputError(f"{name} cannot be read: {_first_line(error)}") from None


def check_sum(path: Path, name: str) -> bool:
    """Holds a file against the `.CHECKSUM` file beside it; False when there is none.

    Raises InputError when the sums differ, or the checksum file holds none.
    """
    beside = path.with_name(path.name + CHECKSUM)
    if not beside.is_file():
        return False
    try:
        text = beside.read_bytes()[:1000].decode("ascii", "replace")
        match = re.match(r"\s*([0-9a-fA-F]{64})\b", text)
        if match is None:
            raise InputError(f"{name}{CHECKSUM} is refused: it must begin with a SHA-256 sum of 64 digits")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{name} cannot be held against its checksum file: {_first_line(error)}") from None
    if found != match[1].lower():
        raise InputError(f"{name} does not have the SHA-256 sum of its {CHECKSUM} file: it is damaged or incomplete, download it again")
    return True


def _only_csv(archive: zipfile.ZipFile, name: str, most_bytes: int) -> zipfile.ZipInfo:
    """The one CSV member of a zip; the junk that some systems pack along does not count."""
    members = [
        member
        for member in archive.infolist()
        if member.filename.lower().endswith(".csv") and not member.is_dir() and not member.filename.startswith("__MACOSX/")
    ]
    if len(members) != 1:
        raise InputError(f"{name} holds {len(members)} CSV files: there must be one")
    member = members[0]
    if member.flag_bits & 0x1:
        raise InputError(f"{name} is encrypted: it must be an ordinary zip")
    if member.file_size > most_bytes:
        raise _too_large(name, most_bytes)
    return member


class _Limited(io.RawIOBase):
    """A stream that refuses to give more than a number of bytes, whatever the file says of its size."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, name: str, most_bytes: int) -> None:
        self._stream, self._name, self._most, self._given = stream, name, most_bytes, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self._stream.read(len(view))
        self._given += len(data)
        if self._given > self._most:
            raise _too_large(self._name, self._most)
        view[: len(data)] = data
        return len(data)


def _limited(stream: IO[bytes] | gzip.GzipFile, name: str, most_bytes: int) -> BinaryIO:
    return io.BufferedReader(_Limited(stream, name, most_bytes), 1 << 20)


def _too_large(name: str, most_bytes: int) -> InputError:
    return InputError(f"{name} unpacks to more than {most_bytes:,} bytes, which is too much for market data")


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__
