"""Log returns, their rolling volatility, and correlation and beta of two return series."""

import numpy as np

from gridcore.compile import kernel, machine_kernel
from gridcore.rolling import block_length, fill_missing, rolling_comoments, window_deviations, working_rows

# Log returns up to about 3 % are summed as a series of five terms, up to about 13 % of eight; these are u^2 (see `_log_ratios`).
NEAR_LIMIT = 2.0**-12
NEAR_RETURN = 0.031  # a little below the return at which u^2 is NEAR_LIMIT
SERIES_LIMIT = 2.0**-8


@machine_kernel
def _log_ratios(before, after, target):
    """`target[k] = log(after[k]/before[k])`.

    With u = (a - b)/(a + b) it is 2*atanh(u) = 2u*(1 + u^2/3 + u^4/5 + ...). For the size of a bar's move a few terms
    are exact to the last bits, more so than the logarithm of a rounded ratio, and unlike a library call they vectorize.
    """
    far = 0
    for k in range(after.size):
        u = (after[k] - before[k]) / (after[k] + before[k])
        s = u * u
        target[k] = 2.0 * u + 2.0 * u * (s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * (1.0 / 7.0 + s * (1.0 / 9.0)))))
        far += 0 if s <= NEAR_LIMIT else 1
    if far > 0:
        _far_log_ratios(before, after, target)


@machine_kernel
def _far_log_ratios(before, after, target):
    """The same for the large moves alone; others are left as they are."""
    for k in range(after.size):
        # Spares almost every bar the division.
        if abs(target[k]) < NEAR_RETURN:
            continue
        u = (after[k] - before[k]) / (after[k] + before[k])
        s = u * u
        if s <= NEAR_LIMIT:
            continue
        if s <= SERIES_LIMIT:
            upper = s * (1.0 / 9.0 + s * (1.0 / 11.0 + s * (1.0 / 13.0 + s * (1.0 / 15.0))))
            target[k] = 2.0 * u + 2.0 * u * (s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * (1.0 / 7.0 + upper))))
        else:
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
    block = block_length(period, out.size - start)
    volatility_with(working_rows(block, period), close, period, out, start)


@machine_kernel
def volatility_with(work, close, period, out, start):
    """The same, given rows to work in (see `working_rows`)."""
    size = out.size
    first = fill_missing(out, start, period)
    returns = work[3, 1]
    block = returns.size - period
    for begin in range(first, size, block):
        end = min(begin + block, size)
        oldest = begin - period
        changes = returns[: end - oldest - 1]
        _log_ratios(close[oldest : end - 1], close[oldest + 1 : end], changes)
        window_deviations(changes, work, period, out[begin:end])


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
