"""Indicators over bars: array kernels that return new arrays, and `..._into` variants that continue from given ones.

Arrays are contiguous float64 of shape (bars,); index i uses bars <= i only; values before there is enough history are
NaN. Inputs are finite (upstream refuses anything else) and periods are whole numbers of bars, at least 1 or as stated.
Where TA-Lib has the indicator its convention is followed, with no unstable period.

`..._into(..., out, start)` fills `out[start:]`, reads up to four values before `start` where the indicator is a recursion, and
gives the same bits in whatever pieces it is called. `..._with` is the same on rows to work in that several indicators share.
"""

from gridcore.indicators.averages import (
    exponential_moving_average,
    exponential_moving_average_into,
    simple_moving_average,
    simple_moving_average_into,
    z_score,
    z_score_into,
)
from gridcore.indicators.directional import (
    average_directional_index,
    directional_movement,
    minus_di,
    plus_di,
    relative_strength_index,
)
from gridcore.indicators.efficiency import efficiency_ratio, efficiency_ratio_into, kama, kama_from_efficiency_into, kama_into
from gridcore.indicators.ranges import average_true_range, average_true_range_into, true_range
from gridcore.indicators.returns import log_returns, rolling_beta, rolling_correlation, volatility, volatility_into

__all__ = [
    "average_directional_index",
    "average_true_range",
    "average_true_range_into",
    "directional_movement",
    "efficiency_ratio",
    "efficiency_ratio_into",
    "exponential_moving_average",
    "exponential_moving_average_into",
    "kama",
    "kama_from_efficiency_into",
    "kama_into",
    "log_returns",
    "minus_di",
    "plus_di",
    "relative_strength_index",
    "rolling_beta",
    "rolling_correlation",
    "simple_moving_average",
    "simple_moving_average_into",
    "true_range",
    "volatility",
    "volatility_into",
    "z_score",
    "z_score_into",
]
