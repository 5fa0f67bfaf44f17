"""The options of `main.py`, and those it shares with `optimizer.py`: what they are called, and what they change in a configuration."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from backtest.command_line import Parser
from backtest.configuration import FEE_PRESETS, Configuration, strategy_class, strategy_name
from backtest.output import DEFAULT_OUTPUT
from engine.errors import InputError
from engine.parameters import Parameters

# Options that set one field of one table, by the option's name.
DIRECT = {
    "coins": ("data", "coins"),
    "start": ("data", "start"),
    "end": ("data", "end"),
    "timeframe": ("data", "timeframe"),
    "source": ("data", "source"),
    "exchange": ("data", "exchange"),
    "data_dir": ("data", "data_dir"),
    "cache_dir": ("data", "cache_dir"),
    "max_gap_pct": ("data", "max_gap_pct"),
    "bars_from": ("data", "bars_from"),
    "sub_bars": ("data", "sub_bars"),
    "filters": ("data", "filters"),
    "market_seed": ("data", "seed"),
    "scenario": ("data", "scenario"),
    "capital": ("account", "capital"),
    "leverage": ("account", "leverage"),
    "wallet": ("account", "wallet"),
    "margin": ("account", "margin"),
    "path": ("execution", "path"),
    "through_bps": ("execution", "through_bps"),
}


def add_run_options(parser: Parser, seed: str = "--seed") -> None:
    """The options of market, account, execution and strategy, which `configuration` reads. seed: what the market's is called."""
    _market_options(parser, seed)
    _account_options(parser)
    _execution_options(parser)
    _strategy_options(parser)


def _market_options(parser: Parser, seed: str) -> None:
    market = parser.add_argument_group("market")
    market.add_argument("--coins", nargs="+", metavar="COIN", help="coins or symbols, such as BTC ETH (default: BTC)")
    market.add_argument("--start", metavar="DATE", help="first bar that may trade, UTC")
    market.add_argument("--end", metavar="DATE", help="end, exclusive, UTC")
    market.add_argument("--timeframe", metavar="TF", help="length of a bar, 1m to 1d (default: 15m)")
    market.add_argument("--source", metavar="NAME", help="auto, cache, exchange, files or simulated (default: auto)")
    market.add_argument("--exchange", metavar="NAME", help="exchange, by its name in ccxt (default: binanceusdm)")
    market.add_argument("--data-dir", metavar="DIR", help="folder with market data files, archives, or one file")
    market.add_argument("--cache-dir", metavar="DIR", help="folder of downloaded data (default: data/cache)")
    market.add_argument("--refresh", action="store_true", help="download the dates asked for again, in place of what is cached")
    market.add_argument("--max-gap-pct", metavar="X", help="most missing bars allowed, percent (default: 1)")
    market.add_argument("--bars-from", metavar="TF", help="make the bars of finer ones, such as 1m")
    market.add_argument("--sub-bars", metavar="TF", help="walk orders on finer bars, such as 1m")
    market.add_argument(
        "--filters", nargs="+", metavar="COIN=TICK,STEP,MIN_QTY,MIN_NOTIONAL", help="filters of coins that cannot be looked up"
    )
    market.add_argument(seed, metavar="N", dest="market_seed", help="seed of the simulated market")
    market.add_argument("--scenario", metavar="NAME", help="what happens in the simulated market (default: nothing)")


def _account_options(parser: Parser) -> None:
    account = parser.add_argument_group("account")
    account.add_argument("--capital", metavar="X", help="starting balance, each coin's own when wallets are separate (default: 10000)")
    account.add_argument("--leverage", metavar="X", help="divides initial margin and, by default, multiplies order size (default: 1)")
    account.add_argument("--wallet", metavar="KIND", help="shared or separate (default: separate)")
    account.add_argument("--margin", metavar="KIND", help="cross or isolated (default: cross)")


def _execution_options(parser: Parser) -> None:
    execution = parser.add_argument_group("execution")
    execution.add_argument("--fees", metavar="PRESET", help=f"{' or '.join(FEE_PRESETS)}")
    execution.add_argument("--fills", metavar="RULE", help="touch, or through: traded through by a tick (default: touch)")
    execution.add_argument("--through-bps", metavar="X", help="basis points beyond a limit price that the path must reach")
    execution.add_argument("--path", metavar="PATH", help="nearest, low_first or high_first (default: nearest)")


