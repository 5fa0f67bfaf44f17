"""The exposure ladder: the run with order sizes and position cap at several multiples of the equity."""

from backtest.exposure_ladder.rendering import as_json, exposure_ladder_table
from backtest.exposure_ladder.ruin import ruin_probability
from backtest.exposure_ladder.study import LEVELS, ExposureLadder, LadderRow, exposure_ladder

__all__ = ["LEVELS", "ExposureLadder", "LadderRow", "as_json", "exposure_ladder", "exposure_ladder_table", "ruin_probability"]
