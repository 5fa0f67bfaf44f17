"""Who holds a lease: one process on one machine, and whether it still runs."""

from __future__ import annotations

import hashlib
import os
import platform
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any


@lru_cache(maxsize=1)
def host() -> str:
    """The machine since it was started, as a hash: processes that see each other's numbers have it in common.

    A container with process numbers of its own counts as a machine of its own.
    """
    parts = [platform.node(), str(uuid.getnode())]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def _started(process: int) -> str:
    """When a process was started, in the system's own count; empty where that cannot be known. It tells a reused number apart."""
    with suppress(OSError):
        # The name of the program, in brackets, may have spaces; the count is the 20th field behind it.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


@dataclass(frozen=True)
class Worker:
    """A process that runs trials. `token` tells apart several stores of one process."""

    host: str
    process: int
    started: str
    token: str

    @classmethod
    def this(cls) -> Worker:
        """The calling process."""
        return cls(host(), os.getpid(), _started(os.getpid()), uuid.uuid4().hex[:12])

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"host": self.host, "process": self.process, "started": self.started, "token": self.token}

    @property
    def is_gone(self) -> bool:
        """Whether it certainly does not run any more. False for other machines: nothing is known of them."""
        # On Windows os.kill with 0 is no question but an interrupt: there a lease runs out by time alone.
        if self.host != host() or os.name != "posix":
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # somebody else's process, so it runs
            pass
        return self.started != _started(self.process)
