"""What is compiled: one specialization of every kernel for normal inputs, and only through the one decorator."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from numba import config

ROOT = Path(__file__).resolve().parents[2]

# Calls every public kernel as the layers above do, then counts what that compiled, helpers included.
SCRIPT = """
import importlib, pkgutil
import numpy as np
import gridcore
from gridcore import avellaneda_stoikov, chance, funding, indicators, ladders, margin, regime, risk, rolling, rounding, statistics

high, low, close = np.full(50, 101.0), np.full(50, 99.0), np.linspace(99.5, 100.5, 50)
out, atr = np.empty(50), high - low
tiers = margin.default_tiers()
for unit in (rounding.floor_to, rounding.ceil_to, rounding.tick_above, rounding.tick_below):
    unit(1.0, 0.1)
position = (100.0, 2.0, 200.0, 1.0, 100.0)
margin.cross_excess(100.0, *position, tiers, 7)
margin.cross_breach_price(100.0, 1.0, *position, tiers, 7)
margin.cross_liquidation_prices(*position, 100.0, tiers, 7)
margin.cross_liquidation_price(*position, 100.0, tiers, 7)
for side in (1, -1):
    margin.isolated_excess(100.0, 50.0, side, 1.0, 100.0, tiers, 7)
    margin.isolated_breach_price(100.0, 200.0 if side < 0 else 1.0, 50.0, side, 1.0, 100.0, tiers, 7)
    margin.isolated_liquidation_price(50.0, side, 1.0, 100.0, tiers, 7)
rolling.rolling_sum(close, 5), rolling.rolling_deviation(close, 5)
for start in (0, 20):
    rolling.rolling_sum_into(close, 5, out, start)
    rolling.rolling_deviation_into(close, 5, out, start)
    indicators.efficiency_ratio_into(close, 5, out, start)
    indicators.kama_into(close, 5, 2, 30, out, start)
    indicators.kama_from_efficiency_into(close, close, 5, 2, 30, out, start)
    indicators.average_true_range_into(high, low, close, 5, out, start)
    indicators.simple_moving_average_into(close, 5, out, start)
    indicators.exponential_moving_average_into(close, 5, out, start)
    indicators.z_score_into(close, 5, atr, out, start)
    indicators.volatility_into(close, 5, out, start)
    regime.kama_slope_into(close, atr, out, start)
indicators.efficiency_ratio(close, 5), indicators.kama(close, 5, 2, 30), indicators.true_range(high, low, close)
indicators.average_true_range(high, low, close, 5), indicators.simple_moving_average(close, 5)
indicators.exponential_moving_average(close, 5), indicators.relative_strength_index(close, 5)
indicators.plus_di(high, low, close, 5), indicators.minus_di(high, low, close, 5)
indicators.average_directional_index(high, low, close, 5), indicators.z_score(close, 5, atr)
indicators.log_returns(close), indicators.volatility(close, 5)
indicators.rolling_correlation(close, high, 5), indicators.rolling_beta(close, high, 5)
regime.kama_slope(close, atr), regime.classify_regime(0.1, 0.5, 0.15, 0.5), regime.ema_cross_regime(0, 1.0, 1.0, 20.0, 10.0, 20.0)
avellaneda_stoikov.reservation_price(100.0, 1.0, 0.1, 2.0, 1.0), avellaneda_stoikov.optimal_spread(0.1, 2.0, 1.0, 1.5)
avellaneda_stoikov.bar_reservation_shift(100.0, 1.0, 0.5, 0.01, 96.0)
avellaneda_stoikov.bar_spread(100.0, 1.0, 0.5, 1.5, 0.01, 96.0)
chance.uniform_of_keys(1, 2, 3, 4, 5)
for side in (1, -1):
    ladders.arithmetic_level(100.0, 0.5, 1.0, 3, side, 0.1), ladders.arithmetic_ladder_into(100.0, 0.5, 1.0, side, 0.1, out)
    ladders.proportional_level(100.0, 0.01, 3, side, 0.1), ladders.geometric_level(100.0, 10.0, 3, side, 0.1)
    ladders.geometric_ladder(100.0, 10.0, 1.0, 1.1, 3, side, 0.1, 0.001)
    ladders.atr_ladder(100.0, 1.0, 0.5, 1.0, 0.1, 3, side, 0.1, 0.001)
ladders.grid_spacing(1.0, 1.0, 0.01, 100.0), risk.value_at_risk_95(100.0, 0.01, 96.0)
funding.synthetic_funding(close, 2, 6, 0.02, 8.0, 0.02, np.array([3, 30]))
funding.synthetic_premium(close, 2, 6, 0.02), funding.synthetic_funding_rate(0.001, 8.0, 0.02)
statistics.moments_step(1, 0.0, 0.0, 0.0, 0.0, 1.0), statistics.compensated_add(0.0, 0.0, 1.0)
statistics.downside_step(0.0, 0.0, 1.0, 0.0), statistics.drawdown_step(1.0, 0, 0.0, 0, 2.0)

kernels = {}
for found in pkgutil.walk_packages(gridcore.__path__, "gridcore."):
    for value in vars(importlib.import_module(found.name)).values():
        if hasattr(value, "py_func"):
            kernels[value.py_func.__module__ + "." + value.py_func.__name__] = value
for name, value in sorted(kernels.items()):
    print(name, len(value.signatures), *(value.signatures if len(value.signatures) != 1 else ()))
"""


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")
@pytest.mark.parametrize("cold", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_normal_inputs_compile_each_kernel_once(cold: bool, tmp_path: Path) -> None:
    """Only a cold cache shows the helpers: what comes from a warm one leaves the kernels it calls uncompiled."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"GRIDCORE_CACHE_DIR": str(tmp_path)} if cold else {})
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert len(counts) > 60
    assert sum(line[1] == "1" for line in counts) > 40
    assert [line for line in counts if line[1] != "1" and (cold or line[1] != "0")] == []


def test_no_kernel_is_compiled_but_by_the_decorator() -> None:
    door = ("compile.py", "kernel_cache.py", "linking.py")
    bare = re.compile(r"^\s*(import numba|from numba|@(njit|jit|vectorize|guvectorize))", re.MULTILINE)
    offenders = [path.name for path in sorted((ROOT / "gridcore").rglob("*.py")) if path.name not in door and bare.search(path.read_text())]
    assert offenders == []
