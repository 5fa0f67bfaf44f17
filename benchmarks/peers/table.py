"""The table of the peers: rows for machines, the same rows for people on the terminal and as Markdown."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.peers.compare import compare
from benchmarks.peers.contestants import GRIDCORE, Entrant
from benchmarks.peers.grid import GRID
from benchmarks.peers.processes import ROOT, Answer
from benchmarks.peers.user_code import user_lines

HEADINGS = (
    "",
    "version",
    "lines",
    "bars",
    "bars/s",
    "best",
    "x calibration",
    "x gridcore",
    "best runs",
    "peak MB",
    "fills",
    "fills a bar",
    "equal",
)
ON_TERMINAL = ("", "version", "lines", "bars/s", "x gridcore", "peak MB", "fills", "fills a bar", "equal")
COMMAND = "python -m benchmarks.peers"
LEGEND = (
    "`lines`: lines of user code. `bars/s`: median over the runs, process time of one core; `best`: the best run. `x calibration`: time "
    "of a bar over the time of one element of a NumPy calibration timed in the same process, so that machines and noise cancel; "
    "`x gridcore`: that ratio over gridcore's (above 1: slower than gridcore); `best runs`: the times of the best runs, over gridcore's. "
    "`peak MB`: memory of the whole process, interpreter and libraries included. `equal`: fills with the same bar, side, action, price "
    "and quantity as gridcore's."
)


def row_of(entrant: Entrant, answer: Answer | None, problem: str, gridcore: Answer) -> dict[str, Any]:
    """A row: figures, comparison and texts of an entrant; without an answer the reason alone."""
    row: dict[str, Any] = {"name": entrant.name, "setup": entrant.setup, "differences": entrant.differences, "problem": problem}
    row["user_lines"] = user_lines(entrant.modules, ROOT)
    if answer is None:
        return row
    row["figures"] = answer.figures
    row["bars_per_second"] = 1e9 / answer.figures["ns_per_bar"]
    row["times_gridcore"] = answer.figures["ratio_to_calibration"] / gridcore.figures["ratio_to_calibration"]
    row["times_gridcore_best"] = answer.figures["ns_per_bar_best"] / gridcore.figures["ns_per_bar_best"]
    if entrant.fills:
        row["comparison"] = compare(gridcore.fills, answer.fills, answer.figures["bars"], GRID).as_dict()
    return row


def speed(bars_per_second: float) -> str:
    """Bars a second with three digits that mean something."""
    if bars_per_second >= 1e6:
        return f"{bars_per_second / 1e6:.3g} M"
    return f"{float(f'{bars_per_second:.3g}'):,.0f}"


def several(times: float) -> str:
    """A ratio with three digits that mean something."""
    return f"{times:.3g}" if times < 1000 else f"{float(f'{times:.3g}'):,.0f}"


def version_of(row: dict[str, Any]) -> str:
    """The version, with the package's name where the row's name is not the package's."""
    package, _, version = row["figures"]["version"].partition(" ")
    return version if version and row["name"].startswith(package) else row["figures"]["version"]


def cells(row: dict[str, Any]) -> list[str]:
    """A row's cells, as text."""
    if "figures" not in row:
        return [row["name"], "", str(row["user_lines"]), *[""] * (len(HEADINGS) - 4), "did not run"]
    figures = row["figures"]
    compared = row.get("comparison")
    fills = ["", "", ""]
    if compared:
        share = f"{compared['equal']:,} of {compared['ours']:,}"
        fills = [f"{compared['theirs']:,}", f"{compared['theirs'] / figures['bars']:.2f}", "all" if all_equal(compared) else share]
    return [
        row["name"],
        version_of(row),
        str(row["user_lines"]),
        f"{figures['bars']:,}",
        speed(row["bars_per_second"]),
        speed(1e9 / figures["ns_per_bar_best"]),
        several(figures["ratio_to_calibration"]),
        several(row["times_gridcore"]),
        several(row["times_gridcore_best"]),
        f"{figures['peak_megabytes']:,.0f}",
        *fills,
    ]


def all_equal(compared: dict[str, Any]) -> bool:
    """Whether no fill differs."""
    return bool(compared["equal"] == compared["ours"] == compared["theirs"])


def print_table(rows: list[dict[str, Any]], source: str) -> None:
    """The table on the terminal, without the columns that only the page has."""
    table = Table(title=f"Static hedge grid, {source}", title_justify="left")
    for heading in ON_TERMINAL:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for row in rows:
        shown = dict(zip(HEADINGS, cells(row), strict=True))
        table.add_row(*(shown[heading] for heading in ON_TERMINAL))
    console = Console(width=132)
    console.print(table)
    for row in rows:
        if row["problem"]:
            console.print(f"{row['name']} did not run: {row['problem']}.", soft_wrap=True)


def note_of(row: dict[str, Any]) -> list[str]:
    """A row's paragraph of notes: how it is set up, how its fills compare, and why."""
    lines = [f"**{row['name']}.** {row['setup']}"]
    if row["problem"]:
        lines.append(f"It did not run: {row['problem']}.")
    compared = row.get("comparison")
    if compared and row["name"] != GRIDCORE.name:
        if all_equal(compared):
            order = "also in their order inside a bar" if compared["same_sequence"] else "their order inside a bar is not gridcore's"
            lines.append(f"All {compared['ours']:,} fills equal, {order}.")
        else:
            lines.append(
                f"Of {compared['ours']:,} fills {compared['equal']:,} are equal, {compared['other_price']:,} fell in the same bar at "
                f"another price, {compared['a_bar_early']:,} a bar early, {compared['only_ours']:,} are only in gridcore and "
                f"{compared['only_theirs']:,} only there. First difference, {compared['first_difference']}."
            )
        lines.append(row["differences"])
    if "figures" in row:
        figures = row["figures"]
        equity = "" if figures["final_equity"] is None else f" Final equity {figures['final_equity']:,.2f}."
        lines.append(
            f"Measured over {figures['rounds']} {'run' if figures['rounds'] == 1 else 'runs'} of {figures['bars']:,} bars. Not counted: "
            f"first call {figures['first_call_seconds']:.1f} s, compiling included; making its own kind of bars "
            f"{figures['preparing_seconds']:.2f} s.{equity}"
        )
    return [" ".join(line for line in lines if line), ""]


def markdown(rows: list[dict[str, Any]], source: str, machine: dict[str, str]) -> str:
    """The page for people."""
    lines = [
        "# The same grid elsewhere",
        "",
        f"Made by `{COMMAND}`; do not edit. The rules of the grid, and how it is measured: [benchmarks/peers/README.md](peers/README.md).",
        "",
        f"{source}. Machine: {', '.join(f'{name} {value}' for name, value in machine.items())}.",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "|---|" + "---:|" * (len(HEADINGS) - 1),
        *("| " + " | ".join(cells(row)) + " |" for row in rows),
        "",
        LEGEND,
        "",
        "## Notes",
        "",
    ]
    for row in rows:
        lines += note_of(row)
    return "\n".join(lines).rstrip() + "\n"
