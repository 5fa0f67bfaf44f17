"""Progress of a run: pieces of bars give the same bits, and only a terminal that has waited two seconds is told."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import backtest as bt
from backtest import run_progress as progress
from tests.backtest import frames


def markets(count: int, bars: int = 400) -> list[bt.Market]:
    """Jumpy markets with gaps, of which the second is listed later and ends earlier."""
    out = []
    for k in range(count):
        table = frames.bars(bars, seed=20 + k)
        prices = ["open", "high", "low", "close"]
        jump = np.where(np.arange(bars) >= 300, 0.8, 1.0)
        table[prices] = np.round(table[prices].mul(jump, axis=0), 1)
        table = table.drop(index=range(150, 155))
        if k == 1:
            table = table.iloc[60:-40].reset_index(drop=True)
        out.append(bt.Market.from_frame(table, (frames.BTC, frames.ETH)[k], "15m"))
    return out


CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "one coin": (1, {}),
    "liquidated": (1, {"leverage": 100.0, "exposure": 100.0}),
    "goes on after it": (1, {"leverage": 100.0, "exposure": 100.0, "after_liquidation": "continue"}),
    "isolated": (1, {"leverage": 20.0, "margin": "isolated"}),
    "two wallets": (2, {"leverage": 5.0}),
    "one wallet": (2, {"leverage": 30.0, "wallet": "shared"}),
}


@pytest.mark.parametrize("strategy", [bt.StaticGrid(step=0.004, order_pct=0.1), bt.AdaptiveGrid()], ids=["static", "adaptive"])
@pytest.mark.parametrize(("count", "terms"), CASES.values(), ids=CASES)
def test_pieces_give_the_same_bits(monkeypatch: pytest.MonkeyPatch, strategy: Any, count: int, terms: dict[str, Any]) -> None:
    account = bt.Account(capital=20_000.0, **terms)
    whole = bt.run(markets(count), strategy, account)
    for size in (1, 7, 10_000):
        monkeypatch.setattr(progress, "BARS_BETWEEN", size)
        told: list[tuple[int, int]] = []
        pieces = bt.run(markets(count), strategy, account, watch=lambda done, total, told=told: told.append((done, total)))
        for one, other in zip(whole.ledgers, pieces.ledgers, strict=True):
            assert one.equity.tobytes() == other.equity.tobytes()
            assert one.events.tobytes() == other.events.tobytes()
            assert one.account.tobytes() == other.account.tobytes()
            assert one.states.tobytes() == other.states.tobytes()
            assert one.memory == other.memory
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1] == sum(market.time.size for market in whole.markets)
        assert len(told) == (len(whole.ledgers) if size == 10_000 else len(told))
        assert size == 10_000 or len(told) > 30


def test_the_cases_are_those_they_are_named_after() -> None:
    assert len(bt.run(markets(1), bt.StaticGrid(step=0.004, order_pct=0.1), bt.Account(**CASES["one coin"][1])).trades) > 50
    for name in ("liquidated", "goes on after it"):
        account = bt.Account(capital=20_000.0, **CASES[name][1])
        assert bt.run(markets(1), bt.StaticGrid(step=0.004, order_pct=0.1), account).liquidated


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_told_after_two_seconds() -> None:
    clock, stream = Clock(), Terminal()
    with progress.run_progress(quiet=False, stream=stream, clock=clock) as watch:
        assert watch is not None
        watch(10, 100)
        clock.now += 1.9
        watch(20, 100)
        assert stream.getvalue() == ""
        clock.now += 0.2
        watch(30, 100)
        watch(40, 100)
    assert "running" in stream.getvalue()
    assert "40/100" in stream.getvalue()


def test_a_run_that_is_over_then_says_nothing() -> None:
    clock, stream = Clock(), Terminal()
    with progress.run_progress(quiet=False, stream=stream, clock=clock) as watch:
        assert watch is not None
        clock.now += 60.0
        watch(100, 100)
    assert "running" not in stream.getvalue()


def test_nobody_is_told_when_quiet_or_in_a_pipe() -> None:
    for quiet, stream in ((True, Terminal()), (False, io.StringIO())):
        with progress.run_progress(quiet=quiet, stream=stream) as watch:
            assert watch is None
        assert stream.getvalue() == ""
