"""The options of `optimizer.py`: those of a run, one for each setting of the optimizer made from its declaration, and its own."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from backtest.arguments import add_run_options, configuration
from backtest.command_line import Parser
from backtest.configuration import OPTIMIZER_TABLE, Configuration, DataSettings, read_tables, strategy_name, value_of
from backtest.optimization.proposer import check_sampler
from backtest.optimization.settings import STRICT, Optimization
from backtest.optimization.space import Space, search_space
from engine.errors import InputError
from engine.parameters import Parameters

DEFAULT_OUTPUT = Path("data/optimizer")
_STUDY_NAME = re.compile(r"[\w.+-]{1,100}")


@dataclass(frozen=True)
class Request:
    """What is asked for: the run's settings, the optimizer's, the space, and where it is kept.

    study: its name, None for one made of the settings. output: folder of the files, None for one named like the study.
    """

    configuration: Configuration
    settings: Optimization
    space: Space
    study: str | None
    storage: str | None
    output: Path | None
    threads: int
    refresh: bool
    quiet: bool
    as_json: bool


def option_name(field: str) -> str:
    """`score_under` as `--score-under`."""
    return "--" + field.replace("_", "-")


def _setting_options(parser: Parser) -> None:
    """One option a field of `Optimization`; its range is checked where it is declared."""
    from backtest.parameter_reference import allowed, plain_type, shown

    group = parser.add_argument_group("optimizer")
    for name, field in Optimization.model_fields.items():
        kind = plain_type(field.annotation)
        # argparse takes % for its own.
        meaning = str(field.description).replace("%", "%%")
        if kind is bool:
            group.add_argument(option_name(name), action="store_const", const=True, dest=f"optimizer_{name}", help=meaning)
            continue
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        unit = f" {extra['unit']}" if extra.get("unit") else ""
        default = "" if field.default is None else f"; default: {shown(field.default)}"
        words = ", ".join(get_args(kind)) if get_origin(kind) is Literal else allowed(field.annotation, field.metadata) + unit
        metavar = "NAME" if get_origin(kind) is Literal else "N" if kind is int else "X"
        group.add_argument(option_name(name), metavar=metavar, dest=f"optimizer_{name}", help=f"{meaning} ({words}{default})")
    strict = ", ".join(f"{name} {value:g}" for name, value in STRICT.items())
    group.add_argument("--strict", action="store_true", help=f"hard constraints {strict}, where no other value is given")
    group.add_argument(
        "--search", metavar="NAME=LOW:HIGH", action="append", default=[],
        help="search another range; NAME=off leaves a parameter out, NAME=a,b searches words or switches; may be given several times",
    )  # fmt: skip


def build_parser() -> Parser:
    """The parser of `optimizer.py`."""
    parser = Parser(
        prog="optimizer.py",
        description="Search for parameters of a grid, and say how far what was found is more than luck.",
        epilog="optimizer.py analyze|export|prune STUDY: look at a study, write its trials, drop the worst. "
        "Exit codes: 0 done, 2 bad input, 3 the data source could not be read or has nothing for the coin, 130 interrupted.",
        allow_abbrev=False,
    )
    add_run_options(parser, seed="--market-seed")
    _setting_options(parser)
    own = parser.add_argument_group("study and output")
    own.add_argument("--study", metavar="NAME", help="name of the study; the same name goes on where it stopped (default: from settings)")
    add_storage_option(own)
    own.add_argument("--output", metavar="DIR", type=Path, help=f"folder of the files (default: {DEFAULT_OUTPUT}/STUDY)")
    own.add_argument("--threads", metavar="N", help="threads that run sets side by side (default: one a core)")
    own.add_argument("--json", action="store_true", help="print summary.json in place of the tables")
    own.add_argument("--quiet", action="store_true", help="print nothing but errors; files are written all the same")
    return parser


def add_storage_option(parser: Any) -> None:
    """`--storage`, of the search and of the commands on a study alike."""
    parser.add_argument(
        "--storage", metavar="WHERE", help="file or database URL that keeps the trials (default: a file beside the studies)"
    )


def request(argv: list[str]) -> Request:
    """What the arguments ask for: the file, then options, then --set, each overriding the one before. Raises InputError."""
    options = build_parser().parse(argv)
    own, others = _split_assignments(options.set)
    options.set = others
    settings = configuration(options)
    if not isinstance(settings.strategy, Parameters):
        raise InputError(f"strategy {strategy_name(settings.strategy)} is refused: it declares nothing to search")
    optimization = _optimization(options, own)
    check_sampler(optimization.sampler_name)
    space = search_space(type(settings.strategy), search_overrides(type(settings.strategy), options.search))
    study = options.study
    if study is not None and (not _STUDY_NAME.fullmatch(study) or not study.strip(".")):
        raise InputError(f"--study {study} is refused: it must be letters, digits and . _ + - only, at most 100")
    threads = _threads(options.threads)
    return Request(
        settings,
        optimization,
        space,
        study,
        options.storage,
        options.output,
        threads,
        options.refresh,
        options.quiet or options.json,
        options.json,
    )


def _threads(text: str | None) -> int:
    """Threads asked for, 0 for one a core."""
    if text is None:
        return 0
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise InputError(f"--threads {text} is refused: it must be a whole number from 1 to 1024")
    return int(text)


def _split_assignments(assignments: list[str]) -> tuple[list[str], list[str]]:
    """`--set` of the optimizer's settings, without their table's name, and of all others.

    A name without a table is the optimizer's where no other table has it: `seed` alone is the market's.
    """
    own, others = [], []
    for assignment in assignments:
        name = assignment.partition("=")[0].strip()
        if name.startswith(f"{OPTIMIZER_TABLE}."):
            own.append(assignment.strip().removeprefix(f"{OPTIMIZER_TABLE}."))
        elif name in Optimization.model_fields and name not in DataSettings.model_fields:
            own.append(assignment)
        else:
            others.append(assignment)
    return own, others


def _optimization(options: argparse.Namespace, assignments: list[str]) -> Optimization:
    """The optimizer's settings. `--strict` stands under the values that are given."""
    given: dict[str, Any] = dict(STRICT) if options.strict else {}
    if options.config:
        given |= dict(read_tables(options.config).get(OPTIMIZER_TABLE, {}))
    default = Optimization()
    for name in Optimization.model_fields:
        text = getattr(options, f"optimizer_{name}")
        if text is not None:
            given[name] = text if text is True else value_of(default, name, text)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(f"--set {OPTIMIZER_TABLE}.{assignment} is refused: it must be {OPTIMIZER_TABLE}.name=value")
        if name.strip() not in Optimization.model_fields:
            default.replace(**{name.strip(): text})  # says which name is close
        given[name.strip()] = value_of(default, name.strip(), text.strip())
    return Optimization(**given)


def search_overrides(strategy: type[Parameters], texts: list[str]) -> dict[str, tuple[Any, ...] | None]:
    """Ranges of `--search` by parameter. Raises InputError for what is neither `low:high`, `off` nor words."""
    found: dict[str, tuple[Any, ...] | None] = {}
    for text in texts:
        name, equals, span = (part.strip() for part in text.partition("="))
        if not equals or not name or not span:
            raise InputError(f"--search {text} is refused: it must be name=low:high, name=off or name=a,b")
        low, colon, high = span.partition(":")
        if span == "off":
            found[name] = None
        elif colon:
            found[name] = (_number(text, low), _number(text, high))
        else:
            found[name] = tuple(_word(strategy, name, word.strip()) for word in span.split(","))
    return found


def _number(text: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise InputError(f"--search {text} is refused: {word.strip() or 'an end'!r} is not a number") from None


def _word(strategy: type[Parameters], name: str, word: str) -> Any:
    field = strategy.model_fields.get(name)
    if field is not None and field.annotation is bool and word.lower() in ("true", "false"):
        return word.lower() == "true"
    return word
