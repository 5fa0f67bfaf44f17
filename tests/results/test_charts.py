"""Charts: nothing lost by thinning, parts that sum, words that do not overlap, the same bytes twice, refusals."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from backtest.metrics.regimes import NAMES
from backtest.report.charts import KINDS, MAX_POINTS, caption, decimated, draw, overview, pictures, write_charts
from backtest.report.charts.drawing import PlainNumbers, compact, png
from backtest.report.charts.inventory import MAX_STRETCHES, stretched
from backtest.report.charts.overview import LONGEST_BARS, worst_window
from backtest.report.charts.regime_shading import SHADES, stretches
from backtest.report.charts.trades import edges, limits
from backtest.report.charts.waterfall import steps
from backtest.result import Result
from engine.errors import InputError
from engine.records import LIQUIDATION_LABEL
from tests.results.charts_cases import STUDIES, case, charts_of, distances
from tests.results.ledgers import make_result

DRAWN = ("ordinary", "without_trades", "liquidated_at_once", "one_bar", "tiny_price", "great_price", "great_money", "shared", "many_coins")


# --- thinning ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, MAX_POINTS, MAX_POINTS + 1, 50_000])
def test_decimation_keeps_ends_and_extremes(count: int) -> None:
    values = np.random.default_rng(1).normal(size=count).cumsum()
    rows = decimated(values)
    assert rows.size <= MAX_POINTS + 2
    assert (np.diff(rows) > 0).all()
    if count:
        assert {0, count - 1, int(values.argmin()), int(values.argmax())} <= set(rows.tolist())


def test_decimation_of_a_curve_that_begins_late() -> None:
    values = np.concatenate((np.full(5000, np.nan), np.arange(5000.0)))
    assert {0, 5000, 9999} <= set(decimated(values).tolist())


def test_a_gap_stays_a_gap_and_infinity_is_no_extreme() -> None:
    values = np.random.default_rng(2).normal(size=30_000)
    values[10_000:12_000] = np.nan
    values[20_000] = np.inf
    drawn = values[decimated(values)]
    assert np.isnan(drawn).any()
    finite = np.where(np.isfinite(values), values, 0.0)
    assert {finite.max(), finite.min()} <= set(drawn[np.isfinite(drawn)].tolist())


@pytest.mark.parametrize("bars", [1, 7, 1000, 1001, 20_000])
def test_stretches_of_the_inventory_keep_extremes_and_the_mean(bars: int) -> None:
    values = np.random.default_rng(3).normal(size=bars)
    found = stretched(np.arange(bars) * 900_000, values, 900_000)
    assert found.low.size == (bars if bars <= 1000 else MAX_STRETCHES)
    assert (found.low.min(), found.high.max()) == (values.min(), values.max())
    widths = np.diff(found.edges).astype(np.int64) / 900_000
    assert (found.mean * widths).sum() == pytest.approx(values.sum(), abs=1e-9)


def test_regimes_of_stretches() -> None:
    codes = np.array([0, 0, 1, 1, -2, 9])
    assert stretches(codes) == [(0, 2, 0), (2, 4, 1), (4, 5, -2), (5, 6, 9)]
    rare = np.zeros(160 * 100, dtype=np.int64)
    rare[100:109] = 2  # 9 of 100 bars
    assert [code for *_, code in stretches(rare)] == [0]
    rare[109] = 2
    assert [code for *_, code in stretches(rare)] == [0, 2, 0]
    assert set(SHADES) <= set(NAMES.values())


# --- figures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ordinary", "liquidated_at_once", "shared", "without_trades"])
def test_the_waterfall_sums_to_the_total(name: str) -> None:
    result = case(name)
    *parts, total = steps(result)
    assert total.start == 0.0
    assert total.change == pytest.approx(result.equity_values[-1] - result.capital, abs=1e-6)
    assert sum(part.change for part in parts) == pytest.approx(total.change, abs=1e-6)
    for one, other in pairwise(parts):
        assert other.start == pytest.approx(one.start + one.change, abs=1e-6)
    if parts:
        assert parts[0].start == 0.0


def test_the_heights_of_the_waterfall_are_its_steps() -> None:
    figure = draw(case("ordinary"), "attribution")
    heights = [(bar.get_y(), bar.get_height()) for bar in figure.axes[0].patches]
    assert np.array(heights) == pytest.approx(np.array([(step.start, step.change) for step in steps(case("ordinary"))]), abs=1e-9)


def test_every_closed_lot_is_in_a_bin() -> None:
    result = case("liquidated_at_once")
    lots = result.lots[result.lots["closed"].notna()]
    figure = draw(result, "trades")
    counted = sum(patch.get_data().values.sum() for axes in figure.axes for patch in axes.patches)
    assert counted == len(lots)
    low, high = limits(lots["net"].to_numpy())
    assert "lots beyond" in figure.axes[1].get_xlabel()
    assert lots["net"].min() < low < high <= lots["net"].max()


@pytest.mark.parametrize(("low", "high"), [(-7.3, 4.1), (0.2, 0.9), (-5.0, -1.0), (-1e-7, 3e-7)])
def test_zero_is_an_edge_of_the_bins(low: float, high: float) -> None:
    found = edges(low, high)
    slack = 1e-9 * (high - low)
    assert found[0] <= low + slack
    assert found[-1] >= high - slack
    assert (found == 0.0).any() == (low < 0.0 < high)


def test_the_worst_drawdown_lies_in_its_window_or_where_it_is_steepest() -> None:
    result = case("ordinary")
    first, end = worst_window(result) or (0, 0)
    worst = result.worst_drawdowns(1).iloc[0]
    bars = np.count_nonzero((result.time >= first) & (result.time < end))
    assert bars <= 1.4 * LONGEST_BARS + 2
    falls = (worst["from"].value // 1_000_000, worst["trough"].value // 1_000_000)
    assert falls[0] <= end
    assert first <= falls[1]
    assert worst_window(case("without_trades")) is None


def test_all_liquidations_are_drawn() -> None:
    result = case("liquidated_at_once")
    labels = overview(result).legends[0].get_texts()
    count = int((result.ledgers[0].events["label"] == LIQUIDATION_LABEL).sum())
    assert f"liquidation ({count} lots)" in [label.get_text() for label in labels]


def test_charts_say_what_they_show() -> None:
    figure = overview(make_result(liquidate_at=100))
    first, second = figure.get_suptitle().split("\n")
    assert first == "SIMULATED: LIQUIDATED: adaptive_grid on BTCUSDT"
    assert second == "price, equity and drawdown, 2024-01-01 02:30 to 2024-01-05 04:00 UTC, bars of 15m"
    assert [axes.get_ylabel() for axes in figure.axes] == ["BTCUSDT price (quote)", "equity (quote)", "drawdown (%)"]
    assert figure.axes[-1].get_xlabel() == "UTC"
    assert len(overview(make_result(("BTCUSDT", "ETHUSDT"))).axes) == 2
    for kind, one in charts_of(case("many_coins")).items():
        assert one.get_suptitle().startswith("SIMULATED: adaptive_grid on COIN0USDT, COIN1USDT, COIN2USDT and 9 more\n"), kind


def test_ticks_are_told_apart_without_powers_of_ten() -> None:
    ticks = PlainNumbers()
    assert ticks.format_ticks([0.0000082, 0.0000084]) == ["0.0000082", "0.0000084"]
    assert ticks.format_ticks([100_000.0, 100_000.5]) == ["100,000.0", "100,000.5"]
    assert ticks.format_ticks([-2e9, 0.0, 1.2e10]) == ["-2 bn", "0 bn", "12 bn"]
    assert compact(-1234.6) == "-1,235"
    assert compact(1.26e7) == "12.6 m"


# --- words on the picture ------------------------------------------------------------------------------------------------


def _words_of(axes: Axes) -> list[Text]:
    """Words that must be readable: tick labels, axis labels, titles, annotations, legends."""
    ticks = [tick.label1 for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_major_ticks() if tick.label1.get_visible()]
    titles = [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, axes.xaxis.get_offset_text()]  # type: ignore[attr-defined]
    legend = axes.get_legend()
    return [*ticks, *titles, *axes.texts, *(legend.get_texts() if legend else [])]


def _boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    legends = [text for legend in figure.legends for text in legend.get_texts()]
    words = [text for axes in figure.axes if axes.axison for text in _words_of(axes)]
    words += [figure._suptitle, *legends]  # type: ignore[attr-defined]
    # Ticks beyond the limits of an axis have a label that is not drawn.
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in words if text.get_visible() and text.get_text().strip()]
    inside = [(word, box) for word, box in boxes if not _hidden(word, box, figure)]
    assert len(inside) > 3 or not any(axes.axison for axes in figure.axes)
    return inside


def _hidden(word: str, box: Bbox, figure: Figure) -> bool:
    """Whether it is the label of a tick outside of its axis, which matplotlib does not draw."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            for tick in axis.get_major_ticks():
                out = not low - slack <= tick.get_loc() <= high + slack
                if out and tick.label1.get_text() == word and tick.label1.get_window_extent().bounds == box.bounds:
                    return True
    return False


