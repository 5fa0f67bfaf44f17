"""The peers' common ground: the grid by hand equals gridcore, fills are compared rightly, and who is missing is told in a sentence."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from benchmarks.peers import __main__ as command
from benchmarks.peers import environments, table
from benchmarks.peers.bars import VOLUME, peer_bars
from benchmarks.peers.compare import compare
from benchmarks.peers.contestants import ENTRANTS, GRIDCORE, Entrant, chosen
from benchmarks.peers.environments import REQUIREMENTS, PeerError, last_line, run_quietly
from benchmarks.peers.grid import CLOSE, GRID, LONG, OPEN, SHORT, fills_from
from benchmarks.peers.grids import gridcore_grid, hand_kernel, pandas_iloc, plain_python
from benchmarks.peers.processes import ROOT, Answer, run_entrant
from benchmarks.peers.user_code import code_lines, marked_part, user_lines
from benchmarks.peers.worker import measure


def made_up_bars(seed: int, count: int, step: float) -> np.ndarray:
    """Bars (5, count) in whole ticks, with gaps between close and open, and some that do not move."""
    draw = np.random.default_rng(seed)
    moves = draw.normal(0.0, step, (4, count)) * (draw.random(count) < 0.9)
    closes = 30_000.0 * np.exp(np.cumsum(moves[0]))
    opens = np.concatenate([closes[:1], closes[:-1]]) * (1.0 + 0.2 * moves[1])
    highs = np.maximum(opens, closes) * (1.0 + np.abs(moves[2]))
    lows = np.minimum(opens, closes) * (1.0 - np.abs(moves[3]))
    prices = np.round(np.array([opens, highs, lows, closes]), 2)
    return np.vstack([prices, np.full(count, VOLUME)])


def fills_of(module, bars):
    """Fills and final equity of a contestant's module on some bars."""
    contestant = module.contestant() if module is gridcore_grid else module.contestant
    result = contestant.run(contestant.prepare(bars, GRID))
    return contestant.fills(result), contestant.equity(result)


def assert_same(module, bars):
    """Every fill of a module equals gridcore's, in the same order. Returns how many there are."""
    ours, our_equity = fills_of(gridcore_grid, bars)
    theirs, their_equity = fills_of(module, bars)
    found = compare(ours, theirs, bars.shape[1], GRID)
    assert found.first_difference == ""
    assert found.same_sequence
    assert found.equal == found.ours == found.theirs
    assert their_equity == pytest.approx(our_equity, rel=1e-12)
    return found.ours


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), step=st.sampled_from([0.0005, 0.002, 0.006, 0.02]))
def test_plain_loop_equals_gridcore(seed, step):
    assert_same(plain_python, made_up_bars(seed, 300, step))


def test_plain_loop_equals_gridcore_on_the_simulated_market():
    market = bt.load("BTC", source="simulated", start="2024-01-01", end="2024-02-15")
    bars = np.round(np.array([market.open, market.high, market.low, market.close, np.full(len(market.open), VOLUME)]), 2)
    assert assert_same(plain_python, bars) > 500


@pytest.mark.real_data
def test_plain_loop_equals_gridcore_on_real_bars(real_data):
    bars, source = peer_bars(real_data, 40_000)
    assert "real bars" in source
    assert assert_same(plain_python, bars) > 10_000


def test_rows_by_iloc_equal_gridcore():
    assert assert_same(pandas_iloc, made_up_bars(3, 300, 0.004)) > 100


def test_hand_kernel_equals_gridcore(monkeypatch):
    # As plain Python: what is tested are its rules, and numba would compile for a while.
    monkeypatch.setattr(hand_kernel, "run_grid", getattr(hand_kernel.run_grid, "py_func", hand_kernel.run_grid))
    for seed, step in enumerate([0.0005, 0.002, 0.006, 0.02]):
        assert assert_same(hand_kernel, made_up_bars(seed, 400, step)) > 5


def test_a_worse_loop_is_found_out(monkeypatch):
    """A loop that re-arms a rung at once, not at the next close, does not pass for equal."""
    bars = made_up_bars(5, 400, 0.004)
    ours, _ = fills_of(gridcore_grid, bars)
    closing = plain_python.GridLoop.close_lot

    def close_and_rest(loop, bar, side, rung):
        closing(loop, bar, side, rung)
        loop.states[side][rung] = plain_python.RESTING

    monkeypatch.setattr(plain_python.GridLoop, "close_lot", close_and_rest)
    theirs, _ = fills_of(plain_python, bars)
    found = compare(ours, theirs, bars.shape[1], GRID)
    assert found.only_theirs > 0
    assert found.first_difference.startswith("bar ")


