"""Markets from the cache: bars, mark prices, funding and finer bars of one coin, as far as they are stored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from backtest.data.assemble import Rows, assemble
from backtest.data.cache.inventory import stored_contents
from backtest.data.cache.ranges import Span
from backtest.data.cache.store import Cache
from backtest.data.known import Known
from backtest.data.market import Market
from backtest.data.request import Request, Terms
from backtest.data.resample import resample
from backtest.data.series import FUNDING, MARK, SeriesName
from backtest.data.sub_bars import SubBars
from backtest.data.timeframe import HOUR, Timeframe, utc_text
from engine.errors import SourceError

_NO_MARKS = "No mark prices are stored for these dates: the close stands in for the mark price."


class NothingStoredError(SourceError):
    """The cache has nothing of what was asked for; in contrast to a cache that cannot be read."""


def wanted_contents(terms: Terms) -> list[str]:
    """What a run on these terms reads: bars, mark prices, settlements, finer bars."""
    base = str(terms.base_timeframe or terms.timeframe)
    finer = [] if terms.sub_timeframe is None or str(terms.sub_timeframe) == base else [str(terms.sub_timeframe)]
    return [base, MARK + base, FUNDING, *finer]


def stop_of(content: str, stop: int) -> int:
    """Until when a series must be known for bars that close by `stop`, ms UTC: a settlement at that time is theirs."""
    return stop + HOUR if content == FUNDING else stop


def is_complete(symbol: str, terms: Terms, cache: Cache) -> bool:
    """Whether all that a run on these terms reads is known; never without a start and an end.

    Bars may be made of finer ones. Mark prices count once any are stored of the coin.
    """
    begin, stop = terms.first_wanted, terms.last_wanted
    if begin is None or stop is None:
        return False
    stored = stored_contents(cache, terms.exchange, symbol)

    def known(content: str) -> bool:
        return content in stored and not cache.missing(SeriesName(terms.exchange, symbol, content), begin, stop_of(content, stop))

    bases = [str(base) for base in _bases(terms, stored)]
    marks = [content for content in stored if content.startswith(MARK)]
    return (
        any(known(base) and (not marks or known(MARK + base)) for base in bases)
        and known(FUNDING)
        and (terms.sub_timeframe is None or known(str(terms.sub_timeframe)))
    )


def cached_market(request: Request, cache: Cache, source: str, remarks: Sequence[str] = ()) -> Market:
    """The market of a request from what the cache holds; `source` names it in the first line of results.

    Bars are those of `request.base_timeframe`; without one those of which most of the dates are stored, of equals the longest.
    Of several known stretches the one with most of the dates is used, and the others are named.

    Raises NothingStoredError when nothing is stored for the dates; SourceError when a file of them is unreadable; InputError
    as `assemble` does, and for dates of which it is known that no bar exists.
    """
    base, chosen, others = _chosen(request, cache)
    begin = chosen.begin if request.first_wanted is None else max(chosen.begin, request.first_wanted)
    stop = chosen.stop if request.last_wanted is None else min(chosen.stop, request.last_wanted)
    # All of the dates are read, so that an unreadable file of theirs is an error and no shorter stretch.
    time, values = cache.read(_name(request, str(base)), request.first_wanted, request.last_wanted)
    inside = slice(*np.searchsorted(time, [begin, stop]))
    time, values = time[inside], np.ascontiguousarray(values[:, inside])
    time, values, cut = resample(time, values, base, request.timeframe)
    if time.size == 0:
        raise request.refuse_range(_has(request, cache, base))
    notes = [*remarks]
    if base != request.timeframe:
        source += f", {request.timeframe} bars made of {base} bars"
        if cut:
            notes.append(f"{cut} {request.timeframe} bars are left out, because not all of their {base} bars are there.")
    if others:
        left_out = "; ".join(_text(span) for span in others)
        notes.append(f"The longest stretch in the cache is used, {_text(chosen)} UTC; left out: {left_out}.")
    marks = _marks(request, cache, base, begin, stop)
    if marks is None:
        notes.append(_NO_MARKS)
    known = Known.of(request).with_tiers()
    rows = Rows(time, values, _funding(request, cache, begin, stop), marks, _sub_bars(request, cache, begin, stop))
    return assemble(request, rows, known.instrument, source, (*notes, known.remark))


def _bases(terms: Terms, stored: Sequence[str]) -> list[Timeframe]:
    """The timeframes of stored bars that those asked for can be made of, the longest first."""
    if terms.base_timeframe is not None:
        return [terms.base_timeframe]
    found = [Timeframe.finer(content) for content in stored if content[0].isdigit()]
    return sorted((one for one in found if terms.timeframe.ms % one.ms == 0), key=lambda one: -one.ms)


def _chosen(request: Request, cache: Cache) -> tuple[Timeframe, Span, list[Span]]:
    """The timeframe of the stored bars to use, the stretch of them, and the other stretches that hold some of the dates."""
    symbol = request.instrument.symbol
    stored = stored_contents(cache, request.exchange, symbol)
    bases = _bases(request, stored)
    offers = {base: [span for span in cache.known(_name(request, str(base))) if request.overlap(*span) > 0] for base in bases}
    best = max(bases, key=lambda base: max((request.overlap(*span) for span in offers[base]), default=0), default=None)
    if best is None:
        bars = [content for content in stored if content[0].isdigit()]
        has = f"; it has {', '.join(bars)}" if bars else ""
        raise NothingStoredError(f"the cache has no {request.timeframe} bars of {symbol} on {request.exchange}{has}")
    if not offers[best]:
        known = [_text(span) for span in cache.known(_name(request, str(best)))]
        has = f"; it has {'; '.join(known)} UTC" if known else ""
        raise NothingStoredError(f"the cache has no {_name(request, str(best))} for the dates asked for{has}")
    chosen = max(offers[best], key=lambda span: request.overlap(*span))
    return best, chosen, [span for span in offers[best] if span is not chosen]


def _has(request: Request, cache: Cache, base: Timeframe) -> str:
    """First and last bar that are stored, for the sentence that refuses dates without any."""
    time, _ = cache.read(_name(request, str(base)))
    return f"{utc_text(time[0])} to {utc_text(int(time[-1]) + base.ms)}" if time.size else "no time at all"


def _name(request: Request, content: str) -> SeriesName:
    return SeriesName(request.exchange, request.instrument.symbol, content)


def _funding(request: Request, cache: Cache, begin: int, stop: int) -> pd.DataFrame | None:
    time, values = cache.read(_name(request, FUNDING), begin, stop_of(FUNDING, stop))
    return pd.DataFrame({"time": time, "rate": values[0]}) if time.size else None


def _marks(request: Request, cache: Cache, base: Timeframe, begin: int, stop: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Open times of the request's bars and the mark price at their close."""
    time, values = cache.read(_name(request, f"{MARK}{base}"), begin, stop)
    # The finer bar that closes together with the longer one.
    opens = time + base.ms - request.timeframe.ms
    last = opens % request.timeframe.ms == 0
    return (opens[last], values[3, last]) if last.any() else None


def _sub_bars(request: Request, cache: Cache, begin: int, stop: int) -> SubBars | None:
    finer = request.sub_timeframe
    if finer is None:
        return None
    time, values = cache.read(_name(request, str(finer)), begin, stop)
    if time.size == 0:
        raise NothingStoredError(f"the cache has no {_name(request, str(finer))} for sub_bars = {finer}")
    return SubBars.from_arrays(time, values, finer)


def _text(span: Span) -> str:
    return f"{utc_text(span.begin)} to {utc_text(span.stop)}"
