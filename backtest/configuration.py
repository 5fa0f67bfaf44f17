"""One TOML file with [strategy], [account], [execution], [data] and sometimes [evaluation], to and from frozen, validated objects."""

from __future__ import annotations

import datetime
import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args, get_origin

import tomli_w
from pydantic import field_validator

from engine.account import Account
from engine.errors import InputError
from engine.evaluation import Evaluation
from engine.execution import Execution
from engine.parameters import Parameters, parameter
from engine.strategies.adaptive_grid_parameters import AdaptiveGrid
from engine.strategies.static_grid_parameters import StaticGrid

# The same as engine.programs.STRATEGIES (a test says so), without waiting for the compiler's import to refuse a typo.
STRATEGIES: dict[str, type[Parameters]] = {"adaptive_grid": AdaptiveGrid, "static_grid": StaticGrid}
TABLES = ("strategy", "account", "execution", "data", "evaluation")

# A rule of [evaluation] that is switched off, in a file.
OFF = "none"
# A table that a run passes over: `optimizer.py` reads it from the same file.
OPTIMIZER_TABLE = "optimizer"

# Maker and taker fee of the presets of --fees.
FEE_PRESETS: dict[str, tuple[float, float]] = {"regular": (0.0002, 0.0005), "market_maker": (-0.00005, 0.0002)}


