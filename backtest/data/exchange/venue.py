"""`open_venue`: an exchange as a source of pages of bars, mark-price bars and funding, of symbols and of instruments."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from backtest.data.exchange.client import Client, wanted_address
from backtest.data.exchange.filters import ListedInstrument, filters_of, perpetual_symbols, with_tiers
from backtest.data.exchange.pages import Ask, Walk
from backtest.data.exchange.quirks import OPEN_ENDED, rows_to_ask_for
from backtest.data.exchange.retry import ONE_ATTEMPT, PassingError, Patience
from backtest.data.exchange.rows import Rows, bar_rows, funding_rows, plausible_time
from backtest.data.series import FUNDING, MARK, Page, SeriesName, known_end
from backtest.data.timeframe import MINUTE, Timeframe, utc_text
from engine.errors import InputError, SourceError

DEFAULT_EXCHANGE = "binanceusdm"
TIMEOUT, PROBE_TIMEOUT = 30.0, 2.0
_DECIMAL_PLACES = 2  # ccxt's code for a precision that counts decimals


def open_venue(
    name: str = DEFAULT_EXCHANGE,
    *,
    address: str | None = None,
    probe: bool = False,
    patience: Patience | None = None,
    timeout: float = TIMEOUT,
    sleep: Callable[[float], None] = time.sleep,
    on_wait: Callable[[str], None] | None = None,
) -> Venue:
    """An exchange by its name in ccxt, ready to be asked.

    address: scheme and host in place of the exchange's own, for a server that stands in for it; default
    GRIDCORE_EXCHANGE_URL. probe: ask for its time at once, one attempt within 2 seconds. patience: with it later questions
    are put. timeout: seconds to wait for an answer to begin. sleep: takes seconds. on_wait: told, in a sentence, before each
    wait.

    Raises InputError for an unknown exchange, one without bars, an address that is none; SourceError when GRIDCORE_OFFLINE
    is set and the address is not this machine's, and when a probe fails.
    """
    chosen = wanted_address(address)
    client = Client(name, chosen, ONE_ATTEMPT if probe else patience or Patience(), PROBE_TIMEOUT if probe else timeout, sleep, on_wait)
    venue = Venue(client)
    if probe:
        try:
            client.within(PROBE_TIMEOUT, venue.now)
        except SourceError:
            venue.close()
            raise
        client.patience, client.timeout = patience or Patience(), timeout
    return venue


class Venue:
    """An exchange, a `backtest.data.series.PageSource`. Nothing is asked of it before a method needs it.

    Close it after use, or use it in a `with` block. Every method raises SourceError when the exchange cannot be read.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._markets: Mapping[str, Mapping[str, Any]] | None = None

    @property
    def name(self) -> str:
        """The exchange's name in ccxt."""
        return self._client.name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def now(self) -> int:
        """The exchange's own time, ms UTC: from its clock, or from the date of its latest answer where it offers no clock."""
        exchange = self._client.exchange
        if exchange.has.get("fetchTime") is True:
            return self._client.ask("its time", lambda: plausible_time(exchange.fetch_time(), self.name))
        # The list of markets is a question like any other: what counts is the date of its answer.
        self._client.ask("its time", lambda: exchange.load_markets(True))
        date = self._client.heard.date
        if date is None:
            raise SourceError(f"{self.name} does not say what time it is, so no bar can be told from one that is still forming")
        return date

    def symbols(self) -> dict[str, str]:
        """BTCUSDT -> BTC/USDT:USDT, its name in ccxt, for every linear perpetual settled in USDT that is traded now."""
        return perpetual_symbols(self._loaded())

    def offers(self, content: str) -> bool:
        """Whether the exchange has a history of "15m" (bars), "mark-15m" or "funding"; the length of bars is not looked at."""
        has = self._client.exchange.has
        if content == FUNDING:
            return has.get("fetchFundingRateHistory") is True
        return has.get("fetchMarkOHLCV" if content.startswith(MARK) else "fetchOHLCV") is True

    def timeframes(self) -> list[str]:
        """The lengths of bars that it offers and that divide the day, such as 15m; none when it does not say."""
        return [name for name in self._client.exchange.timeframes or {} if _is_timeframe(name)]

    def instrument(self, symbol: str) -> ListedInstrument:
        """The filters of a symbol such as BTCUSDT, and its margin tiers where they can be read.

        Binance shows tiers only with credentials: GRIDCORE_API_KEY and GRIDCORE_API_SECRET of the environment are used for
        that one question. Without them the instrument has no tiers and a remark says so. Raises InputError for an unknown
        symbol, with the nearest.
        """
        unified = self._unified(symbol)
        decimals = self._client.exchange.precisionMode == _DECIMAL_PLACES
        return with_tiers(self._client, filters_of(self._loaded()[unified], symbol, self.name, decimals), unified)

    def pages(self, series: SeriesName, begin: int, stop: int) -> Iterator[Page]:
        """The pages of [begin, stop), ms UTC: see `backtest.data.series.PageSource` and `backtest.data.exchange.pages`.

        Settlement times are rounded to the minute. Raises InputError for another exchange's series, an unknown symbol, and a
        timeframe that the exchange does not have.
        """
        if series.exchange != self.name:
            raise InputError(f"exchange = {series.exchange!r} is refused: this is {self.name}")
        unified = self._unified(series.symbol)
        ask = self._funding_question(series, unified) if series.content == FUNDING else self._bar_question(series, unified)
        method = "fetchFundingRateHistory" if series.content == FUNDING else "fetchOHLCV"
        # The time is asked for before the rows, so that a row taken for final had closed when it was read.
        end = known_end(series.timeframe, self.now())
        rows = rows_to_ask_for(self._client.exchange, unified, method)
        return Walk(series, ask, end, rows, self.name in OPEN_ENDED).pages(begin, stop)

    def _bar_question(self, series: SeriesName, unified: str) -> Ask:
        exchange, timeframe = self._client.exchange, str(series.timeframe)
        offered = exchange.timeframes or {}
        if timeframe not in offered:
            raise InputError(f"timeframe = {timeframe} is refused: {self.name} has {', '.join(offered)}")
        marks = series.content.startswith(MARK)
        if marks and exchange.has.get("fetchMarkOHLCV") is not True:
            raise SourceError(f"{self.name} offers no history of the mark price")
        params = {"price": "mark"} if marks else {}
        kind = f"{timeframe} {'mark-price ' if marks else ''}bars of {series.symbol}"

        def ask(since: int, limit: int) -> Rows:
            def read() -> Rows:
                return self._checked(bar_rows(exchange.fetch_ohlcv(unified, timeframe, since, limit, params), series), since, kind)

            return self._client.ask(f"{kind} from {utc_text(since)} UTC", read)

        return ask

    def _funding_question(self, series: SeriesName, unified: str) -> Ask:
        exchange = self._client.exchange
        if exchange.has.get("fetchFundingRateHistory") is not True:
            raise SourceError(f"{self.name} offers no history of funding")
        kind = f"funding of {series.symbol}"

        def ask(since: int, limit: int) -> Rows:
            # Half a minute early, since times are rounded to the minute.
            early = since - MINUTE // 2

            def read() -> Rows:
                answer = exchange.fetch_funding_rate_history(unified, early, limit)
                return self._checked(funding_rows(answer, series, unified), since, kind)

            return self._client.ask(f"{kind} from {utc_text(since)} UTC", read)

        return ask

    def _checked(self, rows: Rows, since: int, kind: str) -> Rows:
        """The rows, unless their absence is not what the exchange said, or all are older than what was asked for."""
        if not len(rows) and not self._client.heard.says_nothing_is_there:
            raise PassingError(f"{self.name} answered with something that holds no {kind}")
        if len(rows) and int(rows.time[-1]) < since:
            raise PassingError(f"{self.name} answered with older {kind} than asked for, up to {utc_text(rows.time[-1])} UTC")
        return rows

    def _loaded(self) -> Mapping[str, Mapping[str, Any]]:
        if self._markets is None:
            self._markets = self._client.ask("its list of markets", self._read_markets)
        return self._markets

    def _read_markets(self) -> Mapping[str, Mapping[str, Any]]:
        exchange = self._client.exchange
        markets = exchange.load_markets()
        if not markets:
            exchange.markets = None
            raise PassingError(f"{self.name} answered with an empty list of markets")
        return markets

    def _unified(self, symbol: str) -> str:
        known = self.symbols()
        if symbol not in known:
            near = difflib.get_close_matches(str(symbol), known, n=3, cutoff=0.6)
            hint = f": did you mean {' or '.join(near)}?" if near else ""
            raise InputError(f"symbol = {symbol!r} is no USDT perpetual that {self.name} trades now{hint}")
        return known[symbol]


def _is_timeframe(name: str) -> bool:
    try:
        Timeframe.finer(name)
    except InputError:
        return False
    return True
