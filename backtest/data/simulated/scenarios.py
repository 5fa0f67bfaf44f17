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
    the level, None: no level. bursts: whether single minutes may burst. halt_hours, reopening: an event begins with the venue
    standing still for so long, and it opens again at once at so much of the price before: a hole that no order trades in.
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
    halt_hours: float = 0.0
    reopening: float = 1.0

    @property
    def has_edge(self) -> bool:
        """Whether the expected price is anything but today's."""
        return self.year_ratio != 1.0 or self.has_events or self.pull_days is not None

    @property
    def has_events(self) -> bool:
        """Whether something begins at the dates of events."""
        return bool(self.legs) or self.reopening != 1.0

    def events_between(self, begin: int, stop: int) -> list[int]:
        """When events begin in [begin, stop), ms UTC; none without events."""
        times = [WORLD_START + MINUTE * minute for minute in event_minutes()] if self.has_events else []
        return [time for time in times if begin <= time < stop]

    def halt(self, moves: np.ndarray, sigma: np.ndarray, halted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Let the venue stand still at events: no moves and no volatility then, in place.

        Returns the minutes at whose opening the price jumps and the jumps, in log price, which are in `moves` as well.
        """
        length = round(60 * self.halt_hours)
        if length == 0:
            return np.zeros(0, np.int64), np.zeros(0)
        starts = np.array(event_minutes())
        for start in starts:
            still = slice(start, start + length)
            moves[still], sigma[still], halted[still] = 0.0, 0.0, True
        reopened = starts + length
        # The minute after the halt trades, whatever it would have done by itself.
        halted[reopened] = False
        jumps = np.full(reopened.size, np.log(self.reopening))
        moves[reopened] += jumps
        return reopened, jumps

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
        for event in event_minutes() if self.legs else ():
            start = event + round(60 * self.halt_hours)
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
    Scenario(
        "bull",
        "an upward drift, expected price 2.5 times as high after a year, with the usual falls on the way",
        "an edge for longs by construction",
        year_ratio=2.5,
    ),
    Scenario(
        "bear",
        "a downward drift, expected price 60 % lower after a year, with 1.2 times the usual volatility",
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
        legs=(
            Leg(0.25, 0.95),
            Leg(1 / 6, 0.88),
            Leg(1 / 12, 0.86),
            Leg(0.25, 0.65 / (0.95 * 0.88 * 0.86)),
            Leg(0.25, 1.0),
            Leg(3.75, 0.93 / 0.65),
            Leg(336, 1 / 0.93),
        ),
        stress=3.0,
        stress_hours=2,
        calming_days=0.5,
    ),
    Scenario(
        "gap",
        f"the venue stands still for an hour and opens again 18 % lower, made up over the next 30 days, {_EVERY_QUARTER}",
        "an edge for whoever knows the dates, by construction",
        legs=(Leg(720, 1 / 0.82),),
        stress=2.0,
        stress_hours=3,
        halt_hours=1.0,
        reopening=0.82,
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
