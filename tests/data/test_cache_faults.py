"""The cache under faults: killed at every page and system call, full disks, broken files, two processes at once."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.atomic import write_atomically
from backtest.data.cache import month_file
from backtest.data.cache.download import update
from backtest.data.cache.inventory import list_series
from backtest.data.cache.month_file import Month
from backtest.data.cache.ranges import Piece
from backtest.data.cache.store import Cache
from backtest.data.series import SeriesName
from backtest.data.timeframe import HOUR
from engine.errors import SourceError
from tests.data.page_sources import BARS, FUNDING, MadeSource, at, made_rows, tree

BEGIN, STOP = at("2024-01-25"), at("2024-03-05")
STEP = 4 * HOUR
HOLES = tuple(at("2024-02-01") + STEP * bar for bar in (-1, 0, 60))
FEBRUARY = "fake/BTCUSDT/4h/2024-02.parquet"
CALLS = ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink")


def source(**changes) -> MadeSource:
    return MadeSource(**({"size": 40, "holes": HOLES} | changes))


def download(root: Path, **changes):
    return update(Cache(root), BARS, source(**changes), BEGIN, STOP)


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk():
    """A killed process loses nothing that it has written, flushed or not, and a busy disk would make these tests slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    """The files of a download that nothing interrupted."""
    root = tmp_path_factory.mktemp("whole")
    assert download(root).pages == 6
    return tree(root)


def in_a_child(work: Callable[[], None]) -> int:
    """Do `work` in a forked process and return how that ended, negative for a signal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads; the child uses none of them
        child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def check_what_is_left(root: Path) -> int:
    """What a reader finds after a fault: rows as they should be, exactly those that are known. Returns how many."""
    cache = Cache(root)
    time, values = cache.read(BARS)
    stop = cache.known(BARS)[-1].stop if cache.known(BARS) else BEGIN
    wanted = source().rows(BARS, BEGIN, stop)
    np.testing.assert_array_equal(time, wanted[0])
    np.testing.assert_array_equal(values, wanted[1])
    return time.size


class Fuse:
    """Counts the system calls that change files, and does something at the call of a number."""

    def __init__(self, patch: pytest.MonkeyPatch, number: int, blow: Callable[[], None]) -> None:
        self.number, self.blow, self.count = number, blow, 0
        for name in CALLS:
            patch.setattr(os, name, self.watched(name, getattr(os, name)))

    def watched(self, name, call):
        def one(*arguments, **named):
            # To make a folder that is there changes nothing, whatever comes of it.
            if name != "mkdir" or not Path(arguments[0]).is_dir():
                self.count += 1
                if self.count == self.number + 1:
                    self.blow()
            return call(*arguments, **named)

        return one


class PowerCut(BaseException):
    """Ends a run wherever it is, past every handler of errors."""


def cut_power() -> None:
    raise PowerCut


def calls_of(work: Callable[[], object]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        fuse = Fuse(patch, -1, die)
        work()
    return fuse.count


# --- killed ---------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_killed_at_every_page_and_resumed_the_files_are_the_same(tmp_path, whole) -> None:
    for page in range(6):
        root = tmp_path / str(page)
        fatal = source(before_page=lambda number, page=page: die() if number == page else None)
        assert in_a_child(lambda root=root, fatal=fatal: update(Cache(root), BARS, fatal, BEGIN, STOP)) == -signal.SIGKILL
        assert check_what_is_left(root) == 40 * page
        report = download(root)
        assert report.rows == source().rows(BARS, BEGIN, STOP)[0].size - 40 * page
        assert report.pages == 6 - page
        assert tree(root) == whole


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_killed_again_and_again_the_files_are_the_same(tmp_path, whole) -> None:
    """Every run dies before its second page; each leaves one page more."""
    for run in range(5):
        fatal = source(before_page=lambda number: die() if number == 1 else None)
        assert in_a_child(lambda fatal=fatal: update(Cache(tmp_path), BARS, fatal, BEGIN, STOP)) == -signal.SIGKILL
        assert check_what_is_left(tmp_path) >= 37 * (run + 1)
    download(tmp_path)
    assert tree(tmp_path) == whole


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_killed_at_every_system_call_and_resumed_the_files_are_the_same(tmp_path) -> None:
    """A month's border, in two pages: every file is made, and one of them replaced."""

    def work(root: Path) -> None:
        update(Cache(root), BARS, source(size=10), at("2024-01-30"), at("2024-02-02"))

    calls = calls_of(lambda: work(tmp_path / "whole"))
    wanted = tree(tmp_path / "whole")
    assert calls > 40
    for number in range(calls):
        root = tmp_path / str(number)

        def killed(root: Path = root, number: int = number) -> None:
            with pytest.MonkeyPatch.context() as patch:
                Fuse(patch, number, die)
                work(root)

        assert in_a_child(killed) == -signal.SIGKILL
        Cache(root).read(BARS)
        work(root)
        assert tree(root) == wanted


