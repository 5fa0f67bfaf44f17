"""A search without markets: what a set is worth follows from its parameters alone, and a batch takes as long as is asked.

Run as a program it is a worker of a study, which a test may kill: `fake_search.py storage study trials seconds-a-batch`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backtest.optimization.cells import Figures
from backtest.optimization.evaluation import Clock, Evaluation
from backtest.optimization.records import Store, Trial
from backtest.optimization.scores import Score
from backtest.optimization.search import Search
from backtest.optimization.settings import Optimization
from backtest.optimization.space import Dimension
from backtest.optimization.storages import open_storage
from backtest.optimization.store import OptunaStore

SPACE = (Dimension("x", -1.0, 1.0), Dimension("count", 1.0, 9.0, integer=True), Dimension.choice("word", ["a", "b", "c"]))
DESIGN = 32
BATCH = 8
# Figures that JSON has no words for stand among them.
ODD = Figures(0.1, -0.2, 0.3, float("nan"), 1 / 3, float("inf"), -float("inf"), 7, 0)


def design(size: int = DESIGN) -> list[dict[str, Any]]:
    """Points, each different from all others."""
    return [{"x": -1.0 + 2.0 * place / size, "count": 1 + place % 9, "word": "abc"[place % 3]} for place in range(size)]


def evaluation(parameters: Mapping[str, Any], days: int = 40) -> Evaluation:
    """What a set comes to."""
    value = -((parameters["x"] - 0.3) ** 2) - 0.01 * parameters["count"] + (parameters["word"] == "b")
    daily = np.random.default_rng(int(1e6 * (parameters["x"] + 1.0))).normal(size=days).astype(np.float32)
    return Evaluation(dict(parameters), Score(value, (0.0, -0.5, parameters["x"]), (value,)), (ODD, ODD._replace(sharpe=value)), daily)


class FakeEvaluator:
    """Stands in for `Evaluator`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.clock = Clock()
        self.seconds = seconds

    def with_parameters(self, parameters: Mapping[str, Any]) -> Any:
        return parameters

    def evaluate(self, sets: Sequence[Mapping[str, Any]]) -> list[Evaluation]:
        time.sleep(self.seconds)
        return [evaluation(one) for one in sets]


def search(store: Store, trials: int, seconds: float = 0.0, sampler: str = "random", window: int = -1) -> list[Trial]:
    """Run what is missing of a study."""
    settings = Optimization(trials=trials, batch=BATCH, sampler=sampler)
    return Search(FakeEvaluator(seconds), SPACE, design(), settings, store, window).run()


def main() -> None:
    """A worker: see the module."""
    storage, study, trials, seconds = sys.argv[1:]
    print("begun", flush=True)
    store = OptunaStore(open_storage(storage), study, SPACE, poll_seconds=0.05)
    print(len(search(store, int(trials), float(seconds))), flush=True)


if __name__ == "__main__":
    main()
