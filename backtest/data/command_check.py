"""`python -m backtest.data check`: can these bars be trusted."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from backtest.command_line import EXIT_BROKEN_DATA, EXIT_DONE, plain_console
from backtest.data.cache.layout import default_root
from backtest.data.check.as_json import report_as_json
from backtest.data.check.findings import CheckReport
from backtest.data.check.folder import check_folder
from backtest.data.check.terminal import print_check
from backtest.data.check.wording import listed
from backtest.data.command_cache import named_folder
from engine.errors import SourceError

# Files that the sentence names when none of a folder was recognised.
_NAMED = 3


def check(options: argparse.Namespace) -> int:
    """Print what is in a folder of files or in the cache; 1 when something breaks a rule.

    Raises InputError for a folder that was named and is not there, SourceError when there is nothing to check.
    """
    files, cache = named_folder("--data-dir", options.data_dir), named_folder("--cache-dir", options.cache_dir)
    place = files or cache or default_root()
    if not place.exists():
        raise SourceError(f"there is nothing to check: {_empty_cache(place)}")
    report = check_folder(place, options.coins, options.exchange, cache_dir=cache)
    _refuse_nothing(report, place, files is None)
    if options.json:
        print(json.dumps(report_as_json(report), indent=1, allow_nan=False))
    else:
        print_check(report, plain_console(), details=options.details)
    return EXIT_BROKEN_DATA if report.broken else EXIT_DONE


def _refuse_nothing(report: CheckReport, place: Path, is_cache: bool) -> None:
    """Raises SourceError for a report without any series or table: it must not pass for a clean one."""
    if report.series or report.funding or report.tiers or report.broken:
        return
    if report.unrecognised:
        files = listed([file.file for file in report.unrecognised], _NAMED)
        raise SourceError(f"there is nothing to check: no file of {place} was recognised as market data, it has {files}")
    raise SourceError(f"there is nothing to check: {_empty_cache(place) if is_cache else f'{place} has no files'}")


def _empty_cache(place: Path) -> str:
    return f"the cache {place} is empty; python -m backtest.data fetch BTC downloads, import takes files"