@pytest.mark.parametrize("refresh", [False, True])
def test_stopped_at_every_system_call_of_a_repair_it_can_be_done_again(tmp_path, refresh) -> None:
    """A file is broken; it is set aside and its month fetched, or everything is refreshed."""
    border = at("2024-02-01")

    def prepare(root: Path) -> Path:
        update(Cache(root), BARS, source(), border, border + 20 * STEP)
        (root / FEBRUARY).write_bytes(b"broken")
        return root

    def work(root: Path) -> None:
        update(Cache(root), BARS, source(), border, border + 20 * STEP, refresh=refresh)

    prepare(tmp_path / "whole")
    calls = calls_of(lambda: work(tmp_path / "whole"))
    wanted = tree(tmp_path / "whole")
    assert wanted[FEBRUARY + ".unreadable"] == b"broken"
    for number in range(calls):
        root = prepare(tmp_path / str(number))
        with pytest.MonkeyPatch.context() as patch:
            Fuse(patch, number, cut_power)
            with pytest.raises(PowerCut):
                work(root)
        work(root)
        assert tree(root) == wanted


# --- a disk that fails --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_a_system_call_that_fails_is_one_sentence_and_loses_nothing(tmp_path, code) -> None:
    def work(root: Path) -> None:
        update(Cache(root), BARS, source(size=10), at("2024-01-30"), at("2024-02-02"))

    def fail() -> None:
        raise OSError(code, os.strerror(code))

    calls = calls_of(lambda: work(tmp_path / "whole"))
    wanted = tree(tmp_path / "whole")
    for number in range(0, calls, 1 if code == errno.ENOSPC else 5):
        root = tmp_path / str(number)
        with pytest.MonkeyPatch.context() as patch:
            Fuse(patch, number, fail)
            with pytest.raises(SourceError, match=f"^the cache cannot be written: [^\n]*{os.strerror(code)}$"):
                work(root)
        assert [name for name in tree(root) if "unfinished" in name] == []
        known = Cache(root).known(BARS)
        assert Cache(root).read(BARS)[0].size == sum(source().rows(BARS, *span)[0].size for span in known)
        work(root)
        assert tree(root) == wanted


def test_a_file_in_the_way_is_one_sentence(tmp_path) -> None:
    (tmp_path / "fake").write_text("mine")
    with pytest.raises(SourceError, match=r"the cache cannot be written: .*fake"):
        download(tmp_path)
    assert (tmp_path / "fake").read_text() == "mine"


def test_a_folder_in_the_place_of_a_file_is_one_sentence(tmp_path) -> None:
    (tmp_path / FEBRUARY).mkdir(parents=True)
    with pytest.raises(SourceError, match=r"the cache cannot be read: .*2024-02\.parquet: Is a directory"):
        Cache(tmp_path).read(BARS)


def test_a_file_is_on_the_disk_before_its_name_is_and_the_name_before_the_end(tmp_path, monkeypatch) -> None:
    done: list[tuple[str, str]] = []
    names: dict[int, str] = {}
    real = {name: getattr(os, name) for name in ("open", "fsync", "replace")}

    def opened(path, *arguments):
        descriptor = real["open"](path, *arguments)
        names[descriptor] = Path(path).suffix or Path(path).name
        return descriptor

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(("on disk", names[descriptor])) or real["fsync"](descriptor))
    monkeypatch.setattr(os, "replace", lambda old, new: done.append(("renamed", Path(new).name)) or real["replace"](old, new))
    write_atomically(tmp_path / "file", b"x")
    assert done == [("on disk", ".unfinished"), ("renamed", "file"), ("on disk", tmp_path.name)]


def test_a_write_that_takes_a_part_goes_on(tmp_path, monkeypatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, rest: real(descriptor, rest[:3]))
    write_atomically(tmp_path / "file", b"0123456789")
    assert tree(tmp_path) == {"file": b"0123456789"}


# --- broken files -------------------------------------------------------------------------------------------------------


