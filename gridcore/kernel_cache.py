"""A kernel's place in the cache on disk: opened when the kernel is first called, and read without numba's compiler.

numba makes the whole compiler ready (its tables of NumPy functions, BLAS through scipy) before it looks into the cache, which
takes longer than the rest of a warm start. A kernel that is found needs none of that; for one that is not, numba makes it ready
when it compiles. It also opens the cache of every function when it is decorated, though most are only ever called by others.

Where this numba is not built as expected, kernels are cached in numba's own way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from llvmlite import binding
from numba import config
from numba.core.caching import FunctionCache

try:
    from numba.core.runtime import _nrt_python
except ImportError:  # another numba than those this was written for
    _nrt_python = None


class _ReadAlone(FunctionCache):  # type: ignore[misc]  # numba has no types
    """A function's cache, which is read without making the compiler ready."""

    _runtime_known = False

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was compiled for these types, None when nothing was."""
        if not _ReadAlone._runtime_known:
            _tell_runtime()
            _ReadAlone._runtime_known = True
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def can_read_alone() -> bool:
    """Whether this numba has the inner parts that reading alone needs."""
    parts = ("load_overload", "_load_overload", "_guard_against_spurious_io_errors")
    return all(hasattr(FunctionCache, part) for part in parts) and hasattr(_nrt_python, "c_helpers")


def _tell_runtime() -> None:
    """Tell LLVM where the functions are that count references to arrays, as numba does before it compiles."""
    for name, address in _nrt_python.c_helpers.items():
        binding.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


class KernelCache:
    """Stands where numba keeps a function's cache, with the same methods; numba holds its compiler lock when it calls them.

    function: the Python function. folder: the cache folder of all kernels. kind: the class of numba's cache, None for one that is
    read without the compiler.
    """

    def __init__(self, function: Callable[..., Any], folder: Path, kind: Any = None) -> None:
        self.function = function
        self.folder = folder
        self.kind = kind or (_ReadAlone if can_read_alone() else FunctionCache)
        self._opened: Any = None

    def _open(self) -> Any:
        if self._opened is None:
            self._opened = in_folder(self.folder, lambda: self.kind(self.function))
        return self._opened

    @property
    def cache_path(self) -> str:
        """Folder of the function's files."""
        return str(self._open().cache_path)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was compiled for these types, None when nothing was."""
        return self._open().load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled."""
        self._open().save_overload(sig, data)

    def enable(self) -> None:
        """Use the cache again."""
        self._open().enable()

    def disable(self) -> None:
        """Neither read nor write."""
        self._open().disable()

    def flush(self) -> None:
        """Forget what is kept."""
        self._open().flush()


def in_folder(folder: Path, make: Callable[[], Any]) -> Any:
    """What `make` gives while numba's cache folder is this one; other packages' numba settings stay as they are."""
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        return make()
    finally:
        config.CACHE_DIR = before


def keep_in(dispatcher: Any, folder: Path, kind: Any = None) -> None:
    """Cache what a dispatcher compiles in `folder`; `kind` as in `KernelCache`."""
    if hasattr(dispatcher, "_cache"):
        dispatcher._cache = KernelCache(dispatcher.py_func, folder, kind)  # noqa: SLF001  numba's own way opens it at once
    else:
        in_folder(folder, dispatcher.enable_caching)
