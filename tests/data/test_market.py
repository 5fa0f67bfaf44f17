"""Markets from tables: forms of a table, rules on rows, gaps, funding, mark prices, slices."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.market import Market
from engine.errors import InputError
from engine.records import GAP, TRADED
from gridcore.funding import synthetic_funding
from tests.backtest.frames import BTC, ETH, QUARTER, START, bars

HOUR = 3_600_000
FIELDS = ("open", "high", "low", "close", "volume")


def market(frame: pd.DataFrame, **options) -> Market:
    return Market.from_frame(frame, BTC, "15m", **options)


def same_bars(one: Market, other: Market) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("time", *FIELDS, "kind", "missing"))


def test_arrays_are_the_table():
    frame = bars(50)
    made = market(frame)
    assert made.time.dtype == np.int64
    assert made.time.tolist() == frame["timestamp"].tolist()
    for name in FIELDS:
        assert getattr(made, name).dtype == np.float64
        assert getattr(made, name).flags.c_contiguous
        assert getattr(made, name).tolist() == frame[name].tolist()
    assert made.kind.dtype == np.int8
    assert (made.kind == TRADED).all()
    assert (made.trade_from, made.simulated, made.mark, made.sub_bars, len(made)) == (0, False, None, None, 50)
    assert made.source == "a DataFrame of BTCUSDT 15m, 50 bars from 2024-01-01 00:00 to 2024-01-01 12:30 UTC"


def with_index(frame: pd.DataFrame, zone: str | None) -> pd.DataFrame:
    index = pd.to_datetime(frame["timestamp"], unit="ms", utc=True)
    return frame.drop(columns="timestamp").set_index(pd.DatetimeIndex(index).tz_convert(zone))


def with_time(frame: pd.DataFrame, name: str, values) -> pd.DataFrame:
    return frame.drop(columns="timestamp").assign(**{name: values})


FORMS = {
    "naive index": lambda f: with_index(f, None),
    "UTC index": lambda f: with_index(f, "UTC"),
    "index in another zone": lambda f: with_index(f, "Asia/Tokyo"),
    "datetime column": lambda f: with_time(f, "date", pd.to_datetime(f["timestamp"], unit="ms")),
    "aware column": lambda f: with_time(f, "time", pd.to_datetime(f["timestamp"], unit="ms", utc=True)),
    "seconds": lambda f: with_time(f, "time", f["timestamp"] // 1000),
    "seconds as floats": lambda f: with_time(f, "time", f["timestamp"] / 1000.0),
    "microseconds": lambda f: with_time(f, "open_time", f["timestamp"] * 1000),
    "nanoseconds": lambda f: with_time(f, "open_time", f["timestamp"] * 1_000_000),
    "ISO text": lambda f: with_time(f, "timestamp", pd.to_datetime(f["timestamp"], unit="ms").dt.strftime("%Y-%m-%dT%H:%M:%SZ")),
    "numbers as text": lambda f: f.astype({"timestamp": str, "close": str}),
    "capital names": lambda f: f.rename(columns=str.capitalize),
    "more columns": lambda f: f.assign(extra=1),
    "index of milliseconds": lambda f: f.set_index("timestamp"),
    "nullable types": lambda f: f.astype({"volume": "Float64", "timestamp": "Int64"}),
    "other row labels": lambda f: f.set_index(np.arange(len(f))[::-1]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_gives_the_same_market(form):
    frame = bars(20)
    assert same_bars(market(FORMS[form](frame)), market(frame))


def changed(row: int, **values) -> pd.DataFrame:
    frame = bars(20).astype(dict.fromkeys(values, object))
    for name, value in values.items():
        frame.loc[row, name] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (changed(7, high=1.0), r"row 7 of the frame \(2024-01-01 01:45\): the high is below the low"),
        (changed(7, low=39_999.0, high=60_000.0, open=39_000.0), r"row 7 .*01:45\): the low is above the open or the close"),
        (changed(7, open=60_000.0), r"row 7 .*01:45\): the high is below the open or the close"),
        (changed(3, close=float("nan")), r"row 3 .*00:45\): close is missing"),
        (changed(3, close=float("inf")), r"row 3 .*00:45\): close = inf is refused"),
        (changed(3, low=0.0), r"row 3 .*00:45\): low = 0 is refused"),
        (changed(3, volume=-1.0), r"row 3 .*00:45\): volume = -1 is refused"),
        (changed(3, high="40k"), r"row 3 .*00:45\): high = '40k' is not a number"),
        (bars(20).assign(close=True), r"row 0 .*00:00\): close = True is not a number"),
        (changed(3, timestamp="soon"), r"row 3 of the frame: timestamp = 'soon' is not a time"),
        (changed(3, timestamp=12), r"row 3 of the frame: timestamp = 12 is no time"),
        (changed(3, timestamp=None), r"row 3 of the frame has no time"),
        (changed(3, timestamp=START + 60_000), r"row 3 .*comes after 2024-01-01 00:30: the times must rise"),
        (changed(3, timestamp=START + 3 * QUARTER + 60_000), r"row 3 .*00:46\) is not on the 15m grid"),
        (bars(20).drop(columns="low"), "has no column low"),
        (bars(20).drop(columns="timestamp"), "has no column timestamp"),
        (bars(20).iloc[:0], "has no rows"),
        (bars(20, step=4 * QUARTER), "at least 60 minutes apart, so timeframe = 15m cannot be right"),
        (bars(20).assign(volume=0.0), "volume is 0 in every bar"),
        (pd.concat([bars(5), bars(5)["close"]], axis=1), "2 columns called close"),
        ([[1, 2, 3]], "must be a pandas DataFrame; it is a list"),
    ],
)
def test_a_broken_table_is_refused_in_one_sentence(frame, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        market(frame)
    assert "\n" not in str(refused.value)


def test_a_stray_far_time_is_refused_before_memory_is():
    frame = bars(5)
    frame.loc[4, "timestamp"] = START + 100_000_000 * QUARTER
    with pytest.raises(InputError, match="too long for 15m bars"):
        market(frame)


def test_duplicates_that_agree_are_dropped_and_noted_those_that_differ_refused():
    frame = bars(10)
    twice = pd.concat([frame.iloc[:4], frame.iloc[3:]], ignore_index=True)
    made = market(twice)
    assert same_bars(made, market(frame))
    assert "1 repeated rows that agree with the first were dropped." in made.notes
    twice.loc[4, "volume"] += 1.0
    with pytest.raises(InputError, match=r"row 4 .*00:45\) is there twice and the two differ: volume is"):
        market(twice)


def test_gaps_are_filled_flat_flagged_and_counted():
    frame = bars(20)
    made = market(frame.drop(index=[5, 6, 12]))
    assert np.array_equal(made.time, market(frame).time)
    assert np.flatnonzero(made.missing).tolist() == [5, 6, 12]
    assert np.flatnonzero(made.kind == GAP).tolist() == [5, 6, 12]
    for row, before in ((5, 4), (6, 4), (12, 11)):
        close = frame.loc[before, "close"]
        assert [getattr(made, name)[row] for name in FIELDS] == [close, close, close, close, 0.0]
    gaps = made.gaps
    assert (gaps.missing, gaps.holes, gaps.largest, gaps.silent) == (3, 2, 2, 0)
    assert gaps.percent == pytest.approx(15.0)
    assert any(
        note.startswith("3 bars (15 %) are missing in 2 gaps, the largest of 2 bars, the first at 2024-01-01 01:15") for note in made.notes
    )


def test_a_bar_without_volume_is_a_gap_that_keeps_its_prices():
    frame = bars(20)
    frame.loc[9, "volume"] = 0.0
    made = market(frame)
    assert np.flatnonzero(made.kind == GAP).tolist() == [9]
    assert made.high[9] == frame.loc[9, "high"]
    assert (made.gaps.missing, made.gaps.silent) == (0, 1)
    assert "1 bars saw no trade; nothing fills in them." in made.notes


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 38)), st.sets(st.integers(0, 39)))
def test_gap_counts_on_any_pattern(dropped, silent):
    frame = bars(40)
    frame.loc[sorted(silent), "volume"] = 0.0
    kept = frame.drop(index=sorted(dropped))
    if (kept["volume"] == 0.0).all():
        return
    made = market(kept)
    pattern = "".join("x" if row in dropped else "." for row in range(40))
    holes = [part for part in pattern.split(".") if part]
    assert (made.gaps.missing, made.gaps.holes, made.gaps.largest) == (len(dropped), len(holes), max(map(len, holes), default=0))
    assert made.gaps.silent == len(silent - dropped)
    assert np.array_equal(made.kind == TRADED, [row not in dropped | silent for row in range(40)])
    assert np.isfinite(made.close).all()


# --- funding --------------------------------------------------------------------------------------------------------


def test_without_history_funding_is_synthetic_on_the_eight_hour_clock():
    frame = bars(96 * 5)
    # A steep rise, so that the premium leaves its damper.
    frame[["open", "high", "low", "close"]] *= np.exp(0.002 * np.arange(len(frame)))[:, np.newaxis]
    made = market(frame)
    # (00:00 of the first day is the open of the first bar: not inside it.)
    assert made.funding_time.tolist() == [START + 8 * HOUR * k for k in range(1, 16)]
    assert made.funding_is_synthetic.all()
    assert made.synthetic_funding_share == 1.0
    closes = frame["close"].to_numpy()
    expected = synthetic_funding(closes, 32, 288, 0.02, 8.0, 0.02, np.arange(31, 96 * 5, 32))
    assert np.array_equal(made.funding_rate, expected)
    assert (made.funding_rate[-3:] > 0.0002).all()
    assert any("all 15 funding rates are synthetic" in note for note in made.notes)


def test_synthetic_rates_use_no_close_after_the_settlement():
    frame = bars(96 * 5)
    later = frame.copy()
    later.loc[400:, ["open", "high", "low", "close"]] *= 3.0
    later.loc[400, "open"] = later.loc[400, "low"]
    before = market(frame).funding_time <= START + 400 * QUARTER
    assert np.array_equal(market(frame).funding_rate[before], market(later).funding_rate[before])
    assert not np.array_equal(market(frame).funding_rate, market(later).funding_rate)


def test_a_history_may_be_a_series():
    history = pd.Series([0.001, 0.002], index=pd.to_datetime([START + 8 * HOUR, START + 16 * HOUR], unit="ms"))
    made = market(bars(64), funding=history)
    assert made.funding_rate.tolist() == [0.001, 0.002]
    assert not made.funding_is_synthetic.any()


def test_zero_means_no_funding():
    made = market(bars(96), funding=0)
    assert made.funding_time.size == made.funding_rate.size == made.funding_is_synthetic.size == 0
    assert made.synthetic_funding_share == 0.0
    assert "No funding is charged: the market has no settlements." in made.notes


@pytest.mark.parametrize("funding", [0.0001, "none", True, [1, 2]])
def test_other_words_for_funding_are_refused(funding):
    with pytest.raises(InputError, match=r"funding = .* is refused: it must be None \(synthetic\), 0 \(none\) or a DataFrame"):
        market(bars(96), funding=funding)


def test_a_history_counts_as_it_is_and_the_rest_is_synthetic():
    history = pd.DataFrame({"time": [START + 16 * HOUR + 3, START + 18 * HOUR, START + 24 * HOUR - 4], "rate": [0.001, -0.02, 0.003]})
    made = market(bars(96 * 2), funding=history)
    hours = ((made.funding_time - START) / HOUR).tolist()
    assert hours == [8.0, 16.0, 18.0, 24.0, 32.0, 40.0, 48.0]
    assert made.funding_is_synthetic.tolist() == [True, False, False, False, True, True, True]
    assert made.funding_rate[1:4].tolist() == [0.001, -0.02, 0.003]
    assert made.synthetic_funding_share == pytest.approx(4 / 7)
    assert "Assumed: 4 of 7 funding rates (57.1 %) are synthetic." in made.notes


def test_a_hole_in_the_history_is_filled_with_synthetic_rates():
    history = pd.DataFrame({"timestamp": [START + 8 * HOUR, START + 40 * HOUR], "funding_rate": [0.001, 0.002]})
    made = market(bars(96 * 2), funding=history)
    assert ((made.funding_time - START) / HOUR).tolist() == [8.0, 16.0, 24.0, 32.0, 40.0, 48.0]
    assert made.funding_is_synthetic.tolist() == [False, True, True, True, False, True]


def test_two_settlements_of_nine_hours_apart_leave_no_hole():
    history = pd.DataFrame({"time": [START + 8 * HOUR, START + 17 * HOUR, START + 48 * HOUR], "rate": [0.001] * 3})
    made = market(bars(96 * 2), funding=history)
    assert ((made.funding_time - START) / HOUR).tolist() == [8.0, 17.0, 32.0, 40.0, 48.0]


def test_a_history_elsewhere_in_time_leaves_all_synthetic():
    history = pd.DataFrame({"time": [START - 80 * HOUR, START - 72 * HOUR], "rate": [0.001, 0.002]})
    made = market(bars(96 * 2), funding=history)
    assert made.funding_time.size == 6
    assert made.funding_is_synthetic.all()


@pytest.mark.parametrize(
    ("times", "rates", "sentence"),
    [
        ([8 * HOUR, 0], [0.1, 0.1], r"row 1 of the funding frame \(2024-01-01 00:00\): the settlement times must rise"),
        ([0, 8 * HOUR], [0.1, 5.0], r"row 1 .*08:00\): rate = 5 is refused"),
        ([0, 8 * HOUR], [0.1, None], r"row 1 .*08:00\): rate = nan is refused"),
        ([0, 3], [0.1, 0.2], r"row 1 .*00:00\) is there twice and the two differ: rate is 0.1 and 0.2"),
        ([0], ["low"], r"row 0 .*00:00\): rate = 'low' is not a number"),
    ],
)
def test_broken_histories_are_refused(times, rates, sentence):
    with pytest.raises(InputError, match=sentence):
        market(bars(96), funding=pd.DataFrame({"time": [START + time for time in times], "rate": rates}))


@pytest.mark.parametrize(("timeframe", "step"), [("1h", HOUR), ("4h", 4 * HOUR), ("1d", 24 * HOUR)])
def test_settlements_fall_into_the_bar_with_open_before_and_close_at_or_after(timeframe, step):
    made = Market.from_frame(bars(30, step=step), BTC, timeframe)
    offsets, rates, marks = made.settlements_per_bar()
    assert offsets.dtype == np.int64
    assert offsets.shape == (31,)
    for bar in range(30):
        opened, closed = START + bar * step, START + (bar + 1) * step
        inside = [k for k, time in enumerate(made.funding_time) if opened < time <= closed]
        assert list(range(offsets[bar], offsets[bar + 1])) == inside
        assert all(marks[k] == made.close[bar] for k in inside)
    assert np.array_equal(rates, made.funding_rate)
    assert offsets[-1] == made.funding_time.size > 0


# --- mark prices ----------------------------------------------------------------------------------------------------


def test_mark_prices_settle_funding_where_known():
    frame = bars(96)
    marks = frame["close"].to_numpy() + 5.0
    marks[63] = np.nan
    made = market(frame, mark=marks)
    assert np.array_equal(made.mark, marks, equal_nan=True)
    _, _, prices = made.settlements_per_bar()
    # Settlements at 08:00, 16:00 and 24:00 are at the closes of bars 31, 63 and 95; the mark of bar 63 is not known.
    assert prices.tolist() == [marks[31], frame.loc[63, "close"], marks[95]]


def test_mark_prices_by_time_go_to_their_bar():
    frame = bars(20)
    table = pd.DataFrame({"timestamp": [START + 3 * QUARTER, START + 7 * QUARTER], "mark": [1.5, 2.5]})
    series = pd.Series([1.5, 2.5], index=pd.to_datetime(table["timestamp"], unit="ms", utc=True))
    for given_mark in (table, series):
        made = market(frame.drop(index=5), mark=given_mark)
        assert np.flatnonzero(~np.isnan(made.mark)).tolist() == [3, 7]
        assert made.mark[[3, 7]].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("mark", "sentence"),
    [([1.0, 2.0], "mark has 2 values for 20 rows"), ([-1.0] * 20, "row 0 .*mark = -1 is refused"), (["x"] * 20, "mark must hold numbers")],
)
def test_broken_mark_prices_are_refused(mark, sentence):
    with pytest.raises(InputError, match=sentence):
        market(bars(20), mark=mark)


# --- slices ---------------------------------------------------------------------------------------------------------


def test_slices_end_before_their_end_and_keep_the_settlements_inside():
    made = market(bars(96 * 4).drop(index=[200, 201]), mark=np.full(96 * 4 - 2, 7.0), sub_bars=bars(96 * 12, step=300_000))
    part = made.slice("2024-01-02", "2024-01-04")
    assert (part.time[0], part.end_time, len(part)) == (START + 24 * HOUR, START + 72 * HOUR, 192)
    assert np.array_equal(part.close, made.close[96:288])
    assert ((part.funding_time - START) / HOUR).tolist() == [32.0, 40.0, 48.0, 56.0, 64.0, 72.0]
    assert part.mark.size == part.kind.size == part.missing.size == 192
    assert part.gaps.missing == 2
    assert (part.sub_bars.time[0], part.sub_bars.time[-1]) == (START + 24 * HOUR, START + 72 * HOUR - 300_000)
    assert same_bars(made.slice(), made)


def test_a_slice_keeps_warm_up_bars_that_do_not_trade():
    made = market(bars(96 * 4))
    part = made.slice("2024-01-02", warmup=10)
    assert (part.trade_from, len(part)) == (10, 96 * 3 + 10)
    assert part.time[part.trade_from] == START + 24 * HOUR
    assert made.slice("2024-01-01T01:00", warmup=10).trade_from == 4
    # What may not trade yet does not begin to by slicing.
    assert part.slice("2024-01-01T22:00").trade_from == 8


def test_an_empty_slice_names_the_range():
    with pytest.raises(InputError, match="BTCUSDT has bars from 2024-01-01 00:00 to 2024-01-02 00:00 UTC"):
        market(bars(96)).slice("2025-01-01")


def test_assumed_tiers_are_noted_on_other_coins_only():
    assert not any("margin tiers" in note for note in market(bars(20)).notes)
    assert any("ETHUSDT has the built-in BTC-style margin tiers" in note for note in Market.from_frame(bars(20), ETH, "15m").notes)


def test_a_market_turns_back_into_its_table():
    frame = bars(20)
    table = market(frame).to_frame()
    assert same_bars(market(table.drop(columns="kind")), market(frame))


def test_the_instrument_must_be_one():
    with pytest.raises(InputError, match="instrument = 'BTC' is refused"):
        Market.from_frame(bars(20), "BTC", "15m")  # type: ignore[arg-type]