def flip(place: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        blob = bytearray(path.read_bytes())
        blob[int(place * len(blob))] ^= 0x10
        path.write_bytes(blob)

    return damage


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def doubled(path: Path) -> None:
    """Rows changed by a program that keeps the form, as the cache itself would write them, but not the sum."""
    blob = path.read_bytes()
    month = month_file.decode(blob, BARS, "2024-02", trusted=False)
    honest = month_file._content_sum(month)
    changed = Month(BARS, month.month, month.time, month.values * 2, month.known)
    path.write_bytes(month_file.encode(changed).replace(month_file._content_sum(changed).encode(), honest.encode()))


def rule_breaking(path: Path) -> None:
    """A file with a true sum, whose rows break a rule."""
    month = month_file.decode(path.read_bytes(), BARS, "2024-02", trusted=False)
    values = month.values.copy()
    values[1, 7] = values[2, 7] / 2
    path.write_bytes(month_file.encode(Month(BARS, month.month, month.time, values, month.known)))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "it is empty"),
    "text": (lambda path: path.write_text("no such thing"), "it is not a whole Parquet file"),
    "cut": (cut, "it is not a whole Parquet file"),
    "a bit of the values": (flip(0.4), "its rows are not those that were written|it is not a whole Parquet file"),
    "foreign": (lambda path: pd.read_parquet(path).to_parquet(path), "it was not written by this cache"),
    "another month": (
        lambda path: path.write_bytes(path.with_name("2024-01.parquet").read_bytes()),
        "it says that it is fake BTCUSDT 4h 2024-01",
    ),
    "changed": (doubled, "its rows are not those that were written"),
    "rule": (rule_breaking, r"row 7 of it \(2024-02-02 08:00\): the high is below the low"),
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("with_manifest", [True, False])
def test_an_unreadable_file_is_set_aside_and_fetched_again(tmp_path, whole, kind, with_manifest) -> None:
    download(tmp_path)
    damage, sentence = DAMAGE[kind]
    damage(tmp_path / FEBRUARY)
    if not with_manifest:
        (tmp_path / FEBRUARY).with_suffix(".json").unlink()
    broken = (tmp_path / FEBRUARY).read_bytes()
    february = at("2024-02-01"), at("2024-03-01")
    told: list[str] = []
    cache = Cache(tmp_path, told.append)
    with pytest.raises(SourceError, match=rf"2024-02\.parquet is unreadable: ({sentence}).*; fetch its month again"):
        cache.read(BARS)
    assert cache.missing(BARS, BEGIN, STOP) == (february,)
    assert "2024-02.parquet is unreadable" in told.pop()
    assert list_series(tmp_path)[0].unreadable == ("2024-02.parquet",)
    report = update(cache, BARS, source(), BEGIN, STOP)
    assert (report.asked, report.set_aside, report.months) == ((february,), ["2024-02.parquet.unreadable"], ["2024-02"])
    assert "it is kept as 2024-02.parquet.unreadable" in told.pop()
    assert tree(tmp_path) == whole | {FEBRUARY + ".unreadable": broken}
    damage(tmp_path / FEBRUARY)
    download(tmp_path)
    assert tree(tmp_path).keys() == whole.keys() | {FEBRUARY + ".unreadable", FEBRUARY + ".unreadable-2"}
    assert list_series(tmp_path)[0].set_aside == ("2024-02.parquet.unreadable", "2024-02.parquet.unreadable-2")


def test_no_flipped_bit_ever_changes_a_row(tmp_path) -> None:
    """Every 59th byte in turn: the file is refused, or the bit did not matter."""
    download(tmp_path)
    path = tmp_path / FEBRUARY
    blob, rows = path.read_bytes(), Cache(tmp_path).read(BARS)
    refused = 0
    for place in range(0, len(blob), 59):
        path.write_bytes(blob[:place] + bytes([blob[place] ^ 0x04]) + blob[place + 1 :])
        try:
            time, values = Cache(tmp_path).read(BARS)
        except SourceError:
            refused += 1
            continue
        np.testing.assert_array_equal(time, rows[0])
        np.testing.assert_array_equal(values, rows[1])
    assert refused > len(blob) / 59 * 0.8


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "list", "of older rows"])
def test_a_manifest_that_does_not_fit_is_made_anew_and_nothing_is_fetched(tmp_path, whole, kind) -> None:
    older = Cache(tmp_path / "older")
    update(older, BARS, source(), BEGIN, at("2024-02-10"))
    download(tmp_path)
    manifest = (tmp_path / FEBRUARY).with_suffix(".json")
    texts = {"empty": "", "text": "{oh", "list": "[1]", "of older rows": (tmp_path / "older" / FEBRUARY).with_suffix(".json").read_text()}
    if kind == "missing":
        manifest.unlink()
    else:
        manifest.write_text(texts[kind])
    check_what_is_left(tmp_path)
    assert Cache(tmp_path).missing(BARS, BEGIN, STOP) == ()
    report = download(tmp_path)
    assert (report.pages, report.set_aside) == (0, [])
    assert {name: blob for name, blob in tree(tmp_path).items() if not name.startswith("older")} == whole


