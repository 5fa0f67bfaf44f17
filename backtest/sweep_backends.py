"""Parts of a sweep on a back end of joblib: processes of this machine (`loky`), or a cluster (`dask`, `ray`)."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

from engine.errors import InputError

THREADS = "threads"
# What joblib knows by name, beside threads of our own, and what has to be installed for it.
BACKENDS = {THREADS: "", "loky": "", "multiprocessing": "", "dask": "dask[distributed]", "ray": "ray"}
# Jobs for each worker: enough that the slow ones do not keep all others waiting, few enough that markets are not sent too often.
CHUNKS_A_WORKER = 4


def check_backend(backend: str | None) -> None:
    """Raise InputError for a back end that is unknown, or whose package is missing or not ready."""
    if backend is not None and backend not in BACKENDS:
        raise InputError(f"backend = {backend!r} is refused: it must be one of {', '.join(BACKENDS)}")
    if backend not in (None, THREADS):
        _workers(backend, None)


def on_backend(
    backend: str, jobs: int | None, work: Callable[..., list[list[float]]], shared: Any, rows: Sequence[Any]
) -> list[list[float]]:
    """`work(shared, rows)` in chunks of rows, each chunk one job; results in the order of the rows.

    jobs: how many at a time, None: as many as the back end has workers.
    """
    import joblib

    # As bytes each job unpacks arrays of its own: what joblib and Dask hand over otherwise may be read-only, and compiled code
    # would be compiled once more for that.
    sent = pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL)
    size = max(1, -(-len(rows) // (CHUNKS_A_WORKER * _workers(backend, jobs))))
    chunks = [rows[first : first + size] for first in range(0, len(rows), size)]
    with joblib.parallel_config(backend=backend, n_jobs=-1 if jobs is None else jobs):
        found = joblib.Parallel(batch_size=1)(joblib.delayed(_one_chunk)(work, sent, chunk) for chunk in chunks)
    return [values for chunk in found for values in chunk]


def _one_chunk(work: Callable[..., list[list[float]]], sent: bytes, rows: Sequence[Any]) -> list[list[float]]:
    return work(pickle.loads(sent), rows)  # noqa: S301  # what this process's own parent packed


def _workers(backend: str, jobs: int | None) -> int:
    """Workers of a back end. Raises InputError when it is not ready."""
    import joblib

    if backend == "ray":
        try:
            from ray.util.joblib import register_ray
        except ImportError:
            raise InputError("backend = 'ray' is refused: it needs a package that is not installed; pip install ray") from None
        register_ray()
    try:
        with joblib.parallel_config(backend=backend, n_jobs=-1 if jobs is None else jobs):
            return max(1, int(joblib.effective_n_jobs(-1 if jobs is None else jobs)))
    except ImportError:
        raise InputError(
            f"backend = {backend!r} is refused: it needs a package that is not installed; pip install {BACKENDS[backend]}"
        ) from None
    except ValueError as error:
        if backend == "dask":
            raise InputError("backend = 'dask' is refused: no cluster is connected; make a dask.distributed.Client first") from None
        raise InputError(f"backend = {backend!r} is refused: {error}") from None
