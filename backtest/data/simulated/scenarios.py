"""Named scenarios: what is laid over the simulated market, at dates that do not depend on the dates asked for.

A scenario adds a drift to the log price, scales the volatility, or pulls the price back to a level. Events are laid on
the fifteenth of February, May, August and November, 12:00 UTC, of every year of the world, for all coins alike; what
they say of prices is what is expected, and the coin's own volatility comes on top. `default` adds nothing.
"""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass

import numpy as np

from backtest.data.simulated.world import MINUTES, MINUTES_PER_YEAR, WORLD_END, WORLD_START, decaying
from backtest.data.timeframe import MINUTE
from engine.errors import InputError

DEFAULT = "default"
_ALIASES = {"none": DEFAULT}


@dataclass(frozen=True)
class Leg:
    """One straight piece of an event, in log price: its length in hours, and price at its end over price at its start."""

    hours: float
    ratio: float


@dataclass(frozen=True)
class Scenario:
    """What a scenario lays over the market.

    contains, edge: one sentence each, for the market's `source`. year_ratio: expected price after a year over today's.
    volatility: factor on all moves. legs: the event, from its date on. stress: further factor on moves during the first
    `stress_hours` of an event, halved in its log every `calming_days` afterwards. pull_days: half-life of the way back to
    the level, None: no level. bursts: whether single minutes may burst.
    """

    name: str
    contains: str
    edge: str
    year_ratio: float = 1.0
    volatility: float = 1.0
    legs: tuple[Leg, ...] = ()
    stress: float = 1.0
    stress_hours: float = 0.0
    calming_days: float = 3.0
    pull_days: float | None = None
    bursts: bool = True

    @property
    def has_edge(self) -> bool:
        """Whether the expected price is anything but today's."""
        return self.year_ratio != 1.0 or bool(self.legs) or self.pull_days is not None

    def scale_volatility(self, sigma: np.ndarray) -> None:
        """Multiply the minutes' volatility, (minutes,), in place."""
        if self.volatility != 1.0:
            sigma *= self.volatility
        if self.stress == 1.0:
            return
        held = round(60 * self.stress_hours)
        after = np.arange(min(MINUTES, round(1440 * 12 * self.calming_days)))
        factor = np.exp(np.log(self.stress) * 0.5 ** (np.maximum(after - held, 0) / (1440 * self.calming_days)))
        for start in event_minutes():
            stretch = sigma[start : start + factor.size]
            stretch *= factor[: stretch.size]

    def lay_over(self, moves: np.ndarray) -> np.ndarray:
        """Log price at the close of each minute, (minutes,), from 0, of the moves (minutes,); overwrites them."""
        if self.pull_days is not None:
            return decaying(moves, 1440 * self.pull_days)
        if self.year_ratio != 1.0:
            moves += np.log(self.year_ratio) / MINUTES_PER_YEAR
        for start in event_minutes() if self.legs else ():
            for leg in self.legs:
                length = round(60 * leg.hours)
                moves[start : start + length] += np.log(leg.ratio) / length
                start += length
        return np.cumsum(moves, out=moves)


def event_minutes() -> list[int]:
    """Minutes of the world, counted from its start, in which events begin."""
    first, last = (dt.datetime.fromtimestamp(time / 1000, dt.UTC).year for time in (WORLD_START, WORLD_END))
    dates = [dt.datetime(year, month, 15, 12, tzinfo=dt.UTC) for year in range(first, last + 1) for month in (2, 5, 8, 11)]
    times = [round(date.timestamp() * 1000) for date in dates]
    return [(time - WORLD_START) // MINUTE for time in times if WORLD_START <= time < WORLD_END]


_EVERY_QUARTER = "on the 15th of February, May, August and November, 12:00 UTC"

_SCENARIOS = (
    Scenario(DEFAULT, "fat tails, volatility clusters, bursts and seasons", "no edge by construction (a martingale)"),
    Scenario(
        "chop",
        "prices that swing around a level that never moves, back half-way in 3 hours, with 1.5 times the usual volatility",
        "an edge for grids by construction, before costs: every move away from the level is expected to come back",
        volatility=1.5,
        pull_days=0.125,
    ),
    Scenario("bull", "a steady rise, expected price 2.5 times as high after a year", "an edge for longs by construction", year_ratio=2.5),
    Scenario(
        "bear",
        "a steady fall, expected price 60 % lower after a year, with 1.2 times the usual volatility",
        "an edge for shorts by construction",
        year_ratio=0.4,
        volatility=1.2,
    ),
    Scenario(
        "crash",
        f"a fall of 55 % in two days at 2.5 times the usual volatility, made up over the next 60 days, {_EVERY_QUARTER}",
        "an edge for whoever knows the dates, by construction",
        legs=(Leg(8, 0.82), Leg(4, 1.06), Leg(14, 0.75), Leg(6, 1.08), Leg(16, 0.45 / (0.82 * 1.06 * 0.75 * 1.08)), Leg(1440, 1 / 0.45)),
        stress=2.5,
        stress_hours=48,
        calming_days=4.0,
    ),
    Scenario(
        "pump",
        f"a rise of 60 % in twelve hours at twice the usual volatility, given back over the next 21 days, {_EVERY_QUARTER}",
        "an edge for whoever knows the dates, by construction",
        legs=(Leg(3, 1.15), Leg(1, 0.96), Leg(8, 1.6 / (1.15 * 0.96)), Leg(504, 1 / 1.6)),
        stress=2.0,
        stress_hours=12,
    ),
    Scenario(
        "flash_crash",
        "a fall of 35 % in 45 minutes, four fifths of it made up within the next four hours and the rest in 14 days, "
        f"at 3 times the usual volatility, {_EVERY_QUARTER}",
        "an edge for whoever buys the fall, by construction",
        legs=(Leg(0.75, 0.65), Leg(0.25, 1.0), Leg(3.75, 0.93 / 0.65), Leg(336, 1 / 0.93)),
        stress=3.0,
        stress_hours=2,
        calming_days=0.5,
    ),
    Scenario(
        "calm",
        "a sixth of the usual volatility and no bursts",
        "no edge by construction (a martingale)",
        volatility=1 / 6,
        bursts=False,
    ),
)
_BY_NAME = {scenario.name: scenario for scenario in _SCENARIOS}


def scenario_of(name: str) -> Scenario:
    """The scenario of a name; `none` is `default`. Raises InputError, with the nearest names, for any other."""
    found = _BY_NAME.get(_ALIASES.get(name, name)) if isinstance(name, str) else None
    if found is None:
        near = difflib.get_close_matches(str(name), _BY_NAME, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? It" if near else "it"
        raise InputError(f"scenario = {name!r} is refused, {hint} must be one of {', '.join(_BY_NAME)}")
    return found


def scenarios() -> tuple[Scenario, ...]:
    """Every scenario, for documents and help: `name`, `contains` and `edge` are text."""
    return _SCENARIOS
