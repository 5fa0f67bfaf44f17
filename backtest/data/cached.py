"""Markets from the cache: bars, mark prices, funding and finer bars of one coin, as far as they are stored."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.data.assemble import Rows, assemble, with_tiers
from backtest.data.cache.inventory import stored_contents
from backtest.data.cache.ranges import Span
from backtest.data.cache.store import Cache
from backtest.data.market import Market
from backtest.data.request import Request, Terms
from backtest.data.resample import resample
from backtest.data.series import FUNDING, MARK, SeriesName
from backtest.data.sub_bars import SubBars
from backtest.data.timeframe import HOUR, Timeframe, utc_text
from engine.errors import SourceError


def wanted_contents(terms: Terms) -> list[str]:
    """What a run on these terms would read: bars, mark prices, settlements, finer bars."""
    base = str(terms.base_timeframe or terms.timeframe)
    finer = [] if terms.sub_timeframe is None or str(terms.sub_timeframe) == base else [str(terms.sub_timeframe)]
    return [base, MARK + base, FUNDING, *finer]


def stop_of(content: str, stop: int) -> int:
    """Until when a series must be known for bars that open before `stop`, ms UTC: a settlement at their end is theirs."""
    return stop + HOUR if content == FUNDING else stop


def is_complete(symbol: str, terms: Terms, cache: Cache) -> bool:
    """Whether bars and settlements of the dates, warm-up included, are all known; never without a start and an end."""
    if terms.start is None or terms.end is None:
        return False
    begin = terms.start - terms.warmup * terms.timeframe.ms
    needed = [content for content in wanted_contents(terms) if not content.startswith(MARK)]
    end = terms.end
    return not any(cache.missing(SeriesName(terms.exchange, symbol, content), begin, stop_of(content, end)) for content in needed)


def cached_market(request: Request, cache: Cache, source: str) -> Market:
    """The market of a request from what the cache holds; `source` names it in the first line of results.

    Bars are those of the timeframe, or made of finer ones: of `request.base_timeframe`, else of the coarsest that is
    stored. Of several known stretches the one with most of the dates is used, and the others are named. Raises
    SourceError when nothing is stored for the dates or a file is unreadable; InputError as `assemble` does.
    """
    symbol = request.instrument.symbol
    base = _base(request, cache)
    bars = SeriesName(request.exchange, symbol, str(base))
    stretch, remarks = _stretch(request, cache, bars)
    time, values = cache.read(bars, *stretch)
    time, values, cut = resample(time, values, base, request.timeframe)
    if time.size == 0:
        raise SourceError(f"the cache has no {request.timeframe} bars of {symbol} on {request.exchange} for the dates asked for")
    if base != request.timeframe:
        source += f", {request.timeframe} bars made of {base} bars"
        if cut:
            remarks.append(f"{cut} {request.timeframe} bars are left out, because some of their {base} bars are missing.")
    instrument, origin = with_tiers(request.instrument)
    remarks.append(f"Assumed: today's tick size, step size, least order sizes and margin tiers ({origin}) held at the time of all bars.")
    rows = Rows(time, values, _funding(request, cache), _marks(request, cache, base), _sub_bars(request, cache))
    return assemble(request, rows, instrument, source, tuple(remarks))


def _base(request: Request, cache: Cache) -> Timeframe:
    """The timeframe of the stored bars to use."""
    if request.base_timeframe is not None:
        return request.base_timeframe
    stored = [Timeframe.finer(one) for one in stored_contents(cache, request.exchange, request.instrument.symbol) if one[0].isdigit()]
    serving = [one for one in stored if request.timeframe.ms % one.ms == 0]
    if not serving:
        has = f"; it has {', '.join(str(one) for one in sorted(stored, key=lambda one: one.ms))}" if stored else ""
        raise SourceError(f"the cache has no {request.timeframe} bars of {request.instrument.symbol} on {request.exchange}{has}")
    return max(serving, key=lambda one: one.ms)


def _stretch(request: Request, cache: Cache, bars: SeriesName) -> tuple[Span, list[str]]:
    """The known stretch with most of the dates asked for, cut to them and their warm-up, and a remark on others."""
    known = cache.known(bars)
    offered = [span for span in known if request.overlap(*span) > 0]
    if not offered:
        stretches = "; ".join(_text(span) for span in known)
        raise SourceError(f"the cache has no {bars} for the dates asked for" + (f"; it has {stretches} UTC" if known else ""))
    chosen = max(offered, key=lambda span: request.overlap(*span))
    remarks = []
    if len(offered) > 1:
        others = "; ".join(_text(span) for span in offered if span is not chosen)
        remarks.append(f"The longest stretch in the cache is used, {_text(chosen)} UTC; left out: {others}.")
    begin, stop = chosen
    if request.start is not None:
        begin = max(begin, request.start - request.warmup * request.timeframe.ms)
    if request.end is not None:
        stop = min(stop, request.end)
    return Span(begin, stop), remarks


def _funding(request: Request, cache: Cache) -> pd.DataFrame | None:
    time, values = cache.read(SeriesName(request.exchange, request.instrument.symbol, FUNDING))
    return pd.DataFrame({"time": time, "rate": values[0]}) if time.size else None


def _marks(request: Request, cache: Cache, base: Timeframe) -> tuple[np.ndarray, np.ndarray] | None:
    """Open times of the request's bars and the mark price at their close."""
    time, values = cache.read(SeriesName(request.exchange, request.instrument.symbol, f"{MARK}{base}"))
    # The finer bar that closes together with the longer one.
    opens = time + base.ms - request.timeframe.ms
    last = opens % request.timeframe.ms == 0
    return (opens[last], values[3, last]) if last.any() else None


def _sub_bars(request: Request, cache: Cache) -> SubBars | None:
    finer = request.sub_timeframe
    if finer is None:
        return None
    time, values = cache.read(SeriesName(request.exchange, request.instrument.symbol, str(finer)))
    if time.size == 0:
        raise SourceError(
            f"the cache has no {finer} bars of {request.instrument.symbol} on {request.exchange} for sub_bars = {finer}"
        )
    return SubBars.from_arrays(time, values, finer)


def _text(span: Span) -> str:
    return f"{utc_text(span.begin)} to {utc_text(span.stop)}"
