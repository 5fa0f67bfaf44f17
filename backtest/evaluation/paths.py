"""Markets that could have been: whole sessions drawn again in blocks and joined by their returns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from backtest.sweep import Prepared
from engine.bar import CLOSE
from engine.errors import InputError
from engine.machine import Feed, average_ranges
from engine.records import ABSENT
from engine.risk_gates import SESSION, SESSION_CODE

# Mean number of sessions that stay together.
MEAN_BLOCK = 5
LEAST_SESSIONS = 20

HOW_MADE = (
    "A path is made of whole sessions of these markets, with the bars up to the next one, drawn again in blocks (stationary bootstrap); "
    "the prices of a session are multiplied so that it goes on from the close before it, all coins from the same dates; indicators are "
    "computed on the path."
)


@dataclass(frozen=True)
class Sessions:
    """Sessions that can stand in a path: bars first..stop-1 of each, int64 (sessions,), none of them the first of the feed."""

    first: np.ndarray
    stop: np.ndarray

    def draw(self, random: np.random.Generator, bars_before: int, horizon: int) -> np.ndarray:
        """Which sessions stand in a path, int64: enough for `bars_before` bars of warm-up, then `horizon` of them; the start is last."""
        length = np.maximum(self.stop - self.first, 1)
        # So many sessions of any kind hold the warm-up.
        warm = int(np.ceil(bars_before / length.min())) if bars_before else 0
        return _drawn(random, self.first.size, warm + horizon)


def _drawn(random: np.random.Generator, sessions: int, places: int) -> np.ndarray:
    """Sessions at each place of a path, in blocks of geometric length; the last session is followed by the first."""
    begins = random.random(places) < 1.0 / MEAN_BLOCK
    begins[0] = True
    starts = (random.random(places) * sessions).astype(np.int64)
    place = np.arange(places)
    block = np.maximum.accumulate(np.where(begins, place, 0))
    return np.asarray((starts[block] + place - block) % sessions)


def whole_sessions(wallet: Prepared) -> Sessions:
    """The sessions that may trade, are whole, and in which every instrument is there. Raises InputError when there are too few."""
    feed = wallet.feed
    assert feed.sessions is not None
    number = feed.sessions[SESSION]
    begins = np.flatnonzero(np.diff(number, prepend=-1) > 0)
    first, stop = begins[:-1], begins[1:]
    there = np.append(0, np.cumsum((feed.kinds != ABSENT).all(axis=0)))
    kept = (first > 0) & (first >= wallet.start) & (there[stop] - there[np.maximum(first - 1, 0)] == stop - first + 1)
    if np.count_nonzero(kept) < LEAST_SESSIONS:
        raise InputError(
            f"{np.count_nonzero(kept)} whole sessions are too few to draw paths from: at least {LEAST_SESSIONS} are needed, or paths = 0"
        )
    return Sessions(first[kept], stop[kept])


def path_wallet(wallet: Prepared, sessions: Sessions, drawn: np.ndarray, horizon: int, atr_period: int) -> Prepared:
    """A wallet's arrays of one path; indicators are still to be made. Its last `horizon` sessions may trade."""
    feed = wallet.feed
    assert feed.sessions is not None
    first, stop = sessions.first[drawn], sessions.stop[drawn]
    length = stop - first
    ends = np.cumsum(length)
    place = np.repeat(np.arange(drawn.size), length)
    source = np.arange(ends[-1]) - np.repeat(ends - length, length) + first[place]
    # Each session's prices go on from the close of the one before it on the path.
    change = feed.bars[:, CLOSE, stop - 1] / feed.bars[:, CLOSE, first - 1]
    reached = np.cumprod(np.concatenate([feed.bars[:, CLOSE, first[:1] - 1], change], axis=1), axis=1)
    factor = (reached[:, :-1] / feed.bars[:, CLOSE, first - 1])[:, place]
    bars = feed.bars[:, :, source]
    bars[:, : CLOSE + 1] *= factor[:, None, :]
    start = int(ends[-horizon - 1]) if drawn.size > horizon else 0
    made = replace(
        feed,
        time=feed.time[0] + np.arange(source.size) * (feed.time[1] - feed.time[0]),
        bars=np.ascontiguousarray(bars),
        kinds=np.ascontiguousarray(feed.kinds[:, source]),
        **_settlements(feed, source, factor),
        sub_start=np.full((bars.shape[0], source.size), -1, np.int64),
        sub_count=0,
        sub_bars=np.zeros((bars.shape[0], 5, 0)),
        first_trades=np.full(bars.shape[0], start, np.int64),
        sessions=np.ascontiguousarray(np.stack([place, feed.sessions[SESSION_CODE, source]]).astype(np.int64)),
    )
    made = replace(made, ranges=average_ranges(made, atr_period))
    return replace(wallet, feed=made, begin=0, start=start, stop=source.size)


def _settlements(feed: Feed, source: np.ndarray, factor: np.ndarray) -> dict[str, np.ndarray]:
    """Funding of the bars `source`, its mark prices multiplied as the bars are."""
    offsets, rates, marks = [], [], []
    total = 0
    for k, row in enumerate(feed.funding_offsets):
        counts = row[source + 1] - row[source]
        ends = np.cumsum(counts)
        where = np.arange(ends[-1]) - np.repeat(ends - counts, counts) + np.repeat(row[source], counts)
        offsets.append(total + np.append(0, ends))
        rates.append(feed.funding_rates[where])
        marks.append(feed.funding_marks[where] * np.repeat(factor[k], counts))
        total += int(ends[-1])
    return {
        "funding_offsets": np.ascontiguousarray(np.array(offsets, np.int64)),
        "funding_rates": np.concatenate(rates),
        "funding_marks": np.concatenate(marks),
    }
