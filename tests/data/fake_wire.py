"""How two exchanges put bars, settlements, filters and tiers on the wire, filled from the made-up market."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from tests.data.fake_market import DAY, HOUR, MINUTE, Coin

LeftOut = Mapping[str, list[tuple[int, int]]]
_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}
_BINANCE_DEFAULT, _BYBIT_DEFAULT, _FUNDING_DEFAULT = 500, 200, 100
_FUNDING_MOST, _BYBIT_MOST, _BYBIT_FUNDING_MOST = 1000, 1000, 200
_BAD_SYMBOL = (400, {"code": -1121, "msg": "Invalid symbol."})

TIERS = [(150, 0, 300_000, 0.004), (100, 300_000, 800_000, 0.005), (75, 800_000, 3_000_000, 0.0065), (50, 3_000_000, 12_000_000, 0.01)]


class Exchange(Protocol):
    now: int
    page_limit: int
    coins: Mapping[str, Coin]
    left_out: LeftOut


def binance_answer(exchange: Exchange, path: str, params: Mapping[str, str]) -> tuple[int, Any]:
    """HTTP status and content of Binance USD-M's answer."""
    if path == "/fapi/v1/time":
        return 200, {"serverTime": exchange.now}
    if path == "/fapi/v1/ping":
        return 200, {}
    if path == "/fapi/v1/exchangeInfo":
        return 200, _binance_info(exchange)
    if path == "/fapi/v1/leverageBracket":
        return _brackets(exchange) if "signature" in params else (401, {"code": -2014, "msg": "API-key format invalid."})
    if path not in ("/fapi/v1/klines", "/fapi/v1/markPriceKlines", "/fapi/v1/fundingRate"):
        return 404, {"code": -5000, "msg": f"Path {path} is unknown."}
    coin = exchange.coins.get(params.get("symbol", ""))
    if coin is None:
        return _BAD_SYMBOL
    if path == "/fapi/v1/fundingRate":
        return 200, _funding(exchange, coin, params)
    timeframe = _timeframe(params["interval"])
    limit = min(int(params.get("limit", _BINANCE_DEFAULT)), exchange.page_limit)
    opens = _opens(exchange, coin, timeframe)
    if "startTime" in params:
        opens = opens[np.searchsorted(opens, int(params["startTime"])) :][:limit]
    else:
        opens = opens[-limit:]
    if "endTime" in params:
        opens = opens[opens <= int(params["endTime"])]
    return 200, _binance_rows(coin, opens, timeframe, exchange.now, mark=path.endswith("markPriceKlines"))


