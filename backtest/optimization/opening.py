"""Where a study's trials are kept, and what else is known of the bars it sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from backtest.data.market import Market
from backtest.optimization.arguments import Request
from backtest.optimization.parts import Part
from backtest.optimization.records import MemoryStore, Store, Trial
from engine.errors import InputError

# Windows that a study can have: -1 is the search over all of them.
WINDOWS = range(-1, 50)


class KeptTrials(Protocol):
    """What looking at a study, writing it out and pruning it need of a store."""

    def trials(self, window: int) -> list[Trial]:
        """All trials of a window."""
        ...

    def drop(self, window: int, numbers: Sequence[int]) -> None:
        """Forget these trials of the search; how many were run stays known."""
        ...

    def dropped(self, window: int) -> int:
        """How many trials of a window were forgotten so far."""
        ...


@dataclass
class OpenedStudy:
    """A store, and what else saw these bars: trials that are not in it (of other studies, and pruned ones), looks at this holdout.

    touch_holdout records that the holdout is looked at now. where: how a person finds the storage again.
    """

    store: Store
    seen: int = 0
    looks: int = 0
    touch_holdout: Callable[[Part], None] = lambda _: None
    where: str = "memory"


_IN_MEMORY: dict[tuple[str, str], MemoryStore] = {}


def open_study(request: Request, markets: Sequence[Market], described: Mapping[str, Any]) -> OpenedStudy:
    """The store of a study, made when it is not there; `described` are the settings that may not change on the way."""
    del markets, described
    store = _IN_MEMORY.setdefault((request.storage or "", request.study), MemoryStore())
    return OpenedStudy(store, seen=sum(store.dropped(window) for window in WINDOWS))


def open_kept(study: str, storage: str | None) -> KeptTrials:
    """The store of a study that is there. Raises InputError when it is not."""
    found = _IN_MEMORY.get((storage or "", study))
    if found is None:
        raise InputError(f"study {study} is not known in {storage or 'the default storage'}")
    return found