@pytest.mark.parametrize("name", DRAWN)
def test_no_words_overlap_and_none_is_cut_off(name: str) -> None:
    for kind, figure in charts_of(case(name)).items():
        boxes = _boxes(figure)
        width, height = figure.canvas.get_width_height()
        for word, box in boxes:
            assert min(box.x0, box.y0, width - box.x1, height - box.y1) >= -1.0, f"{kind}: {word!r} is cut off"
        for (one, first), (other, second) in combinations(boxes, 2):
            shared = Bbox.intersection(first, second)
            assert shared is None or min(shared.width, shared.height) < 1.0, f"{kind}: {one!r} lies on {other!r}"


def test_overlapping_words_would_be_found() -> None:
    figure = draw(case("ordinary"), "attribution")
    figure.axes[0].annotate("on top", (0.0, 0.0))
    figure.axes[0].annotate("of it", (0.0, 0.0))
    boxes = dict(_boxes(figure))
    assert Bbox.intersection(boxes["on top"], boxes["of it"]) is not None


def test_longs_and_shorts_differ_without_colour() -> None:
    long_area, short_area = draw(case("ordinary"), "inventory").axes[0].collections[:2]
    assert not long_area.get_hatch()
    assert short_area.get_hatch()


# --- files and refusals ---------------------------------------------------------------------------------------------------