class DataSettings(Parameters):
    """Which market, from where, and when."""

    coins: tuple[str, ...] = parameter(("BTC",), "coins or symbols, in the order they are walked")
    start: str | None = parameter(None, "first bar that may trade, UTC date or time; default: the first there is", unit="UTC")
    end: str | None = parameter(None, "end, exclusive; default: the last there is", unit="UTC")
    timeframe: str = parameter("15m", "length of a bar, 1m to 1d")
    source: str = parameter(
        "auto",
        "where bars come from: cache, exchange, files or simulated; auto: the files of data_dir if it is given, "
        "else the first of cache, exchange and simulated that can serve",
    )
    exchange: str = parameter("binanceusdm", "exchange, by its name in ccxt; data files are named after it")
    data_dir: str | None = parameter(None, "folder with market data files, or one file")
    cache_dir: str | None = parameter(None, "folder of downloaded data; default: data/cache")
    max_gap_pct: float = parameter(1.0, "most missing bars allowed", ge=0.0, le=100.0, unit="%")
    bars_from: str | None = parameter(None, "timeframe of the finer bars to make the bars of; default: the coarsest that serves")
    sub_bars: str | None = parameter(None, "timeframe of finer bars that orders are walked on, such as 1m")
    filters: tuple[str, ...] = parameter((), "filters of coins that cannot be looked up, COIN=TICK,STEP,MIN_QTY,MIN_NOTIONAL each")
    seed: int = parameter(1, "seed of the simulated market", ge=0, le=2**31 - 1)
    scenario: str = parameter("default", "what happens in the simulated market; python main.py --list-scenarios names them")

    @field_validator("coins", mode="before")
    @classmethod
    def _some_coins(cls, value: Any) -> Any:
        coins = [part.strip() for part in value.replace(",", " ").split()] if isinstance(value, str) else value
        if not coins:
            raise ValueError("there must be at least one coin")
        return coins

    @field_validator("filters", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return value.split() if isinstance(value, str) else value

    @field_validator("start", "end", mode="before")
    @classmethod
    def _dates_are_text(cls, value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime.date) else value


def nearest(name: str, known: Iterable[str]) -> str:
    """`"; did you mean ...?"` when a known name is close, else the list of them."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(names)}" if len(names) < 12 else "; --list-params lists them all"


def strategy_class(name: str) -> type[Parameters]:
    """The parameters of a built-in strategy, by name. Raises InputError with the nearest name."""
    if name not in STRATEGIES:
        raise InputError(f"strategy {name!r} is not known{nearest(str(name), STRATEGIES)}")
    return STRATEGIES[name]


def strategy_name(strategy: Any) -> str:
    """Name of a strategy, built-in or a user's own."""
    return str(getattr(strategy, "name", type(strategy).__name__))


def strategy_parameters(strategy: Any) -> dict[str, Any]:
    """Parameters of a strategy by name, built-in or a user's own."""
    if isinstance(strategy, Parameters):
        return dict(strategy.model_dump())
    return dict(getattr(strategy, "parameters", None) or {})


def read_tables(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises InputError, one sentence that names the file."""
    path = Path(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"configuration {path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"configuration {path} is not valid TOML: {error}") from None


@dataclass(frozen=True)
class Configuration:
    """Everything a run is made from."""

    strategy: Any = field(default_factory=AdaptiveGrid)
    account: Account = field(default_factory=Account)
    execution: Execution = field(default_factory=Execution)
    data: DataSettings = field(default_factory=DataSettings)
    evaluation: Evaluation | None = None

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any]) -> Configuration:
        """From the tables of a TOML file; what is not given has its default. Raises InputError, one sentence."""
        for name, table in tables.items():
            if name not in (*TABLES, OPTIMIZER_TABLE):
                raise InputError(f"[{name}] is not a table of a configuration{nearest(name, TABLES)}")
            if not isinstance(table, Mapping):
                raise InputError(f"{name} = {table!r} is refused: it must be a table, [{name}]")
        strategy = dict(tables.get("strategy", {}))
        kind = strategy_class(strategy.pop("name", AdaptiveGrid.name))
        return cls(
            kind(**strategy),
            Account(**tables.get("account", {})),
            Execution(**tables.get("execution", {})),
            DataSettings(**tables.get("data", {})),
            Evaluation(**_with_off(tables["evaluation"])) if "evaluation" in tables else None,
        )

    @classmethod
    def read(cls, path: str | Path) -> Configuration:
        """From a TOML file. Raises InputError, one sentence that names the file."""
        tables = read_tables(path)
        try:
            return cls.from_tables(tables)
        except InputError as error:
            raise InputError(f"configuration {path}: {error}") from None

    def tables(self) -> dict[str, dict[str, Any]]:
        """All settings as tables of plain values; those without a value (None) are left out, as TOML has none."""
        parts = {
            "strategy": {"name": strategy_name(self.strategy), **strategy_parameters(self.strategy)},
            "account": self.account.model_dump(),
            "execution": self.execution.model_dump(),
            "data": self.data.model_dump(),
        }
        if self.evaluation is not None:
            parts["evaluation"] = _without_off(self.evaluation)
        return {
            name: {key: list(value) if isinstance(value, tuple) else value for key, value in part.items() if value is not None}
            for name, part in parts.items()
        }

    def to_toml(self) -> str:
        """The TOML text that `read` turns into an equal configuration."""
        return tomli_w.dumps(self.tables())

    def digest(self) -> str:
        """Six hexadecimal digits that stand for the settings, wherever the data folder lies."""
        tables = self.tables()
        tables["data"].pop("data_dir", None)
        return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()[:6]

    def set(self, *assignments: str) -> Configuration:
        """A copy with fields changed by `name=value` or `table.name=value`, those of one table together.

        Raises InputError, one sentence.
        """
        made: Configuration = self
        changes: dict[str, dict[str, Any]] = {name: {} for name in TABLES}
        # A bare name must not put rules of a funded account above a run that has none.
        ruled = self.evaluation is not None or any(one.strip().startswith("evaluation.") for one in assignments)
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            if not equals or not name.strip():
                raise InputError(f"--set {assignment} is refused: it must be name=value or table.name=value")
            if name.strip() in ("strategy", "strategy.name"):
                made, changes["strategy"] = replace(made, strategy=strategy_class(text.strip())()), {}
                continue
            table, plain = _holder(made, assignment, name.strip(), ruled)
            changes[table][plain] = value_of(getattr(made, table) or Evaluation(), plain, text.strip())
        for table, values in changes.items():
            if values:
                made = replace(made, **{table: (getattr(made, table) or Evaluation()).replace(**values)})
        return made


def _with_off(table: Mapping[str, Any]) -> dict[str, Any]:
    """The [evaluation] table with the word none, which switches a rule off, as None: TOML has no other way to say it."""
    return {name: None if value == OFF else value for name, value in table.items()}


def _without_off(evaluation: Evaluation) -> dict[str, Any]:
    """The settings as plain values for the [evaluation] table, a rule that is off as the word none."""
    return {name: OFF if value is None else value for name, value in evaluation.model_dump().items()}


def _holder(settings: Configuration, assignment: str, name: str, ruled: bool) -> tuple[str, str]:
    """Table and field that an assignment's name means; ruled: whether a bare name may mean one of [evaluation].

    Raises InputError when there is none, or more than one.
    """
    owners = {table: list(type(getattr(settings, table) or Evaluation()).model_fields) for table in TABLES}
    table, dot, plain = name.rpartition(".")
    if dot and table not in TABLES:
        raise InputError(f"--set {assignment}: {table} is not a table{nearest(table, TABLES)}")
    searched = [table] if dot else [owner for owner in owners if ruled or owner != "evaluation"]
    holders = [owner for owner in searched if plain in owners[owner]]
    if not holders and not dot and plain in owners["evaluation"]:
        raise InputError(
            f"--set {assignment}: {plain} is a rule of a funded account, and this run has none; say evaluation.{plain} to switch them on"
        )
    if not holders:
        known = owners[table] if dot else [one for names in owners.values() for one in names]
        raise InputError(f"--set {assignment}: {plain} is not a setting{nearest(plain, known)}")
    if len(holders) > 1:
        raise InputError(f"--set {assignment}: {plain} stands in several tables; say {' or '.join(f'{one}.{plain}' for one in holders)}")
    return holders[0], plain


def value_of(part: Parameters, name: str, text: str) -> Any:
    """A value as typed on a command line: words stay words, the rest is read as TOML; `none` unsets an optional field."""
    kind = type(part).model_fields[name].annotation
    members = get_args(kind) if get_origin(kind) is not None else (kind,)
    if type(None) in members and text.lower() in ("none", ""):
        return None
    if any(member is str or isinstance(member, str) for member in members):
        return text.strip("\"'")
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def fee_preset(execution: Execution) -> str:
    """Name of the preset whose maker and taker fees these are, "" for others."""
    for name, fees in FEE_PRESETS.items():
        if (execution.fee_maker, execution.fee_taker) == fees:
            return name
    return ""
