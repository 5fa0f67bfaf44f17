"""Online statistics: one step each, from the state so far and the next value to the new state.

The caller holds the state, in whatever record it keeps, and begins it with zeros.
"""

from gridcore.compile import kernel


@kernel
def compensated_add(total, compensation, value):
    """Add `value` to a sum without losing low digits: (total, compensation); the sum is `total + compensation`.

    Source: Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen" (1974).
    """
    added = total + value
    if abs(total) >= abs(value):
        compensation += (total - added) + value
    else:
        compensation += (value - added) + total
    return added, compensation


@kernel
def moments_step(count, mean, m2, m3, m4, value):
    """Count, mean and sums of the 2nd, 3rd and 4th powers of deviations, after one more `value`: (count, mean, m2, m3, m4).

    Sample variance is `m2/(count - 1)`, skewness `sqrt(count)*m3/m2^1.5`, (raw) kurtosis `count*m4/m2^2`. Unit of `value`.
    Source: Welford (1962); Pebay, "Formulas for robust, one-pass parallel computation of covariances and
    arbitrary-order statistical moments", Sandia report 2008-6212.
    """
    before = count
    count += 1
    delta = value - mean
    share = delta / count
    square = share * share
    term = delta * share * before
    mean += share
    m4 += term * square * (count * count - 3 * count + 3) + 6.0 * square * m2 - 4.0 * share * m3
    m3 += term * share * (count - 2) - 3.0 * share * m2
    m2 += term
    return count, mean, m2, m3, m4


@kernel
def downside_step(total, compensation, value, target):
    """Compensated sum of `min(value - target, 0)^2` after one more return: (total, compensation).

    Divided by the number of all returns, its root is the downside deviation of the Sortino ratio.
    """
    shortfall = min(value - target, 0.0)
    return compensated_add(total, compensation, shortfall * shortfall)


@kernel
def drawdown_step(peak, length, deepest, longest, equity):
    """Drawdown state after one more bar: (peak, length, deepest, longest).

    `peak` is the highest equity so far (begin it with the starting capital), `length` the bars since it was last
    reached, `longest` the most of these, `deepest` the largest `1 - equity/peak` (a fraction; above 1 when equity
    is negative).
    """
    if equity >= peak:
        return equity, 0, deepest, longest
    length += 1
    drop = 1.0 - equity / peak
    return peak, length, max(deepest, drop), max(longest, length)
