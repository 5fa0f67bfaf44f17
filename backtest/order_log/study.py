"""`order_log`: a result, replayed bar by bar, with everything that happened to its orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.order_log.record import Recorder, row_dtype
from backtest.order_log.replay import Wallet
from backtest.order_log.table import as_frame
from backtest.sensitivity.again import Again
from engine.errors import InputError
from engine.evaluation import Evaluation
from engine.records import END_OF_RUN_LABEL

if TYPE_CHECKING:
    from backtest.ledger import Ledger
    from backtest.result import Result

# Bars between two calls of the caller's `watch`.
_BARS_A_CALL = 500


def _wallet_rows(result: Result, ledger: Ledger, tell: Callable[[int], None]) -> np.ndarray:
    """The rows of one wallet. Raises RuntimeError when the replay is not the run."""
    wallet = Wallet.of(result, ledger)
    step = wallet.stepper(result)
    recorder = Recorder(step)
    equity = np.empty(wallet.stop - wallet.start)
    for place, i in enumerate(range(wallet.start, wallet.stop)):
        wallet.decide(step, i)
        recorder.decided()
        fills = wallet.match(step, i)
        recorder.matched(int(wallet.feed.time[i]), wallet.begin + i, fills, wallet.delisted(i))
        equity[place] = step.equity
        if place % _BARS_A_CALL == 0:
            tell(place)
    tell(len(equity))
    # What a run closes at its end (`close_at_end`) is no order and is not replayed: the last bar's equity and those events stand apart.
    compared = len(equity) - int(result.execution.close_at_end)
    same = np.array_equal(equity[:compared], ledger.equity[ledger.equity.size - equity.size :][:compared], equal_nan=True)
    events = ledger.events[ledger.events["label"] != END_OF_RUN_LABEL]
    if not same or (ledger.has_log and step.log.tobytes() != events.tobytes()):
        raise RuntimeError(f"the replay of {', '.join(ledger.symbols)} gives other trades than the run: its orders are not the run's")
    return np.concatenate(recorder.rows) if recorder.rows else np.empty(0, row_dtype)


def check_replayable(evaluation: Evaluation | None) -> None:
    """Raise InputError when a run cannot be stepped through."""
    if evaluation is not None:
        raise InputError("the order log is refused together with [evaluation]: a run is stepped through without such rules")


def order_log(result: Result, watch: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """Every placement, cancel, refusal, fill and expiry of a run, found by stepping through its bars again.

    watch: called now and then with the number of bars done and of all. The run itself is not slowed: nothing is recorded
    until this is called, which takes much longer than the run.
    Returns a table with the columns of `backtest.order_log.COLUMNS`, in order of time; the rows of a bar stand in the order
    of `ACTIONS`: first what the decision before the bar did (CANCEL, PLACE, REFUSE), then the bar (FILL, EXPIRE). An order
    that a strategy quotes anew at the same price is cancelled and placed, as the engine does it. So of each order:
    one PLACE, then nothing (it rests at the end), or a CANCEL, an EXPIRE or a FILL with nothing `remaining`.
    Raises InputError for a result that cannot be run again (read from files, or part of a larger run), RuntimeError when the
    replay gives other trades than the run, which would be a fault of this program.
    """
    check_replayable(result.evaluation)
    Again(result)  # refuses what cannot be run again, in one sentence
    total, done = sum(ledger.equity.size for ledger in result.ledgers), 0
    tables = []
    for ledger in result.ledgers:
        before = done

        def tell(bars: int, before: int = before) -> None:
            if watch is not None:
                watch(before + bars, total)

        tables.append(as_frame(_wallet_rows(result, ledger, tell), ledger.symbols, result.symbols))
        done += ledger.equity.size
    table = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    return table.sort_values("time", kind="stable", ignore_index=True) if len(tables) > 1 else table
