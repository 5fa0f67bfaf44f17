"""Several markets on one common grid of bars, as the compiled loop walks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backtest.data.columns import BAR_FIELDS
from backtest.data.market import Market
from backtest.data.sub_bars import sub_bar_rows
from backtest.data.timeframe import Timeframe
from engine.errors import InputError
from engine.records import ABSENT, GAP, TRADED


@dataclass(frozen=True, eq=False)
class Aligned:
    """Markets on the union of their bars; `n` instruments in the order given, `bars` bars, all arrays C-contiguous.

    time: int64 ms UTC, (bars,), open times. bars: float64 (n, 5, bars): open, high, low, close, volume; NaN prices and
    no volume where an instrument is absent (before its first and after its last bar).
    kinds: int8 (n, bars), `engine.records.ABSENT`, GAP or TRADED. mark: float64 (n, bars), mark price close, NaN unknown.
    settlement_offsets: int64 (n, bars + 1) into settlement_rates and settlement_marks (float64): instrument k settles in
    bar i those from [k, i] to [k, i+1], in time order.
    sub_rows: int64 (n, bars), first finer bar of each coarse one or -1 (it walks its own path). sub_tables: an array
    float64 (5, rows) an instrument, without rows for one without finer bars. sub_count: finer bars in a coarse one, 0: none.
    own_path_bars: int64 (n,), traded bars from the first that may trade on that walk their own path though the
    instrument has finer bars.
    first_trades: int64 (n,), first bar each instrument may trade. trade_from: the least of them.
    """

    markets: tuple[Market, ...]
    timeframe: Timeframe
    time: np.ndarray
    bars: np.ndarray
    kinds: np.ndarray
    mark: np.ndarray
    settlement_offsets: np.ndarray
    settlement_rates: np.ndarray
    settlement_marks: np.ndarray
    sub_rows: np.ndarray
    sub_tables: tuple[np.ndarray, ...]
    sub_count: int
    own_path_bars: np.ndarray
    first_trades: np.ndarray

    def __len__(self) -> int:
        return self.time.size

    @property
    def trade_from(self) -> int:
        """Index of the first bar in which any instrument may trade."""
        return int(self.first_trades.min())

    @property
    def notes(self) -> list[str]:
        """What aligning found: bars that walk their own path, settlements that share a bar."""
        notes = []
        for number, market in enumerate(self.markets):
            if market.sub_bars is not None:
                traded = int((self.kinds[number, self.first_trades[number] :] == TRADED).sum())
                own = int(self.own_path_bars[number])
                share = 100.0 * own / traded if traded else 0.0
                wanting = "a complete set" if len(self.markets) == 1 else "complete sets of all coins"
                if own:
                    notes.append(
                        f"{market.symbol}: {own:,} of {traded:,} traded bars ({share:.3g} %) walk their own path, "
                        f"for want of {wanting} of {market.sub_bars.timeframe} bars that add up to them."
                    )
            crowded = int((np.diff(self.settlement_offsets[number]) > 1).sum())
            if crowded:
                notes.append(
                    f"{market.symbol}: {crowded:,} bars hold more than one funding settlement; all are charged at the bar's close."
                )
        return notes


def align(markets: Sequence[Market] | Market) -> Aligned:
    """Put markets on the union of their bars. Raises InputError for none, a repeated symbol, or unlike timeframes."""
    listed = (markets,) if isinstance(markets, Market) else tuple(markets)
    if not listed:
        raise InputError("markets is empty: at least one market is needed")
    for market in listed:
        if not isinstance(market, Market):
            raise InputError(f"markets holds {market!r}: every one must be a Market")
        if market.timeframe != listed[0].timeframe:
            raise InputError(
                f"timeframe = {market.timeframe} of {market.symbol} is refused: all markets must share the "
                f"{listed[0].timeframe} of {listed[0].symbol}"
            )
    symbols = [market.symbol for market in listed]
    if len(set(symbols)) < len(symbols):
        repeated = next(symbol for symbol in symbols if symbols.count(symbol) > 1)
        raise InputError(f"markets holds {repeated} {symbols.count(repeated)} times: every symbol may be there once")
    finer = {str(market.sub_bars.timeframe): market.sub_bars.timeframe for market in listed if market.sub_bars is not None}
    if len(finer) > 1:
        raise InputError(f"sub_bars of {' and '.join(finer)} are refused: all markets must share one timeframe of finer bars")

    timeframe = listed[0].timeframe
    begin = min(int(market.time[0]) for market in listed)
    count = int((max(market.end_time for market in listed) - begin) // timeframe.ms)
    time = begin + timeframe.ms * np.arange(count, dtype=np.int64)
    shape = (len(listed), count)
    bars = np.empty((len(listed), len(BAR_FIELDS), count))
    if any(len(market) < count for market in listed):
        bars[:] = np.nan
        bars[:, -1] = 0.0
    kinds = np.full(shape, ABSENT, np.int8)
    mark = np.full(shape, np.nan)
    offsets = np.zeros((len(listed), count + 1), np.int64)
    rates, prices, tables = [np.zeros(0)], [np.zeros(0)], []
    sub_rows = np.full(shape, -1, np.int64)
    own_path = np.zeros(len(listed), np.int64)
    first_trades = np.zeros(len(listed), np.int64)
    for number, market in enumerate(listed):
        start = int((market.time[0] - begin) // timeframe.ms)
        place = slice(start, start + len(market))
        for row, field in enumerate(BAR_FIELDS):
            bars[number, row, place] = getattr(market, field)
        kinds[number, place] = market.kind
        if market.mark is not None:
            mark[number, place] = market.mark
        own_offsets, own_rates, own_prices = market.settlements_per_bar()
        settled = sum(part.size for part in rates)
        offsets[number] = settled
        offsets[number, start : start + len(market) + 1] += own_offsets
        offsets[number, start + len(market) + 1 :] += own_rates.size
        rates.append(own_rates)
        prices.append(own_prices)
        first_trades[number] = start + market.trade_from
        tables.append(np.zeros((len(BAR_FIELDS), 0)) if market.sub_bars is None else market.sub_bars.table())
        if market.sub_bars is not None:
            found = sub_bar_rows(market.sub_bars, timeframe, market.time, bars[number, :, place])
            found[market.kind == GAP] = -1
            sub_rows[number, place] = found
    if finer:
        # On one wallet all instruments walk in step: finer bars only where every one that trades has them.
        lacking = ((sub_rows < 0) & (kinds == TRADED)).any(axis=0)
        sub_rows[:, lacking] = -1
        later = np.arange(count) >= first_trades[:, np.newaxis]
        own_path = np.count_nonzero(lacking & (kinds == TRADED) & later, axis=1)
    sub_count = timeframe.ms // next(iter(finer.values())).ms if finer else 0
    return Aligned(
        listed,
        timeframe,
        time,
        bars,
        kinds,
        mark,
        offsets,
        np.concatenate(rates),
        np.concatenate(prices),
        sub_rows,
        tuple(tables),
        sub_count,
        own_path,
        first_trades,
    )
