"""The exchange's terms: fees, slippage, when a resting order counts as filled, the path inside a bar."""

from __future__ import annotations

from typing import Literal

from engine.parameters import Parameters, parameter

# Codes of `Execution.path`, in the order of its Literal.
PATH_NEAREST, PATH_LOW_FIRST, PATH_HIGH_FIRST = 0, 1, 2


class Execution(Parameters):
    """What the exchange charges and how it fills."""

    fee_maker: float = parameter(0.0002, "fee of resting limit fills; negative is a rebate", unit="fraction", ge=-0.01, le=0.05)
    fee_taker: float = parameter(0.0005, "fee of market and stop fills", unit="fraction", ge=-0.01, le=0.05)
    slippage: float = parameter(0.0002, "price given up by market orders", unit="fraction", ge=0.0, lt=0.5)
    slippage_stop: float | None = parameter(
        None, "price given up by stops and prunes; default: the same as slippage", unit="fraction", ge=0.0, lt=0.5
    )
    through: float = parameter(
        0.0, "ticks beyond a limit price that the path must reach to fill it; 0 is a touch", unit="ticks", ge=0.0, le=1e6
    )
    through_bps: float = parameter(0.0, "the same in basis points of the limit price; the two add up", unit="bps", ge=0.0, le=1000.0)
    touch_probability: float = parameter(
        1.0,
        "chance that reaching its fill price fills a limit order; else the path must go one tick further; drawn anew each (sub-)bar",
        unit="fraction",
        gt=0.0,
        le=1.0,
    )
    touch_seed: int = parameter(0, "which draws touch_probability makes: another seed, another luck", ge=0, le=2**53)
    path: Literal["nearest", "low_first", "high_first"] = parameter(
        "nearest", "which extreme of a bar is walked first: the nearer to the open (a tie goes to the low), the low, the high"
    )
    liquidation_fee: float = parameter(0.0125, "fee of a liquidation, in place of the taker fee", unit="fraction", ge=0.0, le=0.2)
    close_at_end: bool = parameter(False, "close what is still open at the last close, for the taker fee and the slippage of stops")
    max_volume_share: float = parameter(
        0.0, "an order fills at most this share of the bar's volume; 0 is no limit", unit="fraction", ge=0.0, le=1.0
    )
