"""A market: one instrument's bars on a regular UTC grid, with funding, and what is known or assumed about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from backtest.data.columns import BAR_FIELDS, Origin, bar_columns, price_column
from backtest.data.instrument import Instrument
from backtest.data.integrity import checked_bars, fill_gaps
from backtest.data.settlements import market_settlements
from backtest.data.sub_bars import SubBars, as_sub_bars
from backtest.data.timeframe import Timeframe, parse_utc, utc_text
from engine.errors import InputError
from engine.records import GAP, TRADED


@dataclass(frozen=True)
class GapCount:
    """Holes in a market's bars: `missing` bars in `holes` holes, the `largest` in bars, `percent` of all bars from first to last.

    `silent` are bars that are there but saw no trade; they count as gaps for fills, not in the other figures.
    """

    missing: int
    holes: int
    largest: int
    percent: float
    silent: int


@dataclass(frozen=True, eq=False)
class Market:
    """One instrument's bars, columnar: every array has shape (bars,) unless said otherwise, times are int64 ms UTC.

    time: open times, a regular grid. open, high, low, close: float64, quote currency. volume: float64, base units.
    kind: int8, `engine.records.GAP` (nothing fills: a missing bar, filled flat, or one without volume) or TRADED.
    missing: bool, True where a bar was filled in. mark: close of the mark price, NaN where unknown, or None.
    funding_time, funding_rate, funding_is_synthetic: (settlements,), those in (first open, last close].
    sub_bars: finer bars or None. trade_from: index of the first bar that may trade.
    source: where the bars come from, for the first line of results. simulated: True when nothing here ever happened.
    remarks: sentences about the data that its arrays do not show; `notes` are those and the ones they do show.
    """

    instrument: Instrument
    timeframe: Timeframe
    time: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    kind: np.ndarray
    missing: np.ndarray
    mark: np.ndarray | None
    funding_time: np.ndarray
    funding_rate: np.ndarray
    funding_is_synthetic: np.ndarray
    sub_bars: SubBars | None = None
    trade_from: int = 0
    source: str = ""
    simulated: bool = False
    remarks: tuple[str, ...] = ()

    @classmethod
    def from_frame(
        cls,
        df: pd.DataFrame,
        instrument: Instrument,
        timeframe: str | Timeframe,
        funding: pd.DataFrame | pd.Series | float | None = None,
        mark: pd.DataFrame | pd.Series | Sequence[float] | np.ndarray | None = None,
        sub_bars: pd.DataFrame | SubBars | None = None,
    ) -> Market:
        """A market from a table of bars; it trades as soon as the indicators are finite.

        df: a DatetimeIndex (naive: UTC) or a column timestamp, time, open_time or date, and open, high, low, close, volume.
        funding: None for the synthetic rate at 00:00, 08:00 and 16:00 UTC; 0 for none; or a table with a time and
        rate (fraction per settlement), outside of which the synthetic rate stands.
        mark: mark price closes: a value a row of `df`, a Series with a DatetimeIndex, or a table with a time and a
        column mark or close. sub_bars: a table of finer bars.

        Raises InputError naming the row and its time when the table breaks a rule.
        """
        if not isinstance(instrument, Instrument):
            raise InputError(f"instrument = {instrument!r} is refused: it must be an Instrument")
        frame = Timeframe.parse(timeframe)
        origin = Origin("the frame")
        time, values = bar_columns(df, origin)
        marks = None if mark is None else _mark_rows(mark, time)
        time, values, dropped = checked_bars(time, values, frame, origin)
        remarks = (f"{dropped} repeated rows that agree with the first were dropped.",) if dropped else ()
        market = cls.from_arrays(instrument, frame, time, values, funding=funding, marks=marks, sub_bars=as_sub_bars(sub_bars, frame))
        return replace(market, source=f"a DataFrame of {market.span_text}", remarks=remarks)

    @classmethod
    def from_arrays(
        cls,
        instrument: Instrument,
        timeframe: Timeframe,
        time: np.ndarray,
        values: np.ndarray,
        funding: Any = None,
        marks: tuple[np.ndarray, np.ndarray] | None = None,
        sub_bars: SubBars | None = None,
    ) -> Market:
        """A market from checked bars: unique rising times (rows,) and open, high, low, close, volume (5, rows).

        `funding` as in `from_frame`; `marks` are times and mark closes.
        """
        time, values, missing = fill_gaps(time, values, timeframe)
        opens, highs, lows, closes, volumes = (np.ascontiguousarray(row) for row in values)
        kind = np.where(volumes > 0.0, TRADED, GAP).astype(np.int8)
        if not (kind == TRADED).any():
            raise InputError(f"volume is 0 in every bar of {instrument.symbol}: nothing could ever fill")
        mark_closes = None if marks is None else _on_grid(marks, time, timeframe)
        settled, rates, synthetic = market_settlements(time, closes, timeframe, funding)
        return cls(
            instrument,
            timeframe,
            time,
            opens,
            highs,
            lows,
            closes,
            volumes,
            kind,
            missing,
            mark_closes,
            settled,
            rates,
            synthetic,
            sub_bars,
        )

    def __len__(self) -> int:
        return self.time.size

    @property
    def symbol(self) -> str:
        """The instrument's symbol."""
        return self.instrument.symbol

    @property
    def end_time(self) -> int:
        """Close of the last bar, ms UTC."""
        return int(self.time[-1]) + self.timeframe.ms

    @property
    def span_text(self) -> str:
        """`BTCUSDT 15m, 35,040 bars from 2024-01-01 00:00 to 2025-01-01 00:00 UTC` (open of the first, close of the last)."""
        return f"{self.symbol} {self.timeframe}, {len(self):,} bars from {utc_text(self.time[0])} to {utc_text(self.end_time)} UTC"

    @property
    def gaps(self) -> GapCount:
        """How many bars are missing, in how many holes, how large the largest, and how many bars saw no trade."""
        edges = np.diff(np.concatenate([[0], self.missing.astype(np.int8), [0]]))
        lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
        missing = int(lengths.sum())
        silent = int(np.count_nonzero(self.kind == GAP)) - missing
        return GapCount(missing, lengths.size, int(lengths.max(initial=0)), 100.0 * missing / len(self), silent)

    @property
    def synthetic_funding_share(self) -> float:
        """Share of the settlements whose rate is synthetic; 0 without settlements."""
        return float(self.funding_is_synthetic.mean()) if self.funding_is_synthetic.size else 0.0

    @property
    def notes(self) -> list[str]:
        """Assumptions behind this market and findings about its bars, one sentence each."""
        notes = list(self.remarks)
        gaps = self.gaps
        if gaps.missing:
            first = utc_text(self.time[int(np.argmax(self.missing))])
            notes.append(
                f"{gaps.missing} bars ({gaps.percent:.3g} %) are missing in {gaps.holes} gaps, the largest of {gaps.largest} bars, "
                f"the first at {first} UTC; they are filled flat and nothing fills in them."
            )
        if gaps.silent:
            notes.append(f"{gaps.silent} bars saw no trade; nothing fills in them.")
        if self.instrument.tiers_are_assumed:
            notes.append(f"Assumed: {self.symbol} has the built-in BTC-style margin tiers, because none were given.")
        settlements = self.funding_time.size
        synthetic = int(self.funding_is_synthetic.sum())
        if settlements == 0:
            notes.append("No funding is charged: the market has no settlements.")
        elif synthetic == settlements:
            notes.append(f"Assumed: all {settlements:,} funding rates are synthetic; no history was given.")
        elif synthetic:
            notes.append(
                f"Assumed: {synthetic:,} of {settlements:,} funding rates ({100.0 * synthetic / settlements:.3g} %) are synthetic."
            )
        return notes

    def settlements_per_bar(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Offsets (int64, bars + 1) into rates and mark prices (float64): bar i has those from offsets[i] to offsets[i+1].

        A bar has the settlements with open < T <= close, in time order; their mark price is the bar's mark close where
        known, else its close.
        """
        bar = (self.funding_time - self.time[0] - 1) // self.timeframe.ms
        # offsets[i] is how many lie in bars before i.
        offsets = np.cumsum(np.bincount(bar + 1, minlength=len(self) + 1))[: len(self) + 1].astype(np.int64, copy=False)
        price = self.close if self.mark is None else np.where(np.isnan(self.mark), self.close, self.mark)
        return offsets, self.funding_rate, np.ascontiguousarray(price[bar])

    def slice(self, start: str | dt.date | int | None = None, end: str | dt.date | int | None = None, warmup: int = 0) -> Market:
        """The bars that open in [start, end), UTC, and up to `warmup` bars before them that do not trade.

        None leaves an end as it is. Raises InputError when no bar is left.
        """
        first = 0 if start is None else int(np.searchsorted(self.time, parse_utc(start, "start")))
        stop = len(self) if end is None else int(np.searchsorted(self.time, parse_utc(end, "end")))
        if first >= stop:
            raise InputError(
                f"no bar opens from start = {start} to end = {end}: "
                f"{self.symbol} has bars from {utc_text(self.time[0])} to {utc_text(self.end_time)} UTC"
            )
        trade_from = max(first, self.trade_from)
        first = max(0, first - warmup)
        rows = slice(first, stop)
        columns = {name: getattr(self, name)[rows] for name in ("time", *BAR_FIELDS, "kind", "missing")}
        begin, close = int(self.time[first]), int(self.time[stop - 1]) + self.timeframe.ms
        settled = slice(*np.searchsorted(self.funding_time, [begin, close], side="right"))
        return replace(
            self,
            **columns,
            mark=None if self.mark is None else self.mark[rows],
            funding_time=self.funding_time[settled],
            funding_rate=self.funding_rate[settled],
            funding_is_synthetic=self.funding_is_synthetic[settled],
            sub_bars=None if self.sub_bars is None else self.sub_bars.between(begin, close),
            trade_from=min(trade_from, stop) - first,
        )

    def to_frame(self) -> pd.DataFrame:
        """The bars as a DataFrame, index = open times UTC; columns open, high, low, close, volume, kind and mark if known."""
        index = pd.DatetimeIndex(self.time.astype("datetime64[ms]"), tz="UTC", name="time")
        columns = {name: getattr(self, name) for name in (*BAR_FIELDS, "kind")}
        if self.mark is not None:
            columns["mark"] = self.mark
        return pd.DataFrame(columns, index=index)

    def __repr__(self) -> str:
        label = "SIMULATED " if self.simulated else ""
        return f"Market({label}{self.span_text}; trades from {utc_text(self.time[0] + self.trade_from * self.timeframe.ms)})"


def _mark_rows(mark: Any, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times and prices of what a user gives as mark prices; `time` are those of the rows of the bars' table."""
    origin = Origin("the mark price table")
    if isinstance(mark, pd.Series) and isinstance(mark.index, pd.DatetimeIndex):
        mark = mark.rename("mark").to_frame()
    if isinstance(mark, pd.DataFrame):
        stamps, prices = price_column(mark, ("mark", "mark_close", "mark_price", "close"), origin)
    else:
        try:
            stamps, prices = time, np.asarray(mark, np.float64)
        except (TypeError, ValueError):
            raise InputError(
                "mark must hold numbers: a value a row, a Series with a DatetimeIndex, or a table with time and mark"
            ) from None
        if prices.shape != time.shape:
            raise InputError(f"mark has {prices.size} values for {time.size} rows of bars: there must be one a row")
    wrong = np.flatnonzero(~(np.isnan(prices) | (np.isfinite(prices) & (prices > 0))))
    if wrong.size:
        row = int(wrong[0])
        raise InputError(f"{origin.row(row, stamps[row])}: mark = {prices[row]:g} is refused: it must be a finite number above zero")
    return stamps, prices


def _on_grid(marks: tuple[np.ndarray, np.ndarray], time: np.ndarray, timeframe: Timeframe) -> np.ndarray:
    """Mark closes at each bar of the grid, NaN where none is known."""
    stamps, prices = marks
    closes = np.full(time.size, np.nan)
    place = (stamps - time[0]) // timeframe.ms
    inside = (place >= 0) & (place < time.size) & ((stamps - time[0]) % timeframe.ms == 0)
    closes[place[inside]] = prices[inside]
    return closes