def _strategy_options(parser: Parser) -> None:
    strategy = parser.add_argument_group("strategy and settings")
    strategy.add_argument("--strategy", metavar="NAME", help="adaptive_grid or static_grid (default: adaptive_grid)")
    strategy.add_argument("--no-short", action="store_true", help="do not sell short")
    strategy.add_argument("--config", metavar="FILE", help="TOML file with [strategy], [account], [execution], [data] ...")
    strategy.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="any setting; may be given several times")


def build_parser() -> Parser:
    """The parser of `main.py`."""
    parser = Parser(
        prog="main.py",
        description="Backtest a hedge-mode grid on one or several perpetual futures and write the run to a folder.",
        epilog="Exit codes: 0 done, 2 bad input, 3 the data source could not be read or has nothing for the coin.",
        allow_abbrev=False,
    )
    add_run_options(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--output", metavar="DIR", default=str(DEFAULT_OUTPUT), help=f"where run folders go (default: {DEFAULT_OUTPUT})")
    output.add_argument(
        "--sensitivity",
        choices=("coarse", "full", "none"),
        default="coarse",
        help="scan of the break-even points: full runs every maker fee and funding multiple, none leaves the table out as well",
    )
    output.add_argument("--ablate", action="store_true", help="also run with each module of the adaptive grid off in turn")
    output.add_argument("--exposure-ladder", action="store_true", help="also run at exposure 1 to 20, with the probability of ruin")
    output.add_argument("--log-orders", action="store_true", help="write orders.parquet and orders.csv: every order and what became of it")
    output.add_argument("--evaluation", action="store_true", help="also count how often a funded account's evaluation is passed")
    output.add_argument("--no-charts", action="store_true", help="write no PNG charts")
    output.add_argument("--html", action="store_true", help="write report.html, one page that needs no network, into the run's folder")
    output.add_argument("--json", action="store_true", help="print summary.json in place of the table")
    output.add_argument("--quiet", action="store_true", help="print nothing but errors; files are written all the same")
    output.add_argument("--compare", nargs=2, metavar="RUN", default=None, help="two run folders side by side, and leave")
    output.add_argument("--list-params", action="store_true", help="list every setting with default, range and meaning, and leave")
    output.add_argument("--list-scenarios", action="store_true", help="list the scenarios of the simulated market, and leave")
    output.add_argument("--version", action="store_true", help="print the version and leave")
    return parser


def parse(argv: list[str]) -> argparse.Namespace:
    """The options given. Raises InputError, one sentence, for what is not an option."""
    return build_parser().parse(argv)


def configuration(options: argparse.Namespace) -> Configuration:
    """The settings of a run: the file, then options, then --set, each overriding the one before. Raises InputError."""
    settings = Configuration.read(options.config) if options.config else Configuration()
    if options.strategy is not None and options.strategy != strategy_name(settings.strategy):
        settings = replace(settings, strategy=strategy_class(options.strategy)())
    changes: dict[str, dict[str, Any]] = {"data": {}, "account": {}, "execution": {}}
    if options.fees is not None:
        if options.fees not in FEE_PRESETS:
            raise InputError(f"--fees {options.fees} is refused: it must be {' or '.join(FEE_PRESETS)}")
        changes["execution"].update(zip(("fee_maker", "fee_taker"), FEE_PRESETS[options.fees], strict=True))
    if options.fills is not None:
        if options.fills not in ("touch", "through"):
            raise InputError(f"--fills {options.fills} is refused: it must be touch or through")
        changes["execution"]["through"] = 0.0 if options.fills == "touch" else 1.0
    for option, (table, name) in DIRECT.items():
        if getattr(options, option) is not None:
            changes[table][name] = getattr(options, option)
    for table, values in changes.items():
        if values:
            part: Parameters = getattr(settings, table)
            settings = replace(settings, **{table: part.replace(**values)})
    settings = settings.set(*options.set)
    if options.no_short:
        if "allow_short" not in type(settings.strategy).model_fields:
            raise InputError(f"--no-short is refused: {strategy_name(settings.strategy)} has no allow_short")
        settings = replace(settings, strategy=settings.strategy.replace(allow_short=False))
    if settings.data.data_dir is not None and not Path(settings.data.data_dir).expanduser().exists():
        raise InputError(f"--data-dir {settings.data.data_dir} is refused: there is no such folder or file")
    return settings
