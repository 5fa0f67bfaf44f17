"""A run that closes at its end, against the twin: every lot goes at the last close, less slippage, for the taker fee."""

from __future__ import annotations

import numpy as np
import pytest

from backtest.run import with_absent_bar
from tests.agreement.compared import equity_difference
from tests.agreement.compiled import differences, events_of, feed_of, machine_of
from tests.twin.random_runs import random_run
from tests.twin.simulate import simulate


@pytest.mark.parametrize("kind", ["ordinary", "violent"])
def test_the_end_of_the_run_agrees_with_the_twin(kind: str) -> None:
    closed = 0
    for seed in range(30):
        run = random_run(seed, 90, kind)
        run["execution"]["close_at_end"] = True
        events, equity, _ = simulate(**run)
        machine = machine_of(run)
        feed = with_absent_bar(feed_of(run), run["timeframe_ms"])
        log, mine = machine.run(feed, machine.indicators(feed), run["trade_from"], len(run["time"]))
        assert not differences(events_of(log), events), f"seed {seed}"
        assert not equity_difference(mine.tolist(), equity[run["trade_from"] :], run), f"seed {seed}"
        assert not machine.states["lot_count"].any()
        assert np.isclose(mine[-1], machine.accounts["wallet"][0], rtol=0.0, atol=0.0)
        closed += sum(event["label"] == "END_OF_RUN" for event in events)
    assert closed > 20
