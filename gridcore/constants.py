"""Tolerances and record types that kernels share, a unit per field."""

import numpy as np

# Rounding to ticks and steps forgives this fraction of a tick or step (binary fractions: 0.3/0.1 is 2.9999...).
ROUND_TOLERANCE = 1e-9  # ticks or steps
# Prices are compared with this tolerance, so that binary fractions decide nothing.
PRICE_TOLERANCE = 1e-6  # ticks

MAX_TIERS = 24

tier_dtype = np.dtype(
    [
        ("floor", np.float64),  # notional where the tier begins, quote currency
        ("cap", np.float64),  # notional where it ends, quote currency
        ("rate", np.float64),  # maintenance margin rate, fraction of notional
        ("cum", np.float64),  # maintenance amount, quote currency
        ("max_leverage", np.float64),  # highest initial leverage allowed in this tier
    ]
)
