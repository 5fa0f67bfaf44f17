"""Value at risk of an inventory."""

import numpy as np

from gridcore.compile import kernel

# Standard normal quantile of a one-sided 95 % level, as the field rounds it.
QUANTILE_95 = 1.65


@kernel
def value_at_risk_95(gross_notional, sigma, horizon_bars):
    """`gross_notional*1.65*sigma*sqrt(horizon_bars)`: the loss not passed with 95 % probability, quote currency.

    `gross_notional` is long plus short (quote currency), `sigma` the volatility of log returns per bar, the horizon in
    bars. Normal returns without drift; long and short legs are taken as if they fell together. NaN in, NaN out.
    Source: J.P. Morgan, "RiskMetrics Technical Document" (1996).
    """
    return gross_notional * QUANTILE_95 * sigma * np.sqrt(horizon_bars)
