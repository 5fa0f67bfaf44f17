"""The account's terms: capital, leverage, wallet and margin mode."""

from __future__ import annotations

from typing import Literal

from engine.parameters import Parameters, parameter


class Account(Parameters):
    """Capital and margin settings."""

    capital: float = parameter(
        10_000.0, "starting wallet balance (each coin's own when wallets are separate)", unit="quote", gt=0.0, le=1e15
    )
    leverage: float = parameter(1.0, "divides initial margin; may not exceed the tiers' maximum", unit="x", ge=1.0, le=150.0)
    exposure: float | None = parameter(
        None, "multiplies order notional and the position cap; default: the same as leverage", unit="x", gt=0.0, le=150.0
    )
    wallet: Literal["separate", "shared"] = parameter("separate", "one wallet for each coin, or one for all of them")
    margin: Literal["cross", "isolated"] = parameter("cross", "what backs a position: the whole wallet, or its own margin")
    after_liquidation: Literal["stop", "continue"] = parameter("stop", "what an account does that has something left after a liquidation")
    joint: Literal["worst", "sequential"] = parameter(
        "worst", "shared wallet: before each bar also test all coins at their lows, then all at their highs, or only walk"
    )
