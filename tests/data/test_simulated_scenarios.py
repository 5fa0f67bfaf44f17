"""Named scenarios: what they state is what they lay over the market, at dates that nobody's request moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backtest.data.built_in import built_in_instrument
from backtest.data.load import load
from backtest.data.simulated.path import coin_path
from backtest.data.simulated.scenarios import event_minutes, scenario_of, scenarios
from backtest.data.simulated.source import WORLD_START, simulated_bars
from backtest.data.simulated.world import MINUTES
from backtest.data.timeframe import DAY, HOUR, MINUTE, utc_text
from engine.errors import InputError
from tests.backtest.frames import BTC

NAMES = ["default", "chop", "bull", "bear", "crash", "pump", "flash_crash", "gap", "calm"]
YEAR = 365 * 1440


def laid_over(name: str) -> np.ndarray:
    """Price over the price at the start that the scenario alone would give, at the close of each minute."""
    return np.exp(scenario_of(name).lay_over(np.zeros(MINUTES)))


def log_path(name: str, seed: int = 1) -> np.ndarray:
    return coin_path(BTC, seed, scenario_of(name)).log_price


def test_the_table_names_all_and_says_who_has_an_edge():
    assert [scenario.name for scenario in scenarios()] == NAMES
    for scenario in scenarios():
        assert scenario.contains
        assert ("no edge by construction" in scenario.edge) is not scenario.has_edge
        assert "by construction" in scenario.edge
    assert scenario_of("none") is scenario_of("default")


@pytest.mark.parametrize("name", NAMES)
def test_the_source_says_simulated_the_name_the_contents_and_the_edge(name):
    made = load("BTC", start="2025-12-01", end="2025-12-02", warmup=0, source="simulated", scenario=name)
    stated = scenario_of(name)
    assert made.source.startswith(f"SIMULATED market, scenario {name} ({stated.contains}), seed 1, {stated.edge}: BTCUSDT")
    assert made.simulated


@pytest.mark.parametrize(
    ("wrong", "hint"), [("crsh", "did you mean crash"), ("flashcrash", "flash_crash"), ("", "it must be one of"), (3, "one of")]
)
def test_an_unknown_name_is_refused_with_the_nearest(wrong, hint):
    with pytest.raises(InputError, match=hint) as refused:
        scenario_of(wrong)
    assert f"scenario = {wrong!r} is refused" in str(refused.value)
    assert "default, chop, bull, bear, crash, pump, flash_crash, gap, calm" in str(refused.value)


def test_events_stand_at_stated_dates():
    dates = [utc_text(WORLD_START + MINUTE * minute) for minute in event_minutes()]
    assert dates[:3] == ["2023-08-15 12:00", "2023-11-15 12:00", "2024-02-15 12:00"]
    assert len(dates) == 10


@pytest.mark.parametrize("name", ["default", "calm"])
def test_scenarios_without_an_edge_lay_no_drift(name):
    assert (laid_over(name) == 1.0).all()
    assert not scenario_of(name).has_edge


def test_bull_and_bear_rise_and_fall_as_stated():
    assert laid_over("bull")[YEAR - 1] == pytest.approx(2.5)
    assert laid_over("bear")[YEAR - 1] == pytest.approx(0.4)
    # The same moves as in the default market, on a slope.
    apart = log_path("bull") - log_path("default")
    assert np.abs(apart - np.log(2.5) * np.arange(MINUTES + 1) / YEAR).max() < 1e-9


def test_a_crash_falls_55_percent_in_two_days_and_comes_back_in_sixty():
    price = laid_over("crash")
    for start in event_minutes():
        assert price[start - 1] == pytest.approx(1.0, abs=1e-9)
        assert price[start + 2 * 1440 - 1] == pytest.approx(0.45)
        assert price[start : start + 2 * 1440].min() == pytest.approx(0.45)
        if start + 62 * 1440 < MINUTES:
            assert price[start + 62 * 1440 - 1] == pytest.approx(1.0)


def test_a_flash_crash_falls_35_percent_within_the_hour_and_makes_up_80_percent_of_it_in_four():
    price = laid_over("flash_crash")
    start = event_minutes()[0]
    assert price[start + 44] == pytest.approx(0.65)
    assert price[start : start + 60].min() == pytest.approx(0.65)
    assert price[start + 60 + 225 - 1] == pytest.approx(1.0 - 0.35 * 0.2)
    assert price[start + 15 * 1440] == pytest.approx(1.0)


def test_a_pump_rises_60_percent_in_twelve_hours_and_gives_it_back():
    price = laid_over("pump")
    start = event_minutes()[0]
    assert price[start + 719] == pytest.approx(1.6)
    assert price[start + 720 + 21 * 1440] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "hours", "low", "high"), [("crash", 48, 0.30, 0.62), ("flash_crash", 1, 0.55, 0.75), ("pump", 12, 1.35, 1.9)]
)
def test_the_bars_show_the_event(name, hours, low, high):
    ratios = []
    for start in event_minutes()[:5]:
        begin = WORLD_START + MINUTE * start
        _, values = simulated_bars(BTC, 2, begin, begin + hours * HOUR, name)
        extreme = values[1].max() if name == "pump" else values[2].min()
        ratios.append(extreme / values[0, 0])
    assert low < np.median(ratios) < high


def test_volatility_rises_in_an_event_and_calms_down_after_it():
    usual, crash = (coin_path(BTC, 1, scenario_of(name)).sigma for name in ("default", "crash"))
    start = event_minutes()[0]
    factor = crash[start - 1 : start + 60 * 1440] / usual[start - 1 : start + 60 * 1440]
    assert factor[0] == pytest.approx(1.0, abs=1e-3)
    assert np.abs(factor[1 : 2 * 1440] - 2.5).max() < 1e-9
    assert factor[6 * 1440] == pytest.approx(np.sqrt(2.5), rel=1e-3)
    assert factor[-1] < 1.001


def test_calm_is_a_sixth_and_has_no_bursts():
    usual, calm = (coin_path(BTC, 1, scenario_of(name)).sigma for name in ("default", "calm"))
    moving = usual > 0
    ratio = calm[moving] / usual[moving]
    assert np.median(ratio) == pytest.approx(1 / 6)
    assert ratio.max() == pytest.approx(1 / 6)
    assert ratio.min() < 0.1  # where the usual market bursts


def test_chop_comes_back_to_its_level():
    away = log_path("chop")
    assert np.abs(away).max() < 0.5
    hours = away[::60]
    # Three hours from a displacement half of it is left on average; of the default market's, all.
    slope = float(hours[:-3] @ hours[3:] / (hours[:-3] @ hours[:-3]))
    assert slope == pytest.approx(0.5, abs=0.05)
    free = log_path("default")[::60]
    assert float(free[:-3] @ free[3:] / (free[:-3] @ free[:-3])) > 0.97


@pytest.mark.parametrize("name", ["crash", "chop", "flash_crash"])
def test_dates_asked_for_move_no_price(name):
    begin = WORLD_START + 40 * DAY
    whole = simulated_bars(BTC, 3, begin, begin + 10 * DAY, name)[1]
    part = simulated_bars(BTC, 3, begin + 4 * DAY, begin + 6 * DAY, name)[1]
    assert np.array_equal(whole[:, 4 * 1440 : 6 * 1440], part)


def test_coins_crash_together():
    start = event_minutes()[0]
    for coin in ("ETH", "SOL"):
        path = coin_path(built_in_instrument(coin), 1, scenario_of("crash")).log_price
        assert path[start + 2880] - path[start] < -0.3


def test_a_scenario_is_data_and_can_be_changed():
    mild = replace(scenario_of("bear"), year_ratio=0.9)
    assert np.exp(mild.lay_over(np.zeros(MINUTES)))[YEAR - 1] == pytest.approx(0.9)


def test_a_gap_is_a_halt_and_a_jump_that_no_order_trades_in():
    event = WORLD_START + MINUTE * event_minutes()[2]
    time, values = simulated_bars(BTC, 1, event - HOUR, event + 2 * HOUR, "gap")
    opens, highs, lows, closes, volumes = values
    still = (time >= event) & (time < event + HOUR)
    assert (volumes[still] == 0.0).all()
    assert (volumes[~still] > 0.0).all()
    assert np.ptp(values[:4, still]) == 0.0
    # The price before, and 18 % lower at the first trade after.
    after = int(np.flatnonzero(time == event + HOUR)[0])
    assert opens[after] / closes[after - 1] == pytest.approx(0.82, abs=1e-4)
    others = np.delete(np.arange(1, time.size), after - 1)
    assert np.array_equal(opens[others], closes[others - 1])
    assert (lows <= np.minimum(opens, closes)).all()
    assert (highs >= np.maximum(opens, closes)).all()
    # Bars of any length up to an hour show the hole between them, so a stop fills behind it.
    market = load("BTC", start="2024-02-15", end="2024-02-16", warmup=0, source="simulated", scenario="gap", timeframe="1h")
    assert market.open[13] / market.close[12] == pytest.approx(0.82, abs=1e-4)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (
            "2024-01-01",
            "2024-02-01",
            "SIMULATED: no event of scenario crash begins between 2024-01-01 00:00 and 2024-02-01 00:00 UTC; they begin",
        ),
        ("2024-02-01", "2024-06-01", "SIMULATED: events of scenario crash begin at 2024-02-15 12:00, 2024-05-15 12:00 UTC."),
    ],
)
def test_the_notes_say_which_events_the_dates_hold(start, end, words):
    notes = load("BTC", start=start, end=end, warmup=0, source="simulated", scenario="crash", timeframe="1h").notes
    assert any(note.startswith(words) for note in notes)


def test_scenarios_without_events_speak_of_none():
    market = load("BTC", start="2024-01-01", end="2024-02-01", scenario="bear", timeframe="1d", warmup=0)
    assert not any("event" in note for note in market.notes)
