"""The markets that a configuration names."""

from __future__ import annotations

from backtest.configuration import DataSettings
from backtest.data.instrument import instrument_from_filters
from backtest.data.load import load_markets
from backtest.data.market import Market
from backtest.data.progress import watcher


def configured_markets(data: DataSettings, warmup: int, refresh: bool = False, quiet: bool = True) -> list[Market]:
    """Load the coins of `data` with `warmup` bars before the first that may trade.

    refresh: download the dates again. quiet: say nothing of a download. Raises InputError or SourceError.
    """
    with watcher(quiet) as watching:
        return load_markets(
            data.coins,
            data.start,
            data.end,
            timeframe=data.timeframe,
            source=data.source,
            exchange=data.exchange,
            data_dir=data.data_dir,
            warmup=warmup,
            sub_bars=data.sub_bars,
            seed=data.seed,
            max_gap_pct=data.max_gap_pct,
            instruments=[instrument_from_filters(text) for text in data.filters],
            scenario=data.scenario,
            bars_from=data.bars_from,
            cache_dir=data.cache_dir,
            refresh=refresh,
            watcher=watching,
        )
