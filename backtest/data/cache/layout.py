"""Where in the cache a series lies: `<root>/<exchange>/<symbol>/<content>/<YYYY-MM>.parquet`, by months UTC."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from pathlib import Path

from backtest.data.series import FUNDING, SeriesName
from engine.errors import InputError

DATA_DIR = "GRIDCORE_DATA_DIR"
DEFAULT_ROOT = Path("data/cache")
SUFFIX = ".parquet"
SET_ASIDE = ".unreadable"
_MONTH = re.compile(r"([0-9]{4}-(?:0[1-9]|1[0-2]))\.parquet")


def default_root() -> Path:
    """`data/cache` in the working directory, or the folder that the variable GRIDCORE_DATA_DIR names."""
    return Path(os.environ.get(DATA_DIR) or DEFAULT_ROOT).expanduser()


def folder_of(root: Path, series: SeriesName) -> Path:
    """The folder that holds the months of a series."""
    return root / series.exchange / series.symbol / series.content


def month_of(time: int) -> str:
    """The month of a time, ms UTC, such as `2024-01`."""
    return f"{_moment(time):%Y-%m}"


def month_bounds(month: str) -> tuple[int, int]:
    """Begin of a month such as `2024-01` and of the next one, ms UTC."""
    year, number = int(month[:4]), int(month[5:])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return _ms(year, number), _ms(*following)


def months_between(begin: int, stop: int) -> Iterator[str]:
    """The months that [begin, stop), ms UTC, touches, in order."""
    while begin < stop:
        month = month_of(begin)
        yield month
        begin = month_bounds(month)[1]


def stored_months(folder: Path) -> list[str]:
    """The months of which a series' folder holds a file, in order; none when the folder is not there."""
    if not folder.is_dir():
        return []
    return sorted(match[1] for path in folder.iterdir() if (match := _MONTH.fullmatch(path.name)))


def stored_series(root: Path) -> Iterator[tuple[SeriesName, Path]]:
    """The series of which the cache has a folder, by exchange, symbol and content."""
    for folder in sorted(path for path in root.glob("*/*/*") if path.is_dir()):
        exchange, symbol, content = folder.parts[-3:]
        try:
            yield SeriesName(exchange, symbol, content), folder
        except InputError:  # a folder of somebody else's
            continue


def free_name(path: Path) -> Path:
    """The name under which an unreadable file is kept: `.unreadable`, `.unreadable-2` and so on, whichever is not taken."""
    number = 1
    while True:
        aside = path.with_name(path.name + SET_ASIDE + ("" if number == 1 else f"-{number}"))
        if not os.path.lexists(aside):
            return aside
        number += 1


def on_grid(series: SeriesName, time: int) -> int:
    """The first time that is not before `time` and on which a row of the series may stand, ms UTC."""
    return time if series.timeframe is None else -(-time // series.timeframe.ms) * series.timeframe.ms


def close_of(series: SeriesName, time: int) -> int:
    """When the row that opens (or settles) at `time` is finished, ms UTC."""
    return time if series.content == FUNDING or series.timeframe is None else time + series.timeframe.ms


def _moment(time: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=int(time))


def _ms(year: int, month: int) -> int:
    return int(dt.datetime(year, month, 1, tzinfo=dt.UTC).timestamp()) * 1000
