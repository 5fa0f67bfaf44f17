"""What a reader of the label must not miss."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

import backtest as bt
from backtest.optimization.cells import Figures
from backtest.optimization.evidence.plateau import Plateau
from backtest.optimization.optimize import Choice, Optimizer, Row
from backtest.optimization.parts import Part
from backtest.optimization.records import DESIGN, MemoryStore, Trial
from backtest.optimization.settings import Optimization
from backtest.optimization.space import search_space
from backtest.optimization.tables import warning_sentences
from tests.backtest import frames

DAY = 86_400_000
FIGURES = Figures(0.1, 0.2, 0.3, 1.0, 1.0, 1.5, 0.6, 100, 0)


def market(instrument: bt.Instrument = frames.BTC, start: int = frames.START, days: int = 60) -> bt.Market:
    return bt.Market.from_frame(frames.bars(96 * days, start=start), instrument, "15m")


def outcome(*rows: Row) -> Any:
    return SimpleNamespace(settings=Optimization(), rows=rows)


def row(whose: str, kind: str, liquidations: int) -> Row:
    return Row(whose, kind, 0, Part(0, 10 * DAY), "BTCUSDT", FIGURES._replace(liquidations=liquidations), 0.0)


def test_coins_of_one_length_that_keep_their_account_need_no_warning() -> None:
    fine = outcome(row("best", "train", 0), row("defaults", "holdout", 1))
    assert warning_sentences(fine, [market(), market(frames.ETH)]) == []


def test_bars_that_are_not_used_are_told() -> None:
    late = market(frames.ETH, frames.START + 10 * DAY, 40)
    first, last = warning_sentences(outcome(), [market(), late])
    assert first.startswith("The study begins with ETHUSDT at ")
    assert last.startswith("The study ends with ETHUSDT at ")
    assert first.endswith(": earlier bars of the others are not used.")


def test_a_best_set_that_was_liquidated_is_told() -> None:
    rows = row("best", "test", 1), row("best", "holdout", 2), row("best", "train", 0)
    assert warning_sentences(outcome(*rows), [market()]) == ["The best set was liquidated in BTCUSDT validation 1, BTCUSDT holdout."]


def test_evidence_that_is_not_known_says_why() -> None:
    """Forty train days, no holdout, no plateau, and no set that keeps the constraints in either window."""
    strategy = bt.StaticGrid()
    optimizer = Optimizer(
        [market()], strategy, bt.Account(), bt.Execution(), Optimization(windows=1), search_space(type(strategy)), MemoryStore(), 1, 24.0
    )
    days = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    trials = tuple(Trial(k, DESIGN, k, 0, {}, 0.1, -3.0, (1.0,), (FIGURES,), days[:, k]) for k in range(3))
    flat = Plateau(math.nan, math.nan, 0.1, (), np.zeros((0, 0)), np.zeros(0))
    choices = [Choice(window, {}, trials[0], flat, trials) for window in (0, 1)]
    daily = {"train": [(0, days[:, 0])], "test": [(0, days[:, 1])]}
    proof = optimizer._proof(choices, daily, None, math.nan)
    assert proof.verdict.label != "robust"
    words = " ".join(proof.left_out)
    assert "The deflated Sharpe ratio needs 60 train days (there are 40)" in words
    assert "The plateau share needs a best score above zero" in words
    assert "overfitting" not in words
    assert "constraints in window 1:" in words
    assert "constraints in window 2:" in words
