"""What the files of a folder hold, told by their names alone.

Names of this project: `<exchange>_<SYMBOL>_<content>[_<from>-<to>]`, content `15m` (bars), `mark-15m` (bars of the mark
price), `funding`, `trades` or `aggTrades`, as .parquet, .csv, .csv.gz, .json or .zip; `<exchange>_leverage_brackets.json`
for margin tiers; the months of the cache, `<exchange>/<SYMBOL>/<content>/<YYYY-MM>.parquet`.

Names of the exchange's public archive, zipped or not: `BTCUSDT-15m-2024-01` (a month) or `BTCUSDT-15m-2024-01-05` (a day),
with `fundingRate`, `trades` or `aggTrades` in place of the timeframe. Its mark prices have the names of its bars and lie in
a folder `markPriceKlines`; where they were moved, `BTCUSDT-markPriceKlines-15m-2024-01` says the same.
Source: the layout of data.binance.vision, github.com/binance/binance-public-data.
"""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from backtest.data.series import FUNDING, MARK
from backtest.data.timeframe import Timeframe
from engine.errors import InputError, SourceError

TRADES = "trades"
AGGREGATED_TRADES = "aggTrades"
TIERS = "tiers"
CHECKSUM = ".CHECKSUM"
SUFFIXES = (".parquet", ".csv", ".csv.gz", ".json", ".zip")
# Kinds of the archive that have the names of bars and are none.
_OTHER_KLINES = {"indexPriceKlines": "index prices", "premiumIndexKlines": "premium indices"}

_CONTENT = r"(?P<content>(?:mark-)?[0-9]+[A-Za-z]+|funding|trades|aggTrades)"
_OWN = re.compile(
    r"(?P<exchange>[a-z0-9.-]+(?:_[a-z0-9.-]+)*?)_(?P<symbol>[A-Z0-9][A-Z0-9._-]*)_" + _CONTENT + r"(?:_(?P<span>[0-9]+-[0-9]+))?"
)
_ARCHIVE = re.compile(
    r"(?P<symbol>[A-Z0-9]+(?:_[A-Z0-9]+)?)-(?P<mark>(?:mark|markPrice|markPriceKlines)-)?"
    r"(?P<content>[0-9]+[A-Za-z]+|fundingRate|trades|aggTrades)-(?P<span>[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?)"
)
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_BRACKETS = re.compile(r"(?P<exchange>[a-z0-9._-]+)_leverage_brackets")


@dataclass(frozen=True)
class DataFile:
    """One file and what its name says of it.

    name: path below the folder, as sentences show it. exchange: None where the name holds none. symbol: None for tiers.
    content: "15m", "mark-15m", "funding", "trades", "aggTrades", "tiers", or None when not recognised, and `reason` says why.
    span: the dates in the name as written. begin, stop: ms UTC, the whole days that an archive's name promises, else None.
    untold: the name tells nothing at all, so that whoever gives this one file may say what it is.
    """

    path: Path
    name: str
    exchange: str | None = None
    symbol: str | None = None
    content: str | None = None
    span: str | None = None
    begin: int | None = None
    stop: int | None = None
    reason: str = ""
    untold: bool = False

    @property
    def timeframe(self) -> Timeframe | None:
        """Length of a bar; None for what is no bars."""
        if self.content is None or self.content in (FUNDING, TRADES, AGGREGATED_TRADES, TIERS):
            return None
        return Timeframe.finer(self.content.removeprefix(MARK))

    def serves(self, exchange: str, symbol: str) -> bool:
        """Whether the file counts for a symbol on an exchange; a name without an exchange counts for any."""
        # The spot market is called binance by ccxt.
        known = ("binance", "binance_spot") if self.exchange == "binance_spot" else (self.exchange,)
        return self.content is not None and self.symbol == symbol and (self.exchange is None or exchange in known)

    def within(self, begin: int, stop: int) -> bool:
        """Whether rows in [begin, stop), ms UTC, may be in the file, by the days in its name."""
        return self.begin is None or self.stop is None or (self.begin < stop and self.stop > begin)