def test_a_manifest_without_its_file_counts_for_nothing(tmp_path, whole) -> None:
    download(tmp_path)
    (tmp_path / FEBRUARY).unlink()
    assert Cache(tmp_path).missing(BARS, BEGIN, STOP) == ((at("2024-02-01"), at("2024-03-01")),)
    download(tmp_path)
    assert tree(tmp_path) == whole


def test_a_file_set_aside_takes_its_manifest_along_though_nothing_replaces_it(tmp_path) -> None:
    def no_line(_: int) -> None:
        raise SourceError("the line is dead")

    download(tmp_path)
    (tmp_path / FEBRUARY).write_bytes(b"broken")
    with pytest.raises(SourceError, match="the line is dead"):
        download(tmp_path, before_page=no_line)
    names = {path.name for path in (tmp_path / FEBRUARY).parent.glob("2024-02*")}
    assert names == {"2024-02.parquet.unreadable"}


def test_a_folder_copied_to_another_coin_counts_for_nothing(tmp_path) -> None:
    download(tmp_path)
    shutil.copytree(tmp_path / "fake" / "BTCUSDT", tmp_path / "fake" / "ETHUSDT")
    other = SeriesName("fake", "ETHUSDT", "4h")
    assert Cache(tmp_path).known(other) == ()
    with pytest.raises(SourceError, match=r"it says that it is fake BTCUSDT 4h 2024-01"):
        Cache(tmp_path).read(other)


def test_the_bytes_follow_from_the_rows(whole) -> None:
    time, values = source().rows(BARS, at("2024-02-01"), at("2024-03-01"))
    month = Month(BARS, "2024-02", time, values, (Piece(at("2024-02-01"), at("2024-03-01"), "exchange"),))
    assert month_file.encode(month) == whole[FEBRUARY]


# --- several processes --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_of_two_processes_the_second_waits_and_finds_it_done(tmp_path, whole) -> None:
    (go_out, go_in), (told_out, told_in) = os.pipe(), os.pipe()

    def second() -> None:
        os.read(go_out, 1)
        cache = Cache(tmp_path, lambda sentence: os.write(told_in, sentence.encode()))
        report = update(cache, BARS, source(), BEGIN, STOP)
        os.write(told_in, f"|{report.pages} pages".encode())

    heard = []

    def halfway(number: int) -> None:
        if number == 3:
            os.write(go_in, b"x")
            heard.append(os.read(told_out, 1000).decode())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            second()
            os._exit(0)
        except BaseException:  # noqa: BLE001
            os._exit(1)
    download(tmp_path, before_page=halfway)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert heard == ["another process is writing fake BTCUSDT 4h; waiting for it"]
    assert os.read(told_out, 1000) == b"|0 pages"
    assert tree(tmp_path) == whole
    for descriptor in (go_out, go_in, told_out, told_in):
        os.close(descriptor)


def test_a_reader_during_a_download_sees_whole_pages(tmp_path) -> None:
    seen = []
    download(tmp_path, before_page=lambda number: seen.append(check_what_is_left(tmp_path)))
    assert seen == [40 * page for page in range(6)]


# --- any sequence -------------------------------------------------------------------------------------------------------

DAYS = 50
FIRST = at("2024-01-20")
DAY = 24 * HOUR


@given(
    st.sampled_from([BARS, FUNDING, SeriesName("fake", "BTCUSDT", "1h")]),
    st.lists(
        st.tuples(st.integers(0, DAYS - 1), st.integers(1, DAYS), st.integers(3, 90), st.booleans(), st.none() | st.integers(0, 80)),
        max_size=4,
    ),
)
@settings(max_examples=10)
def test_any_sequence_of_updates_with_kills_ends_in_the_files_of_one(series, runs) -> None:
    """Each run: first day, days, rows a page, refresh, and the system call at which it ends, if any."""
    stop = FIRST + DAYS * DAY
    with tempfile.TemporaryDirectory() as folder:
        root, at_once = Path(folder) / "a", Path(folder) / "b"
        for first, days, size, refresh, fatal in runs:
            begin = FIRST + first * DAY
            with pytest.MonkeyPatch.context() as patch:
                Fuse(patch, -1 if fatal is None else fatal, cut_power)
                with suppress(PowerCut):
                    update(Cache(root), series, source(size=size), begin, min(stop, begin + days * DAY), refresh=refresh)
            time, values = Cache(root).read(series)
            wanted = made_rows(series, FIRST, stop)
            np.testing.assert_array_equal(values, wanted[1][:, np.isin(wanted[0], time)])
        update(Cache(root), series, source(), FIRST, stop)
        update(Cache(at_once), series, source(size=1000), FIRST, stop)
        assert tree(root) == tree(at_once)
