"""`python -m benchmarks.optimizer_storage [--storage WHERE ...]`: what keeping trials costs, beside Optuna's own way of adding one.

Trials of 20 parameters, 6 cells and 700 days, in batches of 16. Seconds for each 1,000 trials, wall and processor.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from optuna.storages import BaseStorage

from backtest.optimization.cells import Figures
from backtest.optimization.encoding import frozen_trials
from backtest.optimization.evaluation import Evaluation
from backtest.optimization.proposer import distribution_of
from backtest.optimization.records import SEARCH, Lease
from backtest.optimization.scores import Score
from backtest.optimization.space import Dimension
from backtest.optimization.storages import open_storage
from backtest.optimization.store import OptunaStore, study_number

BATCH = 16
SPACE = tuple(Dimension(f"parameter_{place}", 0.0, 1.0) for place in range(20))
DISTRIBUTIONS = {dimension.name: distribution_of(dimension) for dimension in SPACE}


def evaluations(random: np.random.Generator) -> list[Evaluation]:
    """A batch of results."""
    figures = tuple(Figures(*(float(one) for one in random.normal(size=7)), 50, 0) for _ in range(6))
    return [
        Evaluation(
            {dimension.name: float(random.random()) for dimension in SPACE},
            Score(float(random.normal()), (0.0,) * 4, ()),
            figures,
            random.normal(size=700).astype(np.float32),
        )
        for _ in range(BATCH)
    ]


def in_batches(storage: BaseStorage, count: int) -> None:
    """As a search does it: a lease, a batch, a look at what is there."""
    store = OptunaStore(storage, "batches", SPACE)
    random = np.random.default_rng(1)
    for _ in range(count // BATCH):
        lease = store.lease(SEARCH, -1, count, BATCH)
        assert lease is not None
        store.commit(lease, evaluations(random))
        store.trials(-1)


def one_by_one(storage: BaseStorage, count: int) -> None:
    """Each trial by itself, through Optuna."""
    study = study_number(storage, "single")
    random = np.random.default_rng(1)
    for _ in range(count // BATCH):
        for trial in frozen_trials(Lease(1, SEARCH, -1, BATCH), evaluations(random), DISTRIBUTIONS):
            storage.create_new_trial(study, trial)


def seconds(work: Callable[[BaseStorage, int], None], storage: BaseStorage, count: int) -> tuple[float, float]:
    """Wall and processor seconds for 1,000 trials."""
    wall, processor = time.perf_counter(), time.process_time()
    work(storage, count)
    return (time.perf_counter() - wall) / count * 1000, (time.process_time() - processor) / count * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizer_storage", description=__doc__)
    parser.add_argument("--storage", metavar="WHERE", nargs="*", default=[], help="others to measure, such as postgresql://...")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places = {"journal": str(Path(folder) / "studies.log"), "SQLite": str(Path(folder) / "studies.db")}
        places |= {text.partition(":")[0]: text for text in options.storage}
        print("s for 1,000 trials    batches: wall  processor    one by one: wall  processor    opened again")
        for name, text in places.items():
            batches = seconds(in_batches, open_storage(text), 1008)
            single = seconds(one_by_one, open_storage(text), 208)
            began = time.perf_counter()
            OptunaStore(open_storage(text), "batches", SPACE).trials(-1)
            print(
                f"{name:<22}{batches[0]:>13.2f}{batches[1]:>11.2f}{single[0]:>20.2f}{single[1]:>11.2f}{time.perf_counter() - began:>16.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
