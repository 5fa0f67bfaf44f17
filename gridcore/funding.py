"""A synthetic funding rate for times without a funding history: the exchange's formula on a proxy of the premium.

Source: Binance, "Introduction to Binance Futures Funding Rates"; the proxy premium is this project's own.
"""

import numpy as np

from gridcore.compile import kernel
from gridcore.indicators.averages import simple_moving_average, simple_moving_average_into

# Interest rate per eight hours, and how far the premium may move the rate before the rate follows it.
INTEREST_RATE = 0.0001
PREMIUM_DAMPER = 0.0005


@kernel
def synthetic_premium(close, bars_8h, bars_72h, premium_beta):
    """Proxy premium index (fraction) at each bar's close, shape (bars,); 0 until there are `bars_72h + bars_8h - 1` bars.

    `premium_beta * mean over the last bars_8h bars of (C[i]/mean(C[i-bars_72h+1..i]) - 1)`.
    """
    mean = simple_moving_average(close, bars_72h)
    for i in range(mean.size):
        mean[i] = close[i] / mean[i] - 1.0
    premium = np.empty(close.size)
    simple_moving_average_into(mean, bars_8h, premium, np.int64(0))
    for i in range(premium.size):
        premium[i] = premium_beta * premium[i] if i >= bars_72h + bars_8h - 2 else 0.0
    return premium


@kernel
def synthetic_funding_rate(premium, interval_hours, cap):
    """Funding rate (fraction of notional, positive: longs pay) of one settlement, clipped to +-`cap`.

    `(P + clip(0.0001 - P, -0.0005, 0.0005)) * interval_hours/8`. Both are fractions: `premium` per eight hours, `cap` per settlement.
    """
    damped = premium + min(max(INTEREST_RATE - premium, -PREMIUM_DAMPER), PREMIUM_DAMPER)
    return min(max(damped * interval_hours / 8.0, -cap), cap)


@kernel
def synthetic_funding(close, bars_8h, bars_72h, premium_beta, interval_hours, funding_cap, settlement_bars):
    """Synthetic rates, shape (settlements,), of settlements at the closes of the bars `settlement_bars` (int64 indices).

    `close` (bars,); a rate uses bars up to its own. `bars_8h` and `bars_72h`, at least 1, are those spans in bars.
    """
    premium = synthetic_premium(close, bars_8h, bars_72h, premium_beta)
    rates = np.empty(settlement_bars.size)
    for k in range(settlement_bars.size):
        rates[k] = synthetic_funding_rate(premium[settlement_bars[k]], interval_hours, funding_cap)
    return rates
