"""A stepper's state as bytes: a header that says what it is, and the records compressed. Nothing in it is ever executed.

Layout: 8 bytes of magic, the schema number and the header's length (uint32, little-endian), sha256 of the header, the header
(JSON, UTF-8), the payload (zlib). The header holds the payload's sha256 and lists its arrays.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backtest.data.atomic import write_atomically
from engine.errors import InputError

MAGIC = b"GRIDSTEP"
SCHEMA = 2
_PREFIX = struct.Struct("<8sII32s")
# Types of plain arrays in a snapshot; records have the types of the program that reads it.
_PLAIN = ("float64", "int64", "int8")


def encode(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The snapshot of a header and named arrays."""
    payload = zlib.compress(b"".join(array.tobytes() for array in arrays.values()), 1)
    listed = [[name, "record" if array.dtype.names else str(array.dtype), list(array.shape)] for name, array in arrays.items()]
    text = json.dumps(
        {
            **header,
            "arrays": listed,
            "payload_bytes": sum(array.nbytes for array in arrays.values()),
            "payload_sha256": hashlib.sha256(payload).hexdigest(),
        }
    ).encode()
    return _PREFIX.pack(MAGIC, SCHEMA, len(text), hashlib.sha256(text).digest()) + text + payload


def decode_header(blob: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the payload's bytes, checked. Raises InputError for what is damaged, cut short or something else."""
    if not isinstance(blob, (bytes, bytearray, memoryview)):
        raise InputError(f"the snapshot is a {type(blob).__name__}: it must be the bytes that Stepper.snapshot() gave")
    blob = bytes(blob)
    if len(blob) < _PREFIX.size or blob[: len(MAGIC)] != MAGIC:
        raise InputError(f"the snapshot of {len(blob):,} bytes is not a stepper's: it must begin with {MAGIC.decode()}")
    _, schema, length, digest = _PREFIX.unpack_from(blob)
    if schema != SCHEMA:
        raise InputError(f"the snapshot has schema {schema}: this version reads schema {SCHEMA}")
    text = blob[_PREFIX.size : _PREFIX.size + length]
    if hashlib.sha256(text).digest() != digest:
        raise InputError("the snapshot is damaged or cut short: its header does not have the checksum it was written with")
    header = json.loads(text)
    payload = blob[_PREFIX.size + length :]
    if hashlib.sha256(payload).hexdigest() != header["payload_sha256"]:
        raise InputError("the snapshot is damaged or cut short: its records do not have the checksum they were written with")
    return header, payload


def decode_arrays(header: Mapping[str, Any], payload: bytes, records: Mapping[str, np.dtype]) -> dict[str, np.ndarray]:
    """The arrays of a checked snapshot, writable copies; `records` has the record type of each array that has one."""
    raw = zlib.decompress(payload)
    if len(raw) != header["payload_bytes"]:
        raise InputError(f"the snapshot holds {len(raw):,} bytes of records: its header says {header['payload_bytes']:,}")
    arrays: dict[str, np.ndarray] = {}
    offset = 0
    for name, kind, shape in header["arrays"]:
        if kind != "record" and kind not in _PLAIN:
            raise InputError(f"the snapshot's {name} is of type {kind}: it must be one of {', '.join(_PLAIN)}")
        dtype = records[name.partition(".")[0]] if kind == "record" else np.dtype(kind)
        # A copy into a new array, because records on foreign memory have a dtype of their own and slow compiled code down.
        array = np.empty(shape, dtype)
        count = math.prod(shape)
        array[...] = np.frombuffer(raw, dtype, count, offset).reshape(shape)
        arrays[name] = array
        offset += count * dtype.itemsize
    return arrays


def write_snapshot(path: Path, blob: bytes) -> None:
    """Write a file whole or not at all, and have it on the disk before returning. Raises InputError when it cannot be written."""
    try:
        write_atomically(path, blob)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def read_bytes(path: Path) -> bytes:
    """A snapshot file's bytes. Raises InputError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
