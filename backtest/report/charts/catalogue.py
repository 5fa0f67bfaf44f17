"""Which charts there are, which of them a result has, and their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from backtest.report.charts.drawing import default_style, png
from backtest.report.charts.equity import equity
from backtest.report.charts.inventory import inventory
from backtest.report.charts.liquidation import liquidation
from backtest.report.charts.months import months
from backtest.report.charts.overview import overview, worst_drawdown, worst_window
from backtest.report.charts.price import price
from backtest.report.charts.sensitivity import sensitivity
from backtest.report.charts.trades import trades
from backtest.report.charts.waterfall import waterfall
from engine.errors import InputError

if TYPE_CHECKING:
    from backtest.result import Result
    from backtest.studies import Studies


def _liquidation(result: Result, _: Studies | None) -> Figure:
    found = result.liquidation_distance
    frame = pd.DataFrame({"at_close": found.at_close, "nearest": found.nearest}, index=result.equity.index)
    return liquidation(result, frame)


def _sensitivity(result: Result, studies: Studies | None) -> Figure:
    found = studies.sensitivity if studies is not None else None
    return sensitivity(result, result.sensitivity() if found is None else found)


def _of_result(chart: Callable[[Result], Figure]) -> Callable[[Result, Studies | None], Figure]:
    return lambda result, _: chart(result)


@dataclass(frozen=True)
class Kind:
    """A chart by name. shown: what it shows. log: whether it needs the event log. single: whether it is of one coin only."""

    draw: Callable[[Result, Studies | None], Figure]
    shown: str
    log: bool = False
    single: bool = False


KINDS: dict[str, Kind] = {
    "overview": Kind(_of_result(overview), "price with fills, equity against buy and hold, drawdown"),
    "worst_drawdown": Kind(_of_result(worst_drawdown), "the same of the deepest drawdown"),
    "price": Kind(_of_result(price), "price with fills, lots and regimes", single=True),
    "equity": Kind(_of_result(equity), "equity against buy and hold, drawdown"),
    "inventory": Kind(_of_result(inventory), "notional held and leverage", log=True),
    "liquidation": Kind(_liquidation, "distance to liquidation", log=True),
    "attribution": Kind(_of_result(waterfall), "where the profit came from"),
    "months": Kind(_of_result(months), "returns by month"),
    "trades": Kind(_of_result(trades), "results of closed lots", log=True),
    "sensitivity": Kind(_sensitivity, "the same run under other assumptions"),
}
# The overview holds what `price` and `equity` show, so these two are not written as files of their own.
WRITTEN = ("overview", "worst_drawdown", "inventory", "liquidation", "attribution", "months", "trades", "sensitivity")
# What is written of each coin of several; the rest is of all together, since every picture takes its time.
WRITTEN_OF_COINS = ("overview", "worst_drawdown")


def draw(result: Result, kind: str = "overview", studies: Studies | None = None) -> Figure:
    """One chart of KINDS. studies: for `sensitivity`, made if None.

    Raises InputError for another kind, and where the result does not have what the chart shows.
    """
    if kind not in KINDS:
        raise InputError(f"kind={kind!r} is refused: it must be one of {', '.join(KINDS)}")
    chart = KINDS[kind]
    if chart.single and len(result.symbols) > 1:
        raise InputError(f"kind={kind!r} is refused: it is of one coin, and this result has {len(result.symbols)}; take result[symbol]")
    if chart.log and not result.has_log:
        raise InputError(f"kind={kind!r} is refused: it needs the event log, which this run did not record")
    if kind != "overview" and result.time.size == 0:
        raise InputError(f"kind={kind!r} is refused: no bar traded, so there is nothing to draw")
    with default_style():
        return chart.draw(result, studies)


def _has(result: Result, kind: str, studies: Studies | None) -> bool:
    """Whether a chart of the result can be made without running anything again."""
    if KINDS[kind].log and not result.has_log:
        return False
    if kind == "worst_drawdown":
        return worst_window(result) is not None
    return kind != "sensitivity" or (studies is not None and studies.sensitivity is not None)


def caption(name: str) -> str:
    """What the chart of a file name is of and shows: `BTCUSDT: returns by month`."""
    words = name.removeprefix("chart_").removesuffix(".png")
    for kind, chart in KINDS.items():
        if words.endswith(f"_{kind}"):
            return f"{words.removesuffix(f'_{kind}')}: {chart.shown}"
    return f"{words}: {KINDS['overview'].shown}"


def _wanted(result: Result) -> Iterator[tuple[str, Result, tuple[str, ...]]]:
    """Subject, result and kinds of chart: the whole first, then each coin of several."""
    if len(result.symbols) == 1:
        yield result.symbols[0], result, WRITTEN
        return
    yield "portfolio", result, WRITTEN
    if result.has_log or not result.is_shared:
        for symbol in result.symbols:
            yield symbol, result[symbol], WRITTEN_OF_COINS


def pictures(result: Result, studies: Studies | None = None) -> dict[str, bytes]:
    """File name and PNG of every chart of a result: chart_BTCUSDT.png is the overview, chart_BTCUSDT_months.png and so on the others.

    Of several coins the whole is chart_portfolio.png; each coin then has the overview and its worst drawdown. Nothing without bars.
    """
    made: dict[str, bytes] = {}
    for subject, one, kinds in _wanted(result) if result.time.size else ():
        for kind in kinds:
            if _has(one, kind, studies):
                name = f"chart_{subject}.png" if kind == "overview" else f"chart_{subject}_{kind}.png"
                made[name] = _png(one, kind, studies)
    return made


def _png(result: Result, kind: str, studies: Studies | None) -> bytes:
    figure = draw(result, kind, studies)
    with default_style():
        return png(figure)


def write_charts(result: Result, folder: Path, studies: Studies | None = None) -> None:
    """Write the `pictures` of a result into an existing folder."""
    for name, blob in pictures(result, studies).items():
        (folder / name).write_bytes(blob)
