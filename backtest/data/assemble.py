"""From the rows that a source has to the market that was asked for: the last steps, the same for every real source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backtest.data.instrument import Instrument
from backtest.data.market import Market
from backtest.data.request import Request
from backtest.data.sub_bars import SubBars
from backtest.data.timeframe import Timeframe, utc_text
from engine.errors import InputError


@dataclass(frozen=True, eq=False)
class Rows:
    """What a source has of one coin.

    time: open times, unique and rising, int64 ms UTC, (rows,). values: open, high, low, close, volume, (5, rows).
    funding: a table of time and rate, None: no history. marks: times and closes of the mark price, or None.
    """

    time: np.ndarray
    values: np.ndarray
    funding: Any = None
    marks: tuple[np.ndarray, np.ndarray] | None = None
    sub_bars: SubBars | None = None

    def end(self, timeframe: Timeframe) -> int:
        """Close of the last bar, ms UTC."""
        return int(self.time[-1]) + timeframe.ms

    def text(self, timeframe: Timeframe) -> str:
        """`2024-01-01 00:00 to 2025-01-01 00:00`."""
        return f"{utc_text(self.time[0])} to {utc_text(self.end(timeframe))}"


def assemble(request: Request, rows: Rows, instrument: Instrument, source: str, remarks: tuple[str, ...] = ()) -> Market:
    """The market of a request from rows that overlap its dates; `source` names where they come from.

    Raises InputError when the dates hold no bar, or when more bars are missing than allowed.
    """
    timeframe, symbol = request.timeframe, instrument.symbol
    window = request.window(int(rows.time[0]), rows.end(timeframe))
    inside = slice(*np.searchsorted(rows.time, [window.begin, window.stop]))
    if inside.start == inside.stop:
        raise request.refuse_range(rows.text(timeframe))
    market = Market.from_arrays(
        instrument,
        timeframe,
        rows.time[inside],
        np.ascontiguousarray(rows.values[:, inside]),
        funding=rows.funding,
        marks=rows.marks,
        sub_bars=None if rows.sub_bars is None else rows.sub_bars.between(window.begin, window.stop),
    )
    gaps = market.gaps
    if gaps.percent > request.max_gap_pct:
        raise InputError(
            f"{gaps.percent:.3g} % of the {timeframe} bars of {symbol} are missing "
            f"from {utc_text(market.time[0])} to {utc_text(market.end_time)} UTC "
            f"({gaps.holes} gaps, the largest of {gaps.largest} bars): max_gap_pct = {request.max_gap_pct:g} allows no more"
        )
    trade_from = max(0, -((int(market.time[0]) - window.trade_time) // timeframe.ms))
    if trade_from >= len(market):
        raise request.refuse_range(rows.text(timeframe))
    return replace(market, trade_from=trade_from, source=f"{source}: {market.span_text}", remarks=(*window.remarks, *remarks))
