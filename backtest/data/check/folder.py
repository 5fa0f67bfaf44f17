"""`check_folder`: everything about the market data in a folder; `check_parts` does the same for parts from anywhere."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from backtest.data.cache.layout import SET_ASIDE
from backtest.data.check.bars import Table, describe_bars, describe_settlements
from backtest.data.check.clocks import Closes, closes_of
from backtest.data.check.findings import (
    CheckReport,
    FundingFindings,
    SeriesFindings,
    SumFindings,
    TierFindings,
    Unrecognised,
    VenueFindings,
)
from backtest.data.check.stretches import Notes, Part, PartRows, read_stretches
from backtest.data.check.sums import compare_sums, name_venue_gaps
from backtest.data.check.ticks import Ticks
from backtest.data.check.venues import CLOCK_STEP, compare_clocks, compare_venues, uncovered_spans
from backtest.data.columns import rate_columns, time_form
from backtest.data.files.catalogue import AGGREGATED_TRADES, TIERS, TRADES, DataFile, catalogue
from backtest.data.files.reading import dialect_remarks, now_ms, read_rows
from backtest.data.files.rows import refuse_other_days
from backtest.data.files.tables import read_table
from backtest.data.series import FUNDING, MARK, SeriesName
from backtest.data.symbols import resolve_symbol
from backtest.data.tiers import read_brackets
from backtest.data.timeframe import MINUTE, Timeframe, utc_text
from engine.errors import InputError

# What the cache keeps beside its months of bars: manifests and instruments.
_CACHE_COMPANION = re.compile(r"([0-9]{4}-[0-9]{2}|instruments)\.json")


def check_folder(
    folder: str | Path,
    coins: Iterable[str] = (),
    exchange: str = "binanceusdm",
    now: int | None = None,
    cache_dir: str | Path | None = None,
) -> CheckReport:
    """Check every file of a folder (or of the cache), of all coins or some: each series by itself, then series against each other.

    coins: names as people write them (BTC, BTCUSDT) or symbols as the files have them (ES); none: all. exchange: the one that
    archives count for whose names hold none. now: ms UTC, the present time of this machine unless given; no bar may close after
    it. cache_dir: the cache whose instruments, as last read from the exchange, win over the built-in table; None: the default one.
    A broken file is a finding, not an error. Raises SourceError when the folder cannot be listed, InputError for a coin that
    it does not have.
    """
    moment = now_ms() if now is None else now
    files = catalogue(Path(folder).expanduser())
    parts, tiers, unrecognised = [], [], []
    for file in files:
        if file.content == TIERS:
            tiers.append(_check_tiers(file))
        elif file.content is None:
            if not _CACHE_COMPANION.fullmatch(file.path.name):
                unrecognised.append(Unrecognised(file.name, "set aside as unreadable" if SET_ASIDE in file.name else file.reason))
        else:
            try:
                parts.append(_part(file, exchange, moment))
            except InputError as error:
                unrecognised.append(Unrecognised(file.name, str(error)))
    return check_parts(str(folder), chosen_parts(parts, coins, str(folder)), tiers, unrecognised, Ticks(cache_dir, exchange))


def chosen_parts(parts: list[Part], coins: Iterable[str], place: str) -> list[Part]:
    """The parts of some coins; all when none is named. Raises InputError for a coin that no part is of."""
    wanted = set()
    symbols = sorted({part.name.symbol for part in parts})
    for coin in coins:
        names = {coin, coin.upper()} & set(symbols) or {resolve_symbol(coin)} & set(symbols)
        if not names:
            near = difflib.get_close_matches(coin.upper(), symbols, n=3, cutoff=0.4) or symbols[:12]
            raise InputError(f"coin = {coin!r} is refused: {place} has nothing of it, it has {', '.join(near) or 'no market data'}")
        wanted |= names
    return [part for part in parts if not wanted or part.name.symbol in wanted]


def check_parts(
    place: str,
    parts: Iterable[Part],
    tiers: Iterable[TierFindings] = (),
    unrecognised: Iterable[Unrecognised] = (),
    ticks: Ticks | None = None,
) -> CheckReport:
    """Check series given as parts, one symbol at a time, so that no more than one symbol's bars are whole in memory.

    `ticks`: what prices are measured against; those of the default cache and of the built-in table unless given.
    """
    ticks = Ticks(None, "binanceusdm") if ticks is None else ticks
    by_symbol: dict[str, dict[SeriesName, list[Part]]] = {}
    for part in parts:
        by_symbol.setdefault(part.name.symbol, {}).setdefault(part.name, []).append(part)
    series: list[SeriesFindings] = []
    times: list[np.ndarray] = []
    closes: list[Closes] = []
    funding: list[FundingFindings] = []
    sums: list[SumFindings] = []
    venues: list[VenueFindings] = []
    notes = Notes()
    for symbol in sorted(by_symbol):
        tables: list[Table] = []
        for name, own in by_symbol[symbol].items():
            stretches = read_stretches(name, own, notes)
            if name.content == FUNDING:
                funding += [describe_settlements(table) for table in stretches]
            else:
                tables += stretches
        series += [describe_bars(table, _frame(table), ticks.of(table.name.exchange, symbol)) for table in tables]
        times += [table.time for table in tables]
        closes += [closes_of(table, _frame(table).ms, max(CLOCK_STEP, _frame(table).ms)) for table in tables]
        traded = [table for table in tables if not table.name.content.startswith(MARK)]
        sums += _sums(traded)
        venues += _venues(traded)
    series = name_venue_gaps(series, times)
    return CheckReport(
        place,
        tuple(sorted(series, key=_order)),
        tuple(sorted(funding, key=lambda found: (found.exchange, found.symbol))),
        tuple(sums),
        tuple(venues),
        tuple(compare_clocks(series, closes)),
        tuple(uncovered_spans(series, funding)),
        tuple(tiers),
        tuple(notes.unreadable),
        tuple(unrecognised),
        (*dialect_remarks(notes.dialects), *notes.remarks, *ticks.remarks),
    )


def _order(found: SeriesFindings) -> tuple[str, str, bool, int, int]:
    """Exchange, symbol, traded prices before mark prices, coarse bars before fine ones, then time."""
    return found.exchange, found.symbol, found.content.startswith(MARK), -found.bar_ms, found.first


def _frame(table: Table) -> Timeframe:
    frame = table.name.timeframe
    assert frame is not None  # settlements are no bars
    return frame


def _sums(tables: list[Table]) -> list[SumFindings]:
    """Every finer stretch against every coarser one of the same exchange that it divides."""
    found = []
    for finer in tables:
        for coarse in tables:
            one, other = _frame(finer), _frame(coarse)
            if finer.name.exchange == coarse.name.exchange and one.ms < other.ms and other.ms % one.ms == 0:
                compared = compare_sums(finer, one, coarse, other)
                found += [] if compared is None else [compared]
    return sorted(
        found, key=lambda sums: (sums.exchange, Timeframe.parse(sums.finer).ms, Timeframe.parse(sums.coarse).ms, sums.finer_files)
    )


def _venues(tables: list[Table]) -> list[VenueFindings]:
    """Every stretch of an exchange against that stretch of each other exchange with which it shares most closes."""
    found = []
    for one, other in combinations(sorted({table.name.exchange for table in tables}), 2):
        seconds = [table for table in tables if table.name.exchange == other]
        for first in (table for table in tables if table.name.exchange == one):
            best = max(seconds, key=lambda second: _shared(first, second))
            compared = compare_venues(first, _frame(first).ms, best, _frame(best).ms) if _shared(first, best) > 0 else None
            found += [] if compared is None else [compared]
    return found


def _shared(one: Table, other: Table) -> float:
    """About how many closes two stretches share, from their spans alone."""
    span = min(int(one.time[-1]), int(other.time[-1])) - max(int(one.time[0]), int(other.time[0]))
    return span / max(_frame(one).ms, _frame(other).ms)


def _part(file: DataFile, exchange: str, now: int) -> Part:
    """A file of the catalogue as a part; trades are the bars of a minute that they make."""
    assert file.symbol is not None
    assert file.content is not None
    content = "1m" if file.content in (TRADES, AGGREGATED_TRADES) else file.content
    name = SeriesName(file.exchange or exchange, file.symbol, content)
    return Part(name, file.name, partial(_settlements, file) if content == FUNDING else partial(_bars, file, now))


def _settlements(file: DataFile) -> PartRows:
    table = read_table(file.path, file.name, FUNDING)
    time, rates = rate_columns(table.frame, table.origin)
    # Exchanges stamp settlements some milliseconds late.
    time = (time + MINUTE // 2) // MINUTE * MINUTE
    refuse_other_days(file, time, table.origin)
    return PartRows(time, rates[np.newaxis, :], table.origin, f"{table.form}, {time_form(table.frame, table.origin)}")


def _bars(file: DataFile, now: int) -> PartRows:
    """The bars of a file that have closed by `now`; one that has not is left out, more of them are a wrong clock."""
    rows = read_rows(file)
    assert rows.timeframe is not None
    refuse_other_days(file, rows.time, rows.origin)
    forming = np.flatnonzero(rows.time + rows.timeframe.ms > now)
    if forming.size == 0:
        return PartRows(rows.time, rows.values, rows.origin, rows.dialect, rows.remarks)
    first = int(forming[0])
    if forming.size > 1 or rows.time.size == 1:
        which = "has" if forming.size == 1 else f"is one of {forming.size:,} bars that have"
        raise InputError(
            f"{rows.origin.row(first, rows.time[first])} {which} not closed at {utc_text(now)} UTC, the time by the clock of this machine"
        )
    keep = np.arange(rows.time.size) != first
    remark = f"The last bar of {file.name}, {utc_text(rows.time[first])} UTC, is unfinished and left out."
    return PartRows(rows.time[keep], np.ascontiguousarray(rows.values[:, keep]), rows.origin, rows.dialect, (*rows.remarks, remark))


def _check_tiers(file: DataFile) -> TierFindings:
    """Every table of a brackets file, checked: tiers that follow each other, amounts that floors and rates make."""
    try:
        content = json.loads(file.path.read_text(encoding="utf-8"))
        tables = content.get("brackets", content)
        names = list(tables)
    except (OSError, ValueError, AttributeError, TypeError):
        # The reader of such files has the sentence.
        names = [""]
    sound, problems = [], []
    for name in names:
        symbol = name.split(":")[0].replace("/", "")
        try:
            read_brackets(file.path, symbol)
            sound.append(symbol)
        except InputError as error:
            problems.append(str(error))
    return TierFindings(file.name, tuple(sound), tuple(problems))