def test_files_of_one_coin_and_of_several(tmp_path: Path) -> None:
    kinds = ("worst_drawdown", "inventory", "attribution", "months", "trades", "sensitivity")
    with_liquidation = set(pictures(make_result(bars=60), STUDIES)) - {"chart_BTCUSDT_liquidation.png"}
    assert with_liquidation == {"chart_BTCUSDT.png", *(f"chart_BTCUSDT_{kind}.png" for kind in kinds)}
    write_charts(make_result(("BTCUSDT", "ETHUSDT"), bars=60), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    coins = {f"chart_{symbol}{kind}.png" for symbol in ("BTCUSDT", "ETHUSDT") for kind in ("", "_worst_drawdown")}
    assert coins | {"chart_portfolio.png"} <= names
    assert "chart_portfolio_sensitivity.png" not in names  # no table was made
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())


def test_the_same_result_gives_the_same_bytes_without_dates() -> None:
    first, second = (pictures(make_result(bars=80), STUDIES) for _ in range(2))
    assert first == second
    assert first != pictures(make_result(bars=80, seed=2), STUDIES)
    for blob in first.values():
        assert set(Image.open(io.BytesIO(blob)).info) <= {"Title", "dpi"}


def test_a_rc_file_changes_no_picture() -> None:
    import matplotlib

    plain = png(draw(case("one_bar"), "months"))
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black"}):
        styled = pictures(case("one_bar"))["chart_BTCUSDT_months.png"]
    assert plain == styled


def test_refusals() -> None:
    result = case("ordinary")
    silent = replace(result, ledgers=[replace(result.ledgers[0], events=result.ledgers[0].events[:0])])
    with pytest.raises(InputError, match=r"kind='candles' is refused: it must be one of overview, "):
        result.plot("candles")
    with pytest.raises(InputError, match=r"kind='price' is refused: it is of one coin, and this result has 3"):
        case("shared").plot(kind="price")
    with pytest.raises(InputError, match=r"kind='inventory' is refused: it needs the event log"):
        silent.plot("inventory")
    with pytest.raises(InputError, match="no drawdown to draw"):
        case("without_trades").plot("worst_drawdown")
    assert set(pictures(silent)) == {f"chart_BTCUSDT{kind}.png" for kind in ("", "_worst_drawdown", "_attribution", "_months")}


def test_captions() -> None:
    assert caption("chart_BTCUSDT_worst_drawdown.png") == f"BTCUSDT: {KINDS['worst_drawdown'].shown}"
    assert caption("chart_portfolio.png") == f"portfolio: {KINDS['overview'].shown}"


def test_the_distance_chart_names_the_nearest() -> None:
    result: Result = case("ordinary")
    found = distances(result)
    nearest = found["nearest"].to_numpy()
    title = charts_of(result)["liquidation"].axes[0]._left_title.get_text()  # type: ignore[attr-defined]
    assert f"nearest {100.0 * np.nanmin(np.where(np.isfinite(nearest), nearest, np.nan)):,.2f} %" in title
