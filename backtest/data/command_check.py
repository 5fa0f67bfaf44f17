"""`python -m backtest.data check`: can these bars be trusted."""

from __future__ import annotations

import argparse
import json

from backtest.command_line import EXIT_BROKEN_DATA, EXIT_DONE, plain_console
from backtest.data.cache.layout import default_root
from backtest.data.check.as_json import report_as_json
from backtest.data.check.folder import check_folder
from backtest.data.check.terminal import print_check
from engine.errors import SourceError


def check(options: argparse.Namespace) -> int:
    """Print what is in a folder of files or in the cache; 1 when something breaks a rule."""
    place = options.data_dir or options.cache_dir or default_root()
    if not place.exists():
        raise SourceError(f"{place} cannot be checked: there is no such folder")
    report = check_folder(place, options.coins, options.exchange)
    if options.json:
        print(json.dumps(report_as_json(report), indent=1, allow_nan=False))
    else:
        print_check(report, plain_console(), details=options.details)
    return EXIT_BROKEN_DATA if report.broken else EXIT_DONE
