"""One decorator for every compiled function, and one cache folder that can never serve stale code.

numba keeps a compiled caller when a function it calls changes in another file, and leaves the mode flags out of
its cache key. So the cache lives in a folder whose name is a hash of every kernel source, of the numba and numpy
versions, of the processor and of the mode flags: any change starts an empty folder, no change compiles nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba import config, njit
from numba import types as nb_types

from gridcore import linking
from gridcore.kernel_cache import keep_in

_ROOT = Path(__file__).resolve().parent.parent
_KERNEL_PACKAGES = ("gridcore", "engine")
_KEEP_DAYS = 30
_WARM_MARK = "compiled"


def sources_digest(root: Path = _ROOT) -> str:
    """Hash of every kernel source below `root`, of the tool versions, of the processor and of the mode flags."""
    digest = hashlib.sha256()
    flags = (config.DISABLE_JIT, config.BOUNDSCHECK, config.OPT, config.DEBUGINFO_DEFAULT)
    target = (numba.__version__, llvmlite.__version__, np.__version__, config.CPU_NAME, config.CPU_FEATURES)
    digest.update(repr((flags, target)).encode())
    for package in _KERNEL_PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _base_folder() -> Path:
    """Where the compiled kernels live: `GRIDCORE_CACHE_DIR`, else `NUMBA_CACHE_DIR`, else the user's cache."""
    chosen = os.environ.get("GRIDCORE_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    user_cache = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    return Path(user_cache) / "gridcore"


def _prune(base: Path, keep: Path) -> None:
    """Remove kernel folders of other versions that nothing has used for a month."""
    oldest = time.time() - _KEEP_DAYS * 86_400
    for folder in base.glob("kernels-*"):
        with contextlib.suppress(OSError):
            if folder != keep and folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def _open_folder() -> Path:
    base = _base_folder()
    folder = base / f"kernels-{sources_digest()}"
    with contextlib.suppress(OSError):
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        if new:
            _prune(base, folder)
    return folder


CACHE_FOLDER = _open_folder()


def is_warm(what: str) -> bool:
    """Whether `what` (a strategy's compiled loop) has been compiled into the current cache folder before."""
    return bool(config.DISABLE_JIT) or (CACHE_FOLDER / f"{what}.{_WARM_MARK}").exists()


def mark_warm(what: str) -> None:
    """Remember that `what` is now in the cache, so that the next start announces nothing."""
    with contextlib.suppress(OSError):
        (CACHE_FOLDER / f"{what}.{_WARM_MARK}").touch()


def _once_per_type(dispatcher: Any) -> Any:
    """Keep numba from compiling a callee again for every constant it is called with: constants count as their type."""
    if config.DISABLE_JIT:
        return dispatcher
    resolve = dispatcher.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        return resolve(tuple(nb_types.unliteral(arg) for arg in args), {name: nb_types.unliteral(arg) for name, arg in kws.items()})

    dispatcher.get_call_template = get_call_template
    return dispatcher


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` with numba: cached on disk, IEEE division (x/0 is inf or NaN), GIL released, no fastmath.

    Python and compiled code may call it. Compiled code calls a twin of it, `kernel(f).inner`, that has no entry from Python.
    """
    outer = _compile(function, linking.ENTRY)
    if not config.DISABLE_JIT and linking.INNER is not None:
        inner = _compile(function, linking.INNER, no_cpython_wrapper=True, no_cfunc_wrapper=True)
        outer.inner = inner
        outer.get_call_template = inner.get_call_template
        outer.get_overload = inner.get_overload
    return outer


def machine_kernel(function: Callable[..., Any]) -> Any:
    """The same for inner parts of the machine, which compiled code calls and Python does not.

    They only read and write what they are given, so nothing is allocated and nothing need be counted: without numba's
    reference counting of array arguments a bar takes half the time. Without entries from Python they compile faster.
    """
    return _compile(function, linking.INNER, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def inlined_kernel(function: Callable[..., Any]) -> Any:
    """A machine kernel that LLVM puts into its callers whatever its size: for what most bars run through.

    A call between kernels costs some twenty instructions, for arguments on the stack and the status that comes back.
    """
    return _compile(function, linking.INNER, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


def entry_kernel(function: Callable[..., Any]) -> Any:
    """A machine kernel that Python calls: a loop or a step."""
    return _compile(function, linking.ENTRY, _nrt=False, no_cfunc_wrapper=True)


def _compile(function: Callable[..., Any], pipeline: Any, cached: bool = True, **options: Any) -> Any:
    if pipeline is not None:
        options["pipeline_class"] = pipeline
    dispatcher = njit(nogil=True, error_model="numpy", **options)(function)
    if cached and not config.DISABLE_JIT:
        inner = pipeline is not None and pipeline is linking.INNER
        keep_in(dispatcher, CACHE_FOLDER, linking.InnerCache if inner else None)
    return _once_per_type(dispatcher)


def kernel_with(template: Callable[..., Any], module: str, cached: bool = True, **functions: Any) -> Any:
    """Compile a copy of `template` in which the global names in `functions` stand for other compiled functions.

    numba cannot cache a function that is handed another one as an argument; a copy of the template for each of them, under
    the name of the `module` that asks for it, is cached like any other. Functions of a notebook are not cached.
    """
    copy = types.FunctionType(template.__code__, {**template.__globals__, **functions}, template.__name__)
    copy.__module__ = module
    copy.__qualname__ = f"{template.__qualname__}"
    copy.__doc__ = template.__doc__
    return _compile(copy, linking.ENTRY, cached, _nrt=False, no_cfunc_wrapper=True)
