"""A study: what was asked of an optimization and of which bars, kept beside its trials.

Who joins a study must ask the same of the same bars. Other studies of the storage that saw these bars are counted, for every trial that
saw them is one more chance to be fooled, and so are those that have looked at the holdout.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from optuna.storages import BaseStorage

import engine
import gridcore
from backtest.configuration import strategy_name
from backtest.data.market import Market
from backtest.data.symbols import base_coin
from backtest.optimization.optimize import ROBUST, Optimizer
from backtest.optimization.parts import Part
from backtest.optimization.space import Dimension, Space
from backtest.optimization.store import HOLDOUT, LEASES, OptunaStore, again
from engine.errors import InputError

SCHEMA = 1
DESCRIPTION = "description"
# What may change from one command to the next: more trials go on with a study, and are told that it has seen its holdout.
CHANGEABLE = ("trials", "batch")
_HASH_LENGTH = 16
_COINS_IN_A_NAME = 4


@dataclass(frozen=True)
class OtherStudies:
    """What the other studies of a storage have seen of these bars.

    trials: how many, of studies whose train parts overlap these of a same coin. looks: how often they looked at bars of this holdout, be
    it as theirs (once for each number of trials they looked with) or as bars that they searched or tested on (once a study).
    """

    trials: int
    looks: int
    names: tuple[str, ...]


def fingerprint(market: Market) -> dict[str, Any]:
    """A market in a few plain values: timeframe, first and last open time (ms UTC), bars, a hash of all its numbers and its terms."""
    digest = hashlib.sha256(repr(market.instrument).encode())
    arrays = [market.time, market.open, market.high, market.low, market.close, market.volume, market.kind, market.missing]
    arrays += [market.funding_time, market.funding_rate]
    if market.mark is not None:
        arrays.append(market.mark)
    if market.sub_bars is not None:
        finer = market.sub_bars
        arrays += [finer.time, finer.open, finer.high, finer.low, finer.close, finer.volume]
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.size}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return {
        "timeframe": str(market.timeframe),
        "first": int(market.time[0]),
        "last": int(market.time[-1]),
        "bars": len(market),
        "digest": digest.hexdigest()[:_HASH_LENGTH],
    }


def compiled_code() -> str:
    """Hash of the sources of the compiled loop: sets scored by two versions of it do not belong together."""
    digest = hashlib.sha256()
    for package in (gridcore, engine):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:_HASH_LENGTH]


def describe(optimizer: Optimizer) -> dict[str, Any]:
    """All that decides what a trial of an optimization is worth, as plain values: the same for all who may work on one study."""
    split = optimizer.split
    found = {
        "schema": SCHEMA,
        "strategy": strategy_name(optimizer.strategy),
        "parameters": optimizer.strategy.model_dump(),
        "settings": {name: value for name, value in optimizer.settings.model_dump().items() if name not in CHANGEABLE},
        "space": {dimension.name: asdict(dimension) for dimension in optimizer.space},
        "account": optimizer.account.model_dump(),
        "execution": optimizer.execution.model_dump(),
        "data": {market.symbol: fingerprint(market) for market in optimizer.markets},
        "warmup": optimizer.warmup,
        "purge": split.purge,
        "trains": [[part.begin, part.end] for part in split.trains],
        "holdout": None if split.holdout is None else [split.holdout.begin, split.holdout.end],
        "simulated": any(market.simulated for market in optimizer.markets),
        "engine": compiled_code(),
    }
    return json.loads(json.dumps(found))


def default_name(description: Mapping[str, Any]) -> str:
    """Strategy, coins, timeframe and six digits of the hash of everything: another question has another name."""
    coins = [base_coin(symbol) for symbol in description["data"]]
    shown = coins[:_COINS_IN_A_NAME] + ([f"and{len(coins) - _COINS_IN_A_NAME}"] if len(coins) > _COINS_IN_A_NAME else [])
    timeframe = next(iter(description["data"].values()))["timeframe"]
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:6]
    return re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join([description["strategy"], *shown, timeframe, digest]))


def join_study(optimizer: Optimizer, storage: BaseStorage, name: str | None = None) -> OptunaStore:
    """Let an optimizer keep its trials in a study, which is made or resumed, and tell it what is not among them.

    That are the trials of other studies of the storage that saw these bars, its own that were dropped, and looks at the holdout.
    name: default, see `default_name`. Raises InputError when the study of that name asks for something else.
    """
    description = describe(optimizer)
    store = OptunaStore(storage, name or default_name(description), optimizer.space)
    kept = store.attribute(DESCRIPTION)
    if kept is None:
        # Of two workers that begin together the later one writes the same again, or finds in the next line that it does not fit.
        store.set_attribute(DESCRIPTION, description)
        kept = store.attribute(DESCRIPTION)
    _check_same(store.name, kept, description)
    others = other_studies(storage, store.name, description)
    optimizer.store, optimizer.touch_holdout = store, store.touch_holdout
    dropped = sum(store.dropped(window) for window in (ROBUST, *range(len(optimizer.split.windows))))
    optimizer.seen, optimizer.looks = others.trials + dropped, others.looks + _own_looks(store, optimizer)
    return store


def _own_looks(store: OptunaStore, optimizer: Optimizer) -> int:
    """How often this study looked at its holdout with fewer trials than it has, or is asked for, now: it went on knowing what it saw."""
    touched = store.attribute(HOLDOUT)
    searches = 1 if optimizer.settings.mode == "robust" else len(optimizer.split.windows)
    trials = max(store.size, searches * (optimizer.settings.design + optimizer.settings.trials))
    return 0 if touched is None else sum(int(looked) < trials for looked in touched["trials"])


def study_names(storage: BaseStorage) -> list[str]:
    """Names of the studies of a storage, in order of making."""
    return [name for name, _ in _studies(storage)]


def load_study(storage: BaseStorage, name: str) -> OptunaStore:
    """A study that is there, to be read. Raises InputError when there is none of that name."""
    known = dict(_studies(storage))
    if name not in known:
        close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]}?" if close else "; the storage has no studies" if not known else ""
        raise InputError(f"study = {name!r} is not in the storage{hint}")
    return OptunaStore(storage, name, space_of(known[name]))


def space_of(description: Mapping[str, Any]) -> Space:
    """The search space of a described study."""
    return tuple(
        Dimension(**{**one, "values": None if one["values"] is None else tuple(one["values"])}) for one in description["space"].values()
    )


def other_studies(storage: BaseStorage, name: str, description: Mapping[str, Any]) -> OtherStudies:
    """What the studies of a storage but `name` have seen of the bars of a described study. Robust and rolling studies alike.

    A study is not its own other: a finished one that is run again reports the same and has not looked once more.
    """
    trials, looks, names = 0, 0, []
    mine = _parts(description["trains"])
    last = description["holdout"]
    attributes = {study.study_name: study for study in again(storage.get_all_studies)}
    for other, asked in _studies(storage):
        if other == name or not set(asked["data"]) & set(description["data"]):
            continue
        found = _kept(storage, other)
        if found and _overlap(mine, _parts(asked["trains"])):
            trials += found
            names.append(other)
        if last is not None:
            held = Part(*last)
            touched = attributes[other].user_attrs.get(HOLDOUT)
            as_holdout = len(touched["trials"]) if touched and _overlap([held], [Part(touched["begin"], touched["end"])]) else 0
            looks += max(as_holdout, int(found > 0 and _overlap([held], [_searched(asked)])))
    return OtherStudies(trials, looks, tuple(names))


def _searched(asked: Mapping[str, Any]) -> Part:
    """From the first train part of a described study to its holdout, or to its last bar when it has none."""
    last_bar = max(int(one["last"]) for one in asked["data"].values())
    return Part(min(begin for begin, _ in asked["trains"]), asked["holdout"][0] if asked["holdout"] else last_bar)


def _studies(storage: BaseStorage) -> list[tuple[str, dict[str, Any]]]:
    """Names and descriptions of the studies that this project made."""
    known = [(study.study_name, study.user_attrs.get(DESCRIPTION)) for study in again(storage.get_all_studies)]
    return [(name, asked) for name, asked in known if asked is not None]


def _kept(storage: BaseStorage, name: str) -> int:
    """Trials of a study that count."""
    leases = storage.get_all_trials(storage.get_study_id_from_name(name + LEASES), deepcopy=False)
    return sum(int(lease.user_attrs["lease"]["size"]) for lease in leases if lease.state.name == "COMPLETE")


def _parts(ranges: Sequence[Sequence[int]]) -> list[Part]:
    return [Part(begin, end) for begin, end in ranges]


def _overlap(some: Sequence[Part], others: Sequence[Part]) -> bool:
    return any(one.begin < other.end and other.begin < one.end for one in some for other in others)


def _check_same(name: str, kept: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    before, after = _flat(kept), _flat(now)
    for key in sorted({*before, *after}, key=lambda key: (key.startswith("data"), key)):
        old, new = before.get(key), after.get(key)
        if old != new:
            raise InputError(
                f"study = {name!r} is refused: it was begun with {key} = {_shown(old)}, and now it is {_shown(new)}; "
                "give the same again, or another name"
            )


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        found.update(_flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value})
    return found


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)
