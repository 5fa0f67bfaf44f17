"""Which stretches of time are known, and who said so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class Span(NamedTuple):
    """The times [begin, stop), ms UTC."""

    begin: int
    stop: int


class Piece(NamedTuple):
    """The times [begin, stop), ms UTC, of which everything is known from `origin`: "exchange" or "import: file.csv"."""

    begin: int
    stop: int
    origin: str


def joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Pieces that do not overlap, in order of time, neighbours of one origin made one: one form for one content."""
    result: list[Piece] = []
    for piece in sorted(piece for piece in pieces if piece.begin < piece.stop):
        if result and result[-1].stop == piece.begin and result[-1].origin == piece.origin:
            result[-1] = result[-1]._replace(stop=piece.stop)
        else:
            result.append(piece)
    return tuple(result)


def spans(pieces: Iterable[Piece]) -> tuple[Span, ...]:
    """The stretches that pieces cover, whatever their origin, each as long as it goes."""
    return tuple(Span(piece.begin, piece.stop) for piece in joined(piece._replace(origin="") for piece in pieces))


def clipped(pieces: Iterable[Piece], begin: int, stop: int) -> tuple[Piece, ...]:
    """What of the pieces lies in [begin, stop)."""
    inside = (Piece(max(piece.begin, begin), min(piece.stop, stop), piece.origin) for piece in pieces)
    return joined(inside)


def without(pieces: Iterable[Piece], begin: int, stop: int) -> tuple[Piece, ...]:
    """What of the pieces lies outside [begin, stop)."""
    outside: list[Piece] = []
    for piece in pieces:
        outside.append(piece._replace(stop=min(piece.stop, begin)))
        outside.append(piece._replace(begin=max(piece.begin, stop)))
    return joined(outside)


def replaced(pieces: Iterable[Piece], new: Piece) -> tuple[Piece, ...]:
    """The pieces with a new one in place of whatever they said about its times."""
    return joined([*without(pieces, new.begin, new.stop), new])


def missing(known: Iterable[Piece], begin: int, stop: int) -> tuple[Span, ...]:
    """The stretches of [begin, stop) that no piece covers."""
    gaps: list[Span] = []
    position = begin
    for span in spans(clipped(known, begin, stop)):
        if span.begin > position:
            gaps.append(Span(position, span.begin))
        position = span.stop
    if position < stop:
        gaps.append(Span(position, stop))
    return tuple(gaps)


def covered(pieces: Iterable[Piece], time: np.ndarray) -> np.ndarray:
    """Which of the times (int64 ms, shape (rows,)) lie in a piece; bool, (rows,)."""
    inside = np.zeros(time.size, bool)
    for begin, stop in spans(pieces):
        inside |= (time >= begin) & (time < stop)
    return inside


def holes(known: Sequence[Piece], time: np.ndarray, step: int) -> tuple[Span, ...]:
    """Where bars are missing that lie in known pieces: from the first missing bar to the next one that is there.

    `time` are the open times there are, rising, on the grid of `step` ms, as the ends of the pieces are.
    """
    found: list[Span] = []
    for begin, stop in spans(known):
        inside = time[np.searchsorted(time, begin) : np.searchsorted(time, stop)]
        edges = np.concatenate([[begin - step], inside, [stop]])
        before = np.flatnonzero(np.diff(edges) > step)
        found += [Span(int(edges[row]) + step, int(edges[row + 1])) for row in before]
    return tuple(found)