def _binance_rows(coin: Coin, opens: np.ndarray, timeframe: int, now: int, mark: bool) -> list[list[Any]]:
    if not opens.size:
        return []
    ticks, volume = coin.bars(opens, timeframe // MINUTE, now, mark)
    texts = [[coin.price_text(value) for value in row] for row in ticks.tolist()]
    volumes = ["0"] * opens.size if mark else [f"{value / 1000:.3f}" for value in volume.tolist()]
    return [
        [time, *prices, traded, time + timeframe - 1, "0", 10, "0", "0", "0"]
        for time, prices, traded in zip(opens.tolist(), zip(*texts, strict=True), volumes, strict=True)
    ]


def _opens(exchange: Exchange, coin: Coin, timeframe: int) -> np.ndarray:
    """Open times of all bars there are, the one that is forming included."""
    first = -(-coin.listed // timeframe) * timeframe
    end = exchange.now + 1 if coin.delisted is None else min(exchange.now + 1, coin.delisted)
    opens = np.arange(first, end, timeframe, dtype=np.int64)
    for begin, stop in exchange.left_out.get(coin.symbol, []):
        opens = opens[(opens < begin) | (opens >= stop)]
    return opens


def _funding(exchange: Exchange, coin: Coin, params: Mapping[str, str]) -> list[dict[str, Any]]:
    limit = min(int(params.get("limit", _FUNDING_DEFAULT)), _FUNDING_MOST, exchange.page_limit)
    time, rates = coin.settlements(0, exchange.now + 1)
    rows = [
        {"symbol": coin.symbol, "fundingTime": stamp, "fundingRate": rate, "markPrice": coin.price_text(12_345)}
        for stamp, rate in zip(time.tolist(), rates, strict=True)
        if int(params.get("startTime", 0)) <= stamp <= min(exchange.now, int(params.get("endTime", exchange.now)))
    ]
    return rows[:limit] if "startTime" in params else rows[-limit:]


def _timeframe(text: str) -> int:
    return int(text[:-1]) * _UNITS[text[-1]]


def _binance_info(exchange: Exchange) -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "serverTime": exchange.now,
        "rateLimits": [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [_binance_symbol(coin) for coin in exchange.coins.values()],
    }


def _binance_symbol(coin: Coin) -> dict[str, Any]:
    tick = f"{10.0**-coin.decimals:.{coin.decimals}f}"
    step = f"{10.0**-coin.quantity_decimals:.{coin.quantity_decimals}f}"
    delivery = 1_719_561_600_000 if coin.contract == "NEXT_QUARTER" else 4_133_404_800_000
    return {
        "symbol": coin.symbol,
        "pair": f"{coin.base}{coin.quote}",
        "contractType": coin.contract,
        "deliveryDate": delivery,
        "onboardDate": coin.listed,
        "status": "TRADING" if coin.delisted is None else "SETTLING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": coin.base,
        "quoteAsset": coin.quote,
        "marginAsset": coin.margin,
        # More decimals than the filters allow, as the exchange really gives.
        "pricePrecision": coin.decimals + 1,
        "quantityPrecision": coin.quantity_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10_000,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000", "stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "120", "stepSize": step},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": f"{coin.min_notional:g}"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500", "multiplierDecimal": "4"},
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _brackets(exchange: Exchange) -> tuple[int, Any]:
    rows, amount, rate_before = [], 0.0, 0.0
    for number, (leverage, floor, cap, rate) in enumerate(TIERS, 1):
        amount += floor * (rate - rate_before)
        rate_before = rate
        rows.append(
            {
                "bracket": number,
                "initialLeverage": leverage,
                "notionalCap": cap,
                "notionalFloor": floor,
                "maintMarginRatio": rate,
                "cum": round(amount if number > 1 else 0.0, 6),
            }
        )
    return 200, [{"symbol": symbol, "brackets": rows} for symbol in exchange.coins]


def bybit_answer(exchange: Exchange, path: str, params: Mapping[str, str]) -> tuple[int, Any]:
    """HTTP status and content of Bybit's answer, version 5: bars reach only over a window, the newest come first."""
    if path == "/v5/market/time":
        return 200, _bybit(exchange, {"timeSecond": str(exchange.now // 1000), "timeNano": f"{exchange.now}000000"})
    if path == "/v5/market/instruments-info":
        coins = [coin for coin in exchange.coins.values() if coin.quote == "USDT" and coin.contract == "PERPETUAL"]
        listed = [_bybit_symbol(coin) for coin in coins] if params.get("category") == "linear" else []
        return 200, _bybit(exchange, {"category": params.get("category"), "list": listed, "nextPageCursor": ""})
    coin = exchange.coins.get(params.get("symbol", ""))
    if path == "/v5/market/funding/history" and coin is not None:
        return 200, _bybit(exchange, {"category": "linear", "list": _bybit_funding(exchange, coin, params)})
    if path != "/v5/market/kline" or coin is None:
        return 200, {"retCode": 10001, "retMsg": "params error: symbol invalid", "result": {}, "time": exchange.now}
    minutes = DAY // MINUTE if params["interval"] == "D" else int(params["interval"])
    timeframe = minutes * MINUTE
    limit = min(int(params.get("limit", _BYBIT_DEFAULT)), _BYBIT_MOST, exchange.page_limit)
    start = int(params.get("start", exchange.now - limit * timeframe))
    stop = min(int(params.get("end", exchange.now)) + 1, start + limit * timeframe)
    opens = _opens(exchange, coin, timeframe)
    opens = opens[(opens >= start) & (opens < stop)]
    rows = _binance_rows(coin, opens, timeframe, exchange.now, mark=False)
    listed_rows = [[str(row[0]), *row[1:6], "0"] for row in reversed(rows)]
    return 200, _bybit(exchange, {"category": "linear", "symbol": coin.symbol, "list": listed_rows})


def _bybit_funding(exchange: Exchange, coin: Coin, params: Mapping[str, str]) -> list[dict[str, str]]:
    """The newest settlements up to the end of the time asked for, newest first."""
    time, rates = coin.settlements(0, exchange.now + 1)
    first, last = int(params.get("startTime", 0)), int(params.get("endTime", exchange.now))
    rows = [
        {"symbol": coin.symbol, "fundingRate": rate, "fundingRateTimestamp": str(stamp)}
        for stamp, rate in zip(time.tolist(), rates, strict=True)
        if first <= stamp <= last
    ]
    return rows[::-1][: min(int(params.get("limit", _BYBIT_DEFAULT)), _BYBIT_FUNDING_MOST, exchange.page_limit)]


def _bybit(exchange: Exchange, result: dict[str, Any]) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": exchange.now}


def _bybit_symbol(coin: Coin) -> dict[str, Any]:
    tick, step = f"{10.0**-coin.decimals:.{coin.decimals}f}", f"{10.0**-coin.quantity_decimals:.{coin.quantity_decimals}f}"
    return {
        "symbol": coin.symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading" if coin.delisted is None else "Closed",
        "baseCoin": coin.base,
        "quoteCoin": coin.quote,
        "settleCoin": coin.quote,
        "launchTime": str(coin.listed),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(coin.decimals),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": tick, "maxPrice": "1999999.80", "tickSize": tick},
        "lotSizeFilter": {"maxOrderQty": "1190", "minOrderQty": step, "qtyStep": step, "minNotionalValue": f"{coin.min_notional:g}"},
        "unifiedMarginTrade": True,
        "fundingInterval": coin.funding_hours * 60,
    }