def catalogue(folder: Path) -> list[DataFile]:
    """The files of a folder and the folders below it, or the one file given, sorted by name; the contents are not read.

    Files that are not recognised are listed with their reason. Checksum files, hidden files and hidden folders are left
    out. Raises SourceError when there is no such folder or file, or it cannot be listed.
    """
    if folder.is_file():
        return [recognised(folder, folder.name)]
    if not folder.is_dir():
        raise SourceError(f"data_dir = {folder} is not a folder or a file that can be read")
    files = []
    try:
        for place, folders, names in os.walk(folder, onerror=_refuse):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in names:
                path = Path(place) / name
                if not name.startswith(".") and not name.endswith(CHECKSUM) and path.is_file():
                    files.append(recognised(path, path.relative_to(folder).as_posix()))
    except OSError as error:
        raise SourceError(f"data_dir = {folder} cannot be listed: {error.strerror}") from None
    return sorted(files, key=lambda file: file.name)


def recognised(path: Path, name: str) -> DataFile:
    """What the name of one file says."""
    suffix = next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if path.name.endswith(suffix)), None)
    if suffix is None:
        return DataFile(path, name, reason=f"its name does not end in {', '.join(SUFFIXES)}")
    stem = path.name.removesuffix(suffix)
    if suffix == ".json" and (match := _BRACKETS.fullmatch(stem)):
        return DataFile(path, name, exchange=match["exchange"], content=TIERS)
    if match := _OWN.fullmatch(stem):
        return _with_content(DataFile(path, name, match["exchange"], match["symbol"], match["content"], match["span"]))
    if match := _ARCHIVE.fullmatch(stem):
        return _of_archive(path, name, match)
    if suffix == ".parquet" and _MONTH.fullmatch(stem) and len(path.absolute().parts) > 4:
        exchange, symbol, content = path.absolute().parts[-4:-1]
        if _OWN.fullmatch(f"{exchange}_{symbol}_{content}"):
            return _with_content(DataFile(path, name, exchange, symbol, content, stem))
    return DataFile(
        path, name, reason="its name is neither <exchange>_<SYMBOL>_<timeframe> nor <SYMBOL>-<timeframe>-<YYYY-MM>", untold=True
    )


def _of_archive(path: Path, name: str, match: re.Match[str]) -> DataFile:
    parts = path.absolute().parts
    days = _days(match["span"])
    if days is None:
        return DataFile(path, name, reason=f"{match['span']} is no month or day")
    for folder, what in _OTHER_KLINES.items():
        if folder in parts:
            return DataFile(path, name, reason=f"{what} are not used")
    content = FUNDING if match["content"] == "fundingRate" else match["content"]
    if match["mark"] or "markPriceKlines" in parts:
        content = MARK + content
    return _with_content(DataFile(path, name, _exchange_of(parts), match["symbol"], content, match["span"], *days))


def _with_content(file: DataFile) -> DataFile:
    """The file as recognised, unless its timeframe is none."""
    try:
        _ = file.timeframe
    except InputError:
        length = (file.content or "").removeprefix(MARK)
        allowed = "bars are 1m to 1d long (1s for finer ones) and divide the day"
        return DataFile(file.path, file.name, reason=f"{length} is no timeframe: {allowed}")
    return file


def _exchange_of(parts: tuple[str, ...]) -> str | None:
    """The exchange that the archive's own tree of folders tells: .../futures/um/monthly/... or .../spot/daily/..."""
    for first, second in itertools.pairwise(parts):
        if first == "futures" and second in ("um", "cm"):
            return "binanceusdm" if second == "um" else "binancecoinm"
        if first == "spot" and second in ("monthly", "daily"):
            return "binance_spot"
    return None


def _days(span: str) -> tuple[int, int] | None:
    """Begin and end, ms UTC, of a month `2024-01` or a day `2024-01-05`; None for one that does not exist."""
    try:
        period = pd.Period(span, freq="M" if len(span) == 7 else "D")
    except ValueError:
        return None
    begin, stop = period.start_time, (period + 1).start_time
    return begin.value // 1_000_000, stop.value // 1_000_000


def _refuse(error: OSError) -> None:
    raise error
