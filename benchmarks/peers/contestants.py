"""Who takes part: module, environment, how each is set up and why its fills may differ. The sentences go into the table's notes."""

from __future__ import annotations

from dataclasses import dataclass

PLAIN_PYTHON = "benchmarks.peers.grids.plain_python"


@dataclass(frozen=True)
class Entrant:
    """One row of the table.

    module: run with `python -m`; arguments: for it. requirements: name of its file in requirements/, "" for the project's own
    environment. code: the modules whose marked lines are the user's.
    fills: whether it reports fills to compare. setup: how it is configured. differences: why its fills are not all equal, "" if they are.
    """

    name: str
    module: str
    setup: str
    differences: str = ""
    requirements: str = ""
    arguments: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    fills: bool = True

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules whose marked lines are counted."""
        return self.code or (self.module,)


GRIDCORE = Entrant(
    "gridcore",
    "benchmarks.peers.grids.gridcore_grid",
    "`bt.run` as a whole: aligning, account, margin, liquidation tests, event log, equity. The grid is built in, so its user only sets it.",
)

ENTRANTS = (
    GRIDCORE,
    Entrant(
        "gridcore-no-log",
        "benchmarks.peers.grids.gridcore_grid",
        "`bt.run(..., log=False)`, as sweeps call it: no list of fills, equity as above.",
        arguments=("--no-log",),
        fills=False,
    ),
    Entrant(
        "hand-kernel",
        "benchmarks.peers.grids.hand_kernel",
        "numba, written for this one grid: bit masks for rungs, no account rules, no margin, no order list; fills and equity are stored. "
        "Not a backtester: the speed that is there to be had.",
    ),
    Entrant(
        "hftbacktest",
        "benchmarks.peers.grids.hftbacktest_grid",
        "Two trades a bar (high and low, the nearer first), no latency, `no_partial_fill_exchange`, an empty queue, strategy compiled by "
        "numba that reads its orders only when the number of trades has changed; no recorder. One net position an asset: the strategy "
        "keeps its lots.",
        "Within a bar it reports fills by side and rung, not in the order of the path. Its market orders need an order book, which bars "
        "do not have: a re-centring closes by limits at the next open and pays the maker's fee, so its final equity is higher.",
        requirements="hftbacktest",
    ),
    Entrant(
        "vectorbt",
        "benchmarks.peers.grids.vectorbt_grid",
        "`Portfolio.from_order_func(flexible=True)`, two columns (long, short) sharing cash; logs, position records and values along the "
        "way off. It has no resting orders: the user's compiled function walks the bar and names the fills, vectorbt books them. "
        "Equity a bar is made when asked for, after the run.",
        requirements="vectorbt",
    ),
    Entrant(
        "backtesting.py",
        "benchmarks.peers.grids.backtesting_grid",
        "`hedging=True`, whole units, a limit order a rung, take-profits set on the trades at the close after the fill; its statistics are "
        "part of `run`.",
        "An exit that the market has passed when it is placed fills at the next open, better than its own price. One commission for all "
        "fills: a re-centring pays the maker's fee. Fills of a bar come in the order of its list of orders.",
        requirements="backtesting",
    ),
    Entrant(
        "nautilus_trader",
        "benchmarks.peers.grids.nautilus_grid",
        "Hedging venue, a position a lot, orders left resting, adaptive order of high and low; no logging, no risk engine, no analysis, "
        "no portfolio update a bar. A fill model written for it lets all limits fill that a bar reaches.",
        "Orders sent at a close meet the market of that close: the market orders of a re-centring, and exits that the market has passed, "
        "fill at that close as taker and count as a bar early. No fill is missing.",
        requirements="nautilus_trader",
    ),
    Entrant(
        "nautilus_trader-default",
        "benchmarks.peers.grids.nautilus_grid",
        "The same with the fill model it comes with.",
        "As it comes, at most one limit order a side fills at an extreme of a bar: the first fill moves its market to the order's price, "
        "and the rungs beyond wait until the price comes back.",
        requirements="nautilus_trader",
        arguments=("--default-fills",),
    ),
    Entrant(
        "plain-python",
        PLAIN_PYTHON,
        "Lists, floats and a loop with a reject test before anything is looked at.",
    ),
    Entrant(
        "pandas-iloc",
        "benchmarks.peers.grids.pandas_iloc",
        "The plain loop, reading each bar as `frame.iloc[i]`.",
        code=(PLAIN_PYTHON, "benchmarks.peers.grids.pandas_iloc"),
    ),
)


def chosen(names: str | None) -> list[Entrant]:
    """Entrants by name, comma between them; None is all. gridcore is always among them, first: it is what others are compared with.

    Raises ValueError for a name that is not there.
    """
    if names is None:
        return list(ENTRANTS)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = {entrant.name: entrant for entrant in ENTRANTS}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(f"--peers {names} is refused: {unknown[0]!r} is none of {', '.join(known)}")
    return [GRIDCORE, *(known[name] for name in dict.fromkeys(wanted) if name != GRIDCORE.name)]
