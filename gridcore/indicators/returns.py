"""Log returns, their rolling volatility, and correlation and beta of two return series."""

import numpy as np

from gridcore.compile import kernel
from gridcore.rolling import block_length, fill_missing, rolling_comoments, scratch_rows, window_squares

# Log returns up to this size are summed as a series.
SERIES_LIMIT = 0.125


@kernel
def _log_ratios(before, after, target):
    """`target[k] = log(after[k]/before[k])`.

    With u = (a - b)/(a + b) it is 2*atanh(u) = 2u*(1 + u^2/3 + u^4/5 + ...). For the size of a bar's move eight terms
    are exact to the last bits, more so than the logarithm of a rounded ratio, and unlike a library call they vectorize.
    """
    for k in range(after.size):
        u = (after[k] - before[k]) / (after[k] + before[k])
        s = u * u
        upper = s * (1.0 / 9.0 + s * (1.0 / 11.0 + s * (1.0 / 13.0 + s * (1.0 / 15.0))))
        series = s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * (1.0 / 7.0 + upper)))
        target[k] = 2.0 * u + 2.0 * u * series
    for k in range(after.size):
        if not abs(target[k]) <= SERIES_LIMIT:
            target[k] = np.log(after[k] / before[k])


@kernel
def log_returns(close):
    """`ln(C[i]/C[i-1])`, per bar, shape (bars,); first value at 1."""
    out = np.empty(close.size)
    first = fill_missing(out, np.int64(0), np.int64(1))
    if first < out.size:
        _log_ratios(close[: close.size - 1], close[first:], out[first:])
    return out


@kernel
def volatility_into(close, period, out, start):
    """Fill `out[start:]` with the sample standard deviation (ddof 1) of the last `period` log returns, per bar.

    First value at `period`, which is at least 2.
    """
    size = out.size
    first = fill_missing(out, start, period)
    block = block_length(period, size - first)
    means = scratch_rows(block, period)
    squares = scratch_rows(block, period)
    total_mean = np.empty(block)
    for begin in range(first, size, max(block, 1)):
        end = min(begin + block, size)
        oldest = begin - period
        _log_ratios(close[oldest : end - 1], close[oldest + 1 : end], means[0])
        total = out[begin:end]
        window_squares(means, squares, period, total_mean[: end - begin], total)
        for k in range(total.size):
            total[k] = np.sqrt(total[k] / (period - 1.0))


@kernel
def volatility(close, period):
    """Sample standard deviation (ddof 1) of the last `period` log returns, per bar; first value at `period`."""
    out = np.empty(close.size)
    volatility_into(close, period, out, np.int64(0))
    return out


@kernel
def rolling_correlation(first, second, period):
    """Pearson correlation, -1 to 1, of the last `period` elements of two return series (bars,); NaN where either is constant.

    A return series begins with NaN, so its first value is at `period`. TA-Lib: CORREL (which gives 0 for a constant).
    """
    first_squares, second_squares, products = rolling_comoments(first, second, period)
    for i in range(products.size):
        # Two roots: the product of two small sums of squares may underflow.
        scale = np.sqrt(first_squares[i]) * np.sqrt(second_squares[i])
        products[i] = min(max(products[i] / scale, -1.0), 1.0) if scale > 0.0 else np.nan
    return products


@kernel
def rolling_beta(values, benchmark, period):
    """Slope of the regression of `values` on `benchmark` (return series, (bars,)) over the last `period` elements.

    Covariance over the benchmark's variance; NaN where the benchmark is constant. A return series begins with NaN, so
    the first value is at `period`.
    """
    _, benchmark_squares, products = rolling_comoments(values, benchmark, period)
    for i in range(products.size):
        products[i] = products[i] / benchmark_squares[i] if benchmark_squares[i] > 0.0 else np.nan
    return products
