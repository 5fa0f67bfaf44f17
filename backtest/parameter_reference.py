"""The references of parameters and metrics, made from their declarations.

`python -m backtest.parameter_reference` writes docs/parameters.md, docs/metrics.md, docs/json.md and docs/schemas/.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from backtest.configuration import STRATEGIES, DataSettings
from backtest.metrics import METRICS
from backtest.optimization.settings import Optimization
from engine.account import Account
from engine.evaluation import Evaluation
from engine.execution import Execution
from engine.parameters import Parameters

_DOCS = Path(__file__).resolve().parent.parent / "docs"
DOCUMENT = _DOCS / "parameters.md"
METRICS_DOCUMENT = _DOCS / "metrics.md"

HEADINGS = ("name", "default", "allowed", "unit", "search range", "meaning")


class Row(NamedTuple):
    """One parameter as words."""

    name: str
    default: str
    allowed: str
    unit: str
    search: str
    meaning: str


def shown(value: Any) -> str:
    """A value as a TOML file has it; None as `none`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return " ".join(shown(one) for one in value)
    return f"{value:,.10g}".replace(",", "_") if isinstance(value, float) and abs(value) < 1e15 else str(value)


def plain_type(annotation: Any) -> Any:
    """The type of a field without its `| None`."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(one for one in get_args(annotation) if one is not type(None))
    return annotation


def allowed(annotation: Any, limits: Sequence[Any]) -> str:
    """What a field may be, in words: `[0, 1]`, `true, false`, `robust, rolling`. limits: the field's metadata."""
    kind = plain_type(annotation)
    if get_origin(kind) is Literal:
        return ", ".join(get_args(kind))
    if kind is bool:
        return "true, false"
    bounds = {name: getattr(limit, name) for limit in limits for name in ("ge", "gt", "le", "lt") if getattr(limit, name, None) is not None}
    if not bounds:
        return "list of text" if get_origin(kind) is tuple else "text" if kind is str else "any"
    opening = f"[{shown(float(bounds['ge']))}" if "ge" in bounds else f"({shown(float(bounds['gt']))}" if "gt" in bounds else "(-inf"
    closing = f"{shown(float(bounds['le']))}]" if "le" in bounds else f"{shown(float(bounds['lt']))})" if "lt" in bounds else "inf)"
    return f"{'whole, ' if kind is int else ''}{opening}, {closing}"


def rows(kind: type[Parameters]) -> list[Row]:
    """The parameters of a class in the order of their declaration."""
    found = []
    for name, field in kind.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        search = extra.get("search")
        span = f"{shown(search[0])} to {shown(search[1])}{' (log)' if extra.get('log') else ''}" if isinstance(search, list) else ""
        values = allowed(field.annotation, field.metadata)
        found.append(Row(name, shown(field.default) or "none", values, str(extra.get("unit", "")), span, str(field.description)))
    return found


def sections() -> list[tuple[str, str, type[Parameters]]]:
    """Heading, table of the configuration file, and class of each group of parameters."""
    strategies: list[tuple[str, str, type[Parameters]]] = [
        (f"Strategy {name}", f'[strategy] with name = "{name}"', kind) for name, kind in STRATEGIES.items()
    ]
    terms: list[tuple[str, str, type[Parameters]]] = [
        ("Account", "[account]", Account),
        ("Execution", "[execution]", Execution),
        ("Data", "[data]", DataSettings),
        ("Evaluation", "[evaluation]", Evaluation),
        ("Optimizer", "[optimizer]", Optimization),
    ]
    return strategies + terms


def document() -> str:
    """The text of docs/parameters.md."""
    lines = [
        "# Parameters",
        "",
        "Made from the declarations by `python -m backtest.parameter_reference`; a test holds it to them.",
        "",
        "Every parameter stands in a table of a configuration file and is set on the command line by `--set name=value`",
        "(or `--set table.name=value`). `[a, b]` allows both ends, `(a, b)` neither. The search range is the optimizer's.",
        "A parameter whose default is `none` is left out of a file to keep it so. The rules of `[evaluation]` stand only where the",
        "table or one of its settings is given; in it the word `none` switches a single rule off.",
        "The settings of the optimizer are also options of `optimizer.py`, such as `--train-share`; `main.py` passes their table over.",
    ]
    for heading, table, kind in sections():
        about = str(kind.__doc__).strip().splitlines()[0]
        lines += ["", f"## {heading}", "", f"`{table}`: {about}", ""]
        lines.append("| " + " | ".join(HEADINGS) + " |")
        lines.append("|" + "---|" * len(HEADINGS))
        for row in rows(kind):
            cells = (f"`{row.name}`", f"`{row.default}`", *(cell.replace("|", "\\|") for cell in row[2:]))
            lines.append("| " + " | ".join(cells) + " |")
        if kind.rules:
            kept = (f"`{rule.low}` {'at most' if rule.equal else 'below'} `{rule.high}`" for rule in kind.rules)
            lines += ["", f"Rules between them: {'; '.join(kept)}. A search runs no set that breaks one."]
    return "\n".join(lines) + "\n"


def metrics_document() -> str:
    """The text of docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Made from `backtest.metrics.METRICS` by `python -m backtest.parameter_reference`; a test holds it to them.",
        "",
        "`result.metrics[name]`. A fraction of 0.15 is 15 %. Money is in quote currency. NaN: no meaning here, or not recorded.",
        "Drawdowns are positive. A lot's net result is its price PnL less the fees of entry and exits plus the funding it received.",
        "The `pnl_*` parts sum to the change of equity; price PnL stands before fees, which are a part of their own.",
        "",
        "| name | unit | definition |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {metric.unit} | {metric.definition} |" for name, metric in METRICS.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the documents, docs/json.md and its schema files too."""
    from backtest.json_schema.document import write as write_json_documents

    DOCUMENT.write_text(document(), encoding="utf-8")
    METRICS_DOCUMENT.write_text(metrics_document(), encoding="utf-8")
    write_json_documents()


if __name__ == "__main__":
    main()
