"""A sweep as a map: the right number in the right cell, readable with many and with few, refused with a sentence."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pandas as pd
import pytest

import backtest as bt
from engine.errors import InputError


def swept(first: int, second: int, simulated: bool = True) -> pd.DataFrame:
    """A sweep of two settings whose return tells the cell: 10 times the first number plus the second, in percent."""
    rows = [
        {"gamma": 0.1 * i, "grid_levels": j, "total_return": (10 * i + j - 15) / 100.0}
        for i, j in itertools.product(range(first), range(second))
    ]
    table = pd.DataFrame(rows)
    table.attrs["simulated"] = simulated
    return table


def numbers(figure: object) -> dict[tuple[float, float], str]:
    axes = figure.axes[0]  # type: ignore[attr-defined]
    return {text.get_position(): text.get_text() for text in axes.texts}


def test_every_cell_has_its_number() -> None:
    figure = bt.heat_map(swept(3, 4), x="gamma", y="grid_levels")
    assert numbers(figure) == {(i, j): f"{10 * i + j - 15:.3g}" for i in range(3) for j in range(4)}
    axes = figure.axes[0]
    assert axes.get_title() == "SIMULATED: total return over gamma and grid_levels"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("gamma", "grid_levels")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.1", "0.2"]
    assert figure.axes[1].get_ylabel() == "total return, %"


def test_many_cells_have_no_numbers_and_few_labels() -> None:
    figure = bt.heat_map(swept(50, 50, simulated=False), x="gamma", y="grid_levels")
    assert numbers(figure) == {}
    assert len(figure.axes[0].get_xticklabels()) <= 12
    assert figure.axes[0].get_title().startswith("total return")
    figure.savefig(io.BytesIO())


def test_a_third_setting_is_summed_up_by_the_median_and_blanks_stay_blank() -> None:
    table = pd.concat([swept(2, 2), swept(2, 2).assign(total_return=lambda frame: frame["total_return"] + 0.2)]).iloc[1:]
    table = table[~((table["gamma"] == 0.1) & (table["grid_levels"] == 1))]
    figure = bt.heat_map(table, x="gamma", y="grid_levels")
    assert "median over the other settings" in figure.axes[0].get_title()
    assert numbers(figure)[(1.0, 0.0)] == f"{10 - 15 + 10:.3g}"
    assert (1.0, 1.0) not in numbers(figure)


@pytest.mark.parametrize("table", [swept(1, 1), swept(1, 5), swept(2, 2).assign(total_return=np.nan)])
def test_ugly_sweeps_are_drawn(table: pd.DataFrame) -> None:
    bt.heat_map(table, x="gamma", y="grid_levels").savefig(io.BytesIO())


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(InputError, match="'kappa' is refused: it must be a column of the sweep, gamma, grid_levels, total_return"):
        bt.heat_map(swept(2, 2), x="kappa", y="gamma")
