"""`python -m backtest.data`: its commands and their options. Exit codes: 0 done, 1 broken data found, 2 bad input, 3 source."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from backtest.command_line import Parser, run_command
from backtest.data import command_cache, command_check, command_fetch, command_import
from backtest.data.cache.layout import default_root


def build_parser() -> Parser:
    """The parser of `python -m backtest.data`."""
    parser = Parser(
        prog="python -m backtest.data",
        description="Download, list, check, import and export market data.",
        epilog="Exit codes: 0 done, 1 check found broken data, 2 bad input, "
        "3 the exchange or the cache could not be read, or there was nothing to check.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, options, what in (
        ("fetch", _fetch, "download what is missing into the cache: bars, mark prices, funding, filters"),
        ("list", _list, "show what the cache holds"),
        ("check", _check, "tell whether bars can be trusted: gaps, broken rows, odd bars, finer bars against longer ones"),
        ("import", _import, "put files and archives into the cache"),
        ("export", _export, "write a series of the cache as CSV or Parquet"),
    ):
        options(commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.", allow_abbrev=False))
    return parser


def _place(parser: argparse.ArgumentParser, exchange: bool = True) -> None:
    if exchange:
        parser.add_argument("--exchange", metavar="NAME", default="binanceusdm", help="its name in ccxt (default: binanceusdm)")
    parser.add_argument("--cache-dir", metavar="DIR", type=Path, default=None, help=f"folder of the cache (default: {default_root()})")


def _dates(parser: argparse.ArgumentParser, default_start: str) -> None:
    parser.add_argument("--start", metavar="DATE", help=f"first time, UTC (default: {default_start})")
    parser.add_argument("--end", metavar="DATE", help="end, exclusive, UTC (default: the last there is)")


def _fetch(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=command_fetch.fetch)
    parser.add_argument("coins", nargs="+", metavar="COIN", help="coins or symbols, such as BTC ETH")
    _dates(parser, "a year before the end")
    parser.add_argument("--timeframe", nargs="+", metavar="TF", default=["15m"], help="lengths of bars, such as 15m 1m (default: 15m)")
    _place(parser)
    parser.add_argument("--exchange-url", metavar="URL", help="another address of the exchange's interface, such as a test server's")
    parser.add_argument("--refresh", action="store_true", help="download again and replace what is stored")
    parser.add_argument("--no-funding", action="store_true", help="no funding history")
    parser.add_argument("--no-mark", action="store_true", help="no bars of the mark price")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _list(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=command_cache.list_cache)
    _place(parser, exchange=False)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def _check(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=command_check.check)
    parser.add_argument("coins", nargs="*", metavar="COIN", help="only these coins (default: all)")
    parser.add_argument("--data-dir", metavar="DIR", type=Path, help="folder of files to check (default: the cache)")
    _place(parser)
    parser.add_argument("--details", action="store_true", help="list every finding, not the first of each kind")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def _import(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=command_import.import_files)
    parser.add_argument("paths", nargs="+", metavar="PATH", type=Path, help="files, archives or folders of them")
    _place(parser)
    parser.add_argument("--symbol", metavar="COIN", help="the coin, where the file's name does not tell")
    parser.add_argument("--timeframe", metavar="TF", help="length of the bars, where the name does not tell or of trades")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _export(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=command_cache.export)
    parser.add_argument("coin", metavar="COIN", help="coin or symbol")
    parser.add_argument("--content", metavar="WHAT", default="15m", help="15m, mark-15m, funding and so on (default: 15m)")
    _dates(parser, "the first there is")
    _place(parser)
    parser.add_argument("--output", metavar="FILE", type=Path, required=True, help="a .csv or .parquet file, or a folder to put one in")
    parser.add_argument("--force", action="store_true", help="replace the file when it is there")


def _run(argv: list[str]) -> int | None:
    options = build_parser().parse(argv)
    code: Any = options.run(options)
    return code if isinstance(code, int) else None


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    return run_command(_run, argv)
