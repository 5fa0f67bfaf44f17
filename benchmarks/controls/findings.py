"""Findings of many seeds: run in processes, kept a line a seed, so that a run that was broken off goes on."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks.controls.experiment import Plan, control, finding

Finding = dict[str, Any]


def read(file: Path) -> list[Finding]:
    """The findings of a file in order of market and seed; none when there is no file. A line that was cut short is passed over."""
    found = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            one = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[one["market"], one["setup"], one["seed"]] = one
    return [found[key] for key in sorted(found)]


def write(file: Path, findings: Iterable[Finding]) -> None:
    """The findings, a line each."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(one) + "\n" for one in findings))


def _one(name: str, seed: int, plan: Plan) -> Finding:
    return finding(control(name), seed, plan)


def run(names: Iterable[str], seeds: int, plan: Plan, file: Path, processes: int, say: Callable[[str], None]) -> list[Finding]:
    """Findings of the seeds 0, 1, ... of each market: those in the file are taken from it, the others run and added.

    Returns those of the plan and the markets asked for, in order of market and seed.
    """
    names = list(names)
    for name in names:
        control(name)
    known = read(file)
    there = {(one["market"], one["seed"]) for one in known if one["setup"] == plan.setup}
    missing = [(name, seed) for name in names for seed in range(seeds) if (name, seed) not in there]
    file.parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the processes: a core each, no threads beside them
    if missing:
        _one(*missing[0], plan)  # compiles before the processes would do it side by side
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool, file.open("a") as lines:
        waiting = [pool.submit(_one, name, seed, plan) for name, seed in missing]
        for done, answer in enumerate(as_completed(waiting), 1):
            one = answer.result()
            lines.write(json.dumps(one) + "\n")
            lines.flush()
            say(f"{done} of {len(missing)}: {one['market']}, seed {one['seed']}: {one['label']}")
    findings = read(file)
    write(file, findings)
    wanted = {(name, seed) for name in names for seed in range(seeds)}
    return [one for one in findings if one["setup"] == plan.setup and (one["market"], one["seed"]) in wanted]
