"""What a stepper is set up with: checked once, and kept in a snapshot as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backtest.data.instrument import Instrument
from backtest.data.timeframe import Timeframe, parse_utc
from backtest.run import instrument_terms
from backtest.snapshot_parts import instrument_from, instrument_settings, strategies_from, strategy_settings
from backtest.strategy import program_of
from engine.account import Account
from engine.errors import InputError
from engine.execution import Execution
from engine.machine import Machine, Program


@dataclass(frozen=True, eq=False)
class StepSettings:
    """Instruments on one wallet, a strategy for each, and the terms; see `Stepper` for the fields."""

    instruments: tuple[Instrument, ...]
    strategies: tuple[Any, ...]
    account: Account
    execution: Execution
    timeframe: Timeframe
    weights: tuple[float, ...]
    trade_from: Mapping[str, int]
    first_bar: int

    @classmethod
    def checked(
        cls,
        instruments: Instrument | Sequence[Instrument],
        strategy: Any,
        account: Account | None,
        execution: Execution | None,
        timeframe: str | Timeframe,
        weights: Sequence[float] | None,
        trade_from: Mapping[str, Any] | None,
        first_bar: int,
        evaluation: Any = None,
    ) -> StepSettings:
        """Settings from what a caller gives. Raises InputError, one sentence, for what does not fit together."""
        if evaluation is not None:
            raise InputError("evaluation is refused: a stepper does not apply the rules of a funded account; bt.run does")
        listed = (instruments,) if isinstance(instruments, Instrument) else tuple(instruments)
        count = len(listed)
        symbols = [instrument.symbol for instrument in listed]
        if count == 0 or len(set(symbols)) < count:
            raise InputError(f"instruments = {symbols} is refused: there must be at least one, and every symbol once")
        account = account or Account(wallet="shared" if count > 1 else "separate")
        if count > 1 and account.wallet != "shared":
            raise InputError("wallet = 'separate' is refused for several instruments: they share a stepper's wallet; make one stepper each")
        shares = tuple([1.0 / count] * count if weights is None else [float(share) for share in weights])
        if len(shares) != count or not all(0.0 < share <= 1.0 for share in shares) or sum(shares) > 1.0 + 1e-9:
            raise InputError(f"weights = {weights!r} is refused: one share above 0 for each of {count} instruments, together at most 1")
        strategies = tuple(strategy) if isinstance(strategy, (list, tuple)) else (strategy,) * count
        if len(strategies) != count:
            raise InputError(f"strategy holds {len(strategies)} strategies: there must be one for each of {count} instruments")
        program = program_of(strategies[0])
        if any(program_of(other) is not program for other in strategies):
            raise InputError("strategy is refused: all instruments of a stepper must run the same kind of strategy")
        times = {symbol: parse_utc(time, "trade_from") for symbol, time in (trade_from or {}).items()}
        for symbol in times:
            if symbol not in symbols:
                raise InputError(f"trade_from names {symbol!r}: it must be one of {', '.join(symbols)}")
        frame = Timeframe.parse(timeframe)
        return cls(listed, strategies, account, execution or Execution(), frame, shares, times, int(first_bar))

    @property
    def symbols(self) -> tuple[str, ...]:
        """The instruments' symbols, in order."""
        return tuple(instrument.symbol for instrument in self.instruments)

    @property
    def program(self) -> Program:
        """The strategy's compiled program."""
        return program_of(self.strategies[0])

    def machine(self, recording: bool) -> Machine:
        """A machine of these settings at its start."""
        return Machine.build(
            self.program,
            [own.record() for own in self.strategies],
            [instrument_terms(instrument, share) for instrument, share in zip(self.instruments, self.weights, strict=True)],
            self.account,
            self.execution,
            self.timeframe.ms,
            recording,
        )

    def first_times(self) -> list[int]:
        """Open time (ms) of the first bar that each instrument's indicators may see; not positive: any."""
        lead = [own.warmup_bars() * self.timeframe.ms for own in self.strategies]
        return [self.trade_from.get(symbol, 0) - before for symbol, before in zip(self.symbols, lead, strict=True)]

    def plain(self) -> dict[str, Any]:
        """The settings as plain values, for a snapshot's header."""
        return {
            "strategies": [strategy_settings(own) for own in self.strategies],
            "account": self.account.model_dump(),
            "execution": self.execution.model_dump(),
            "instruments": [instrument_settings(instrument) for instrument in self.instruments],
            "weights": self.weights,
            "timeframe": str(self.timeframe),
            "trade_from": dict(self.trade_from),
            "first_bar": self.first_bar,
        }


def settings_from(plain: Mapping[str, Any], strategy: Any) -> dict[str, Any]:
    """A stepper's arguments from `StepSettings.plain`; a user's own `strategy` must be given again."""
    return {
        "instruments": [instrument_from(settings) for settings in plain["instruments"]],
        "strategy": strategies_from(plain["strategies"], strategy),
        "account": Account(**plain["account"]),
        "execution": Execution(**plain["execution"]),
        **{name: plain[name] for name in ("timeframe", "weights", "trade_from", "first_bar")},
    }
