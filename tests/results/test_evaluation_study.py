"""The evaluation study: the estimator on cases worked out by hand, attempts that are runs, paths that are made of sessions."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

import backtest as bt
from backtest.evaluation.attempts import attempt, session_starts
from backtest.evaluation.chart import write_evaluation_chart
from backtest.evaluation.incidence import cumulative_incidence
from backtest.evaluation.paths import path_wallet, whole_sessions
from backtest.evaluation.rendering import as_json, evaluation_table
from backtest.evaluation.study import EvaluationStudy, _wallet, evaluation_study, expected_value
from backtest.report.findings import assumptions
from engine.risk_gates import OUTCOMES, PASSED
from tests.backtest import frames

HOUR = 3_600_000
RULES = bt.Evaluation(daily_loss_limit=20.0, trailing_drawdown=30.0, exposure_cap=None, daily_target=None, profit_target=12.0)
GRID = bt.StaticGrid(step=0.004, grid_levels=6)
TERMS = (RULES, bt.Account(leverage=3.0))
FEW = {"horizon": 12, "draws": 100, "threads": 2}


@cache
def market(days: int = 60) -> bt.Market:
    return bt.Market.from_frame(frames.bars(days * 24, step=HOUR, seed=3), frames.BTC, "1h")


def prepared() -> Any:
    return _wallet(((market(),), GRID, TERMS[1], bt.Execution(), None), RULES)


@cache
def study(paths: int = 20) -> EvaluationStudy:
    return evaluation_study(market(), GRID, *TERMS, paths=paths, **FEW)


def test_the_estimator_on_an_example_worked_by_hand() -> None:
    """Six attempts: pass on 1, fail on 2, open after 2, pass on 3, fail on 3, open after 4.

    Day 1: 6 at risk, 1/6 pass. Day 2: 5 at risk, 5/6*1/5 = 1/6 fail, 2/3 are open. Day 3: 3 at risk, 2/3*1/3 = 2/9 each.
    """
    days, outcome = np.array([1, 2, 2, 3, 3, 4]), np.array([1, 2, 0, 1, 2, 0])
    passed, failed = cumulative_incidence(days, outcome, 2, 4)
    assert passed == pytest.approx([0, 1 / 6, 1 / 6, 1 / 6 + 2 / 9, 1 / 6 + 2 / 9])
    assert failed == pytest.approx([0, 0, 1 / 6, 1 / 6 + 2 / 9, 1 / 6 + 2 / 9])


CASES = st.lists(st.tuples(st.integers(1, 8), st.integers(0, 3)), min_size=1, max_size=30)


@given(CASES)
@settings(deadline=None, max_examples=60)
def test_the_estimator_keeps_the_laws_of_probability(cases: list[tuple[int, int]]) -> None:
    days, outcome = np.array(cases).T
    curves = cumulative_incidence(days, outcome, 3, 8)
    assert (np.diff(curves, axis=1) >= 0.0).all()
    assert curves[:, -1].sum() <= 1.0 + 1e-12
    # One minus the sum is Kaplan and Meier's curve of being open, here as a plain product.
    still = 1.0
    for day in range(1, 9):
        at_risk = int((days >= day).sum())
        if at_risk:
            still *= 1.0 - int(((days == day) & (outcome > 0)).sum()) / at_risk
        assert 1.0 - curves[:, day].sum() == pytest.approx(still, abs=1e-12)


@given(CASES)
@settings(deadline=None, max_examples=40)
def test_without_censoring_the_estimator_is_the_share(cases: list[tuple[int, int]]) -> None:
    days, outcome = np.array(cases).T
    outcome = np.maximum(outcome, 1)
    shares = [[np.mean((outcome == cause) & (days <= day)) for day in range(9)] for cause in (1, 2, 3)]
    assert cumulative_incidence(days, outcome, 3, 8) == pytest.approx(np.array(shares), abs=1e-12)


def test_the_expected_value_by_hand() -> None:
    """Half pass and a quarter fail: one reset is bought with probability 1/4, and passes with 1/2."""
    rules = bt.Evaluation(fee=100.0, reset_fee=80.0, resets=1, payout=1000.0)
    assert expected_value(rules, 0.5, 0.25) == pytest.approx(1000.0 * 0.5 * 1.25 - 100.0 - 80.0 * 0.25)
    assert expected_value(rules.replace(resets=0), 0.5, 0.25) == pytest.approx(400.0)


def test_an_attempt_is_the_run_from_its_first_bar() -> None:
    """The outcome and the day are those of `bt.run` on the bars from that session on."""
    combination, wallet = prepared()
    begins = session_starts(wallet.feed, wallet.start)
    assert begins.tolist() == list(range(24, 60 * 24, 24))
    met = set()
    for start in begins[::4].tolist():
        found = attempt(combination, wallet, start, 12)
        stop = min(start + 12 * 24, 60 * 24)
        part = replace(market().slice(int(market().time[start - 1]), int(market().time[stop - 1]) + HOUR), trade_from=1)
        alone = bt.run(part, GRID, TERMS[1], evaluation=RULES).ledgers[0].account
        assert found.outcome == alone["outcome"]
        day = int(alone["outcome_time"] - market().time[start]) // (24 * HOUR) + 1 if found.outcome else (stop - start) // 24
        assert found.days == day
        met.add(found.outcome)
    assert len(met) >= 2, "the market decides nothing"


def test_the_study_counts_every_start_and_says_so() -> None:
    found = study()
    assert found.starts.attempts == found.sessions == 59
    assert found.starts.values.shape == (len(OUTCOMES) - 1, 13)
    assert sum(found.starts.at(outcome) for outcome in range(len(OUTCOMES))) == pytest.approx(1.0)
    assert 0.0 < found.starts.at(PASSED) < 1.0
    met = found.starts.values[:, -1] > 0.0
    assert (found.starts.low[1:][met] <= found.starts.high[1:][met]).all()
    assert np.isnan(found.starts.low[1:][~met]).all()
    assert found.effective_starts == pytest.approx(59 / found.starts.mean_days)
    text = " ".join(found.sentences())
    for words in ("59 starts", "worth about", "20 paths", "cut off", f"on a capital of {TERMS[1].capital:,g}"):
        assert words in text


def test_no_interval_of_few_starts_or_of_draws_that_are_all_alike() -> None:
    """Starts that overlap nearly all are one start: their draws would show a certainty that is not there."""
    paid = RULES.replace(payout=100.0, fee=10.0)
    few = evaluation_study(market(10), GRID, paid, TERMS[1], paths=0, **FEW)
    assert few.effective_starts < 10.0
    assert np.isnan([*few.starts.low, *few.starts.high, *few.expected_value[1:]]).all()
    words = " ".join(few.sentences())
    assert "too few for an interval" in words
    assert "Intervals (5 to 95 %)" not in words
    assert " to " not in next(line for line in few.sentences() if line.startswith("Expected value")).split(":")[0]
    unreachable = paid.replace(profit_target=1e9, daily_loss_limit=None, trailing_drawdown=None)
    alike = evaluation_study(market(), GRID, unreachable, TERMS[1], paths=0, **FEW | {"horizon": 2})
    assert alike.effective_starts >= 10.0
    assert alike.expected_value[0] == -10.0
    assert np.isnan(alike.expected_value[1:]).all()


def test_threads_and_repetition_change_nothing() -> None:
    one, again = (evaluation_study(market(), GRID, *TERMS, paths=5, horizon=6, draws=100, threads=threads) for threads in (1, 2))
    assert json.dumps(as_json(one)) == json.dumps(as_json(again))


def test_a_path_is_made_of_whole_sessions_joined_by_returns() -> None:
    _, wallet = prepared()
    sessions = whole_sessions(wallet)
    drawn = np.array([3, 4, 10, 3])
    made = path_wallet(wallet, sessions, drawn, 3, 14)
    bars, source = made.feed.bars[0], wallet.feed.bars[0]
    assert made.start == 24
    assert bars.shape == (5, 96)
    for place, session in enumerate(drawn.tolist()):
        first = int(sessions.first[session])
        own = source[:4, first : first + 24] / source[3, first - 1]
        before = bars[3, place * 24 - 1] if place else source[3, sessions.first[3] - 1]
        assert bars[:4, place * 24 : place * 24 + 24] / before == pytest.approx(own, rel=1e-12)
        assert np.array_equal(bars[4, place * 24 : place * 24 + 24], source[4, first : first + 24])
    assert np.array_equal(made.feed.sessions[0], np.repeat(np.arange(4), 24))
    offsets, rates = wallet.feed.funding_offsets[0], wallet.feed.funding_rates
    assert np.array_equal(made.feed.funding_rates, np.concatenate([rates[offsets[f] : offsets[f + 24]] for f in sessions.first[drawn]]))


def test_a_result_carries_its_own_settings() -> None:
    direct = evaluation_study(market(), GRID, *TERMS, paths=0, **FEW)
    result = bt.run(market(), GRID, TERMS[1], evaluation=RULES)
    assert json.dumps(as_json(evaluation_study(result, paths=0, **FEW))) == json.dumps(as_json(direct))
    with pytest.raises(bt.InputError, match="beside a result"):
        evaluation_study(result, GRID)


def test_a_run_under_rules_names_them_beside_its_assumptions() -> None:
    told = assumptions(bt.run(market(), GRID, TERMS[1], evaluation=RULES))["rules above it"]
    assert told == "target 12, daily loss 20, drawdown 30 end of day; sessions 00:00 to 00:00 UTC, flat at their end"
    assert "rules above it" not in assumptions(bt.run(market(), GRID, TERMS[1]))


def test_several_coins_need_one_wallet() -> None:
    both = [market(), bt.Market.from_frame(frames.bars(60 * 24, step=HOUR, seed=4), frames.ETH, "1h")]
    with pytest.raises(bt.InputError, match="one account"):
        evaluation_study(both, GRID, RULES)
    found = evaluation_study(both, GRID, RULES, bt.Account(wallet="shared", leverage=3.0), paths=3, **FEW)
    assert found.symbols == ("BTCUSDT", "ETHUSDT")
    assert found.paths is not None


@pytest.mark.parametrize(("name", "value"), [("horizon", 0), ("paths", -1), ("draws", 5), ("threads", 0), ("seed", -1)])
def test_numbers_out_of_range_are_refused(name: str, value: int) -> None:
    with pytest.raises(bt.InputError, match=name):
        evaluation_study(market(), GRID, *TERMS, **{name: value})


def test_too_few_sessions_for_paths_are_said_and_none_is_refused() -> None:
    found = evaluation_study(market(10), GRID, *TERMS, paths=5, **FEW)
    assert found.paths is None
    assert "at least 20" in found.paths_left_out
    with pytest.raises(bt.InputError, match="no session begins"):
        evaluation_study(market(1), GRID, *TERMS)


def test_table_json_and_chart(tmp_path: Path) -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(evaluation_table(study()))
    for words in ("passed", "failed: trailing drawdown", "still open", "paths"):
        assert words in out.getvalue()
    told: dict[str, Any] = json.loads(json.dumps(as_json(study()), allow_nan=False))
    assert told["starts"]["outcomes"]["passed"]["probability"] == pytest.approx(study().starts.at(PASSED))
    assert len(told["starts"]["outcomes"]["passed"]["by_session"]) == 13
    assert "by_session" not in told["starts"]["outcomes"]["still open"]
    written = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        write_evaluation_chart(study(), folder)
        written.append((folder / "evaluation.png").read_bytes())
    assert written[0] == written[1]
    assert study().starts.days_to(PASSED) >= 1