OURS = [(1, LONG, OPEN, 100.0, 1.0), (2, LONG, CLOSE, 101.0, 1.0), (2, SHORT, OPEN, 102.0, 1.0), (5, SHORT, CLOSE, 101.0, 1.0)]


def compared(theirs, bars=10):
    return compare(fills_from(OURS), fills_from(theirs), bars, GRID)


def test_equal_fills_in_another_order_are_equal():
    found = compared([OURS[0], OURS[2], OURS[1], OURS[3]])
    assert (found.equal, found.other_price, found.a_bar_early, found.only_ours, found.only_theirs) == (4, 0, 0, 0, 0)
    assert not found.same_sequence
    assert found.first_difference == ""
    assert compared(OURS).same_sequence


def test_noise_of_binary_fractions_is_no_difference():
    assert compared([(1, LONG, OPEN, 100.0 + 1e-11, 1.0), *OURS[1:]]).same_sequence


@pytest.mark.parametrize(
    ("theirs", "counts"),
    [
        ([(1, LONG, OPEN, 99.0, 1.0), *OURS[1:]], (3, 1, 0, 0, 0)),
        ([*OURS[:3], (4, SHORT, CLOSE, 100.5, 1.0)], (3, 0, 1, 0, 0)),
        (OURS[1:], (3, 0, 0, 1, 0)),
        ([*OURS, (7, LONG, OPEN, 100.0, 1.0)], (4, 0, 0, 0, 1)),
        ([(1, SHORT, OPEN, 100.0, 1.0), *OURS[1:]], (3, 0, 0, 1, 1)),
        ([(1, LONG, OPEN, 100.0, 2.0), *OURS[1:]], (3, 0, 0, 1, 1)),
        ([(6, LONG, OPEN, 100.0, 1.0), *OURS[1:]], (3, 0, 0, 1, 1)),
        ([OURS[0], *OURS], (4, 0, 0, 0, 1)),
        ([], (0, 0, 0, 4, 0)),
    ],
)
def test_differences_are_counted_by_kind(theirs, counts):
    found = compared(theirs)
    assert (found.equal, found.other_price, found.a_bar_early, found.only_ours, found.only_theirs) == counts
    assert not found.same_sequence


def test_pairs_are_made_so_that_the_fewest_are_left():
    """Exits of bars 2 and 3 that fell a bar early: pairing within bar 2 first would leave one on each side."""
    ours = fills_from([(2, LONG, CLOSE, 101.0, 1.0), (3, LONG, CLOSE, 102.0, 1.0)])
    theirs = fills_from([(1, LONG, CLOSE, 100.9, 1.0), (2, LONG, CLOSE, 101.9, 1.0)])
    found = compare(ours, theirs, 10, GRID)
    assert (found.a_bar_early, found.other_price, found.only_ours, found.only_theirs) == (2, 0, 0, 0)


def test_the_first_difference_in_words():
    found = compared([OURS[0], OURS[1], (2, SHORT, OPEN, 102.5, 1.0)])
    assert found.first_difference == (
        "bar 2: gridcore close long 1 at 101, open short 1 at 102; there close long 1 at 101, open short 1 at 102.5"
    )
    assert compared(OURS[1:]).first_difference == "bar 1: gridcore open long 1 at 100; there no fill"


def test_a_peer_that_ran_fewer_bars_is_compared_on_these():
    found = compared(OURS[:3], bars=5)
    assert (found.ours, found.theirs, found.equal) == (3, 3, 3)


def test_lines_of_user_code():
    text = '''# before
# --- user code ---
import os  # counts


# does not count
def one() -> str:
    """Does not count,
    nor this."""
    return """counts
    twice"""
# --- end of user code ---
after = 1
'''
    assert code_lines(marked_part(text)) == 4
    with pytest.raises(ValueError, match="needs '# --- user code ---' once"):
        marked_part("x = 1\n")


@pytest.mark.parametrize("entrant", ENTRANTS, ids=lambda entrant: entrant.name)
def test_every_entrant_has_marked_code_and_exact_pins(entrant):
    assert user_lines(entrant.modules, ROOT) > 5
    if entrant.requirements:
        pins = (REQUIREMENTS / f"{entrant.requirements}.txt").read_text().splitlines()
        assert pins
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9.]+", line) for line in pins)


def test_the_kept_table_has_every_entrant():
    text = (ROOT / "benchmarks" / "PEERS.md").read_text()
    assert re.findall(r"^\| ([\w.-]+) \|", text, re.MULTILINE) == [entrant.name for entrant in ENTRANTS]


def test_names_are_chosen_and_unknown_ones_refused():
    assert [entrant.name for entrant in chosen("vectorbt, plain-python")] == ["gridcore", "vectorbt", "plain-python"]
    with pytest.raises(ValueError, match=r"--peers zipline is refused: 'zipline' is none of gridcore, "):
        chosen("zipline")


def test_the_command_refuses_with_a_sentence(capsys):
    assert command.main(["--peers", "zipline"]) == 2
    assert "'zipline' is none of" in capsys.readouterr().err
    assert command.main(["--bars", "5"]) == 2
    assert "--bars 5 is refused: at least 100 are needed" in capsys.readouterr().err
    assert command.main(["--rounds", "0"]) == 2
    assert "--rounds 0 is refused: at least 1 is needed" in capsys.readouterr().err


def test_what_cannot_be_installed_is_a_sentence():
    with pytest.raises(PeerError, match=r"^installing it failed: no such package$"):
        run_quietly([sys.executable, "-c", "raise SystemExit('no such package')"], "installing it")


def test_the_reason_of_a_failure_is_its_error_without_addresses():
    assert last_line("WARNING: a\nERROR: No match for it at https://index.example/simple.\nhint: b\n") == "No match for it at (address)"
    assert last_line("Traceback\nKeyError: 'x'\n\n") == "KeyError: 'x'"
    assert last_line("") == "it said nothing"


def test_a_failed_installation_leaves_no_environment_that_counts(tmp_path, monkeypatch):
    def fails(command, what):
        raise PeerError(f"{what} failed: no such package")

    monkeypatch.setattr(environments, "run_quietly", fails)
    for _ in range(2):
        with pytest.raises(PeerError, match="making an environment for vectorbt failed"):
            environments.python_of("vectorbt", tmp_path)


def test_a_process_that_fails_is_a_row_that_says_so(capsys):
    absent = Entrant("absent", "benchmarks.peers.grids.absent", "It is not there.", code=(plain_python.__name__,))
    with pytest.raises(PeerError, match=r"its process ended with code 1: .*No module named benchmarks\.peers\.grids\.absent"):
        run_entrant(absent, Path(sys.executable), made_up_bars(1, 100, 0.002), 1, 1.0)
    gridcore = Answer({"ratio_to_calibration": 1.0}, fills_from([]))
    row = table.row_of(absent, None, "its process ended", gridcore)
    table.print_table([row], "nothing")
    shown = capsys.readouterr().out
    assert "did not run" in shown
    assert "absent did not run: its process ended." in shown
    assert "It did not run: its process ended." in table.markdown([row], "nothing", {})


def test_a_measured_contestant_and_its_row():
    bars = made_up_bars(2, 500, 0.004)
    figures, fills = measure(plain_python.contestant, bars, 2, 60.0)
    assert figures["rounds"] == len(figures["process_seconds"]) == len(figures["calibration_ns"]) == 2
    assert figures["bars"] == 500
    assert figures["peak_megabytes"] > 1.0
    ours, _ = fills_of(gridcore_grid, bars)
    gridcore = Answer({**figures, "ratio_to_calibration": figures["ratio_to_calibration"] / 4.0}, ours)
    row = table.row_of(chosen("plain-python")[1], Answer(figures, fills), "", gridcore)
    assert row["times_gridcore"] == pytest.approx(4.0)
    assert table.cells(row)[-1] == "all"
    assert f"All {len(ours):,} fills equal, also in their order inside a bar." in table.note_of(row)[0]
    first = table.row_of(GRIDCORE, gridcore, "", gridcore)
    page = table.markdown([first, row], "made-up bars", {"cores": "2"})
    assert "| plain-python | Python |" in page
    assert page.count("\n\n**") == 2


def test_every_option_is_explained():
    text = (ROOT / "benchmarks" / "peers" / "README.md").read_text()
    options = [option for action in command.parser()._actions for option in action.option_strings if option.startswith("--")]
    assert len(options) > 5
    assert [option for option in options if option != "--help" and f"`{option}" not in text and f"{option} DIR" not in text] == []
