"""What all tests share: hypothesis profiles, the folder of real market data, and which tests a mode skips."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from numba import config as numba_config

REAL_DATA = "GRIDCORE_TEST_DATA"
PROFILE = "GRIDCORE_HYPOTHESIS_PROFILE"
COMPILED = not numba_config.DISABLE_JIT

# No test asks an exchange; those of the downloader have one of their own on this machine.
os.environ["GRIDCORE_OFFLINE"] = "1"

# No deadlines: the first example of a test may compile. The default run draws the same examples every time.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("light", deadline=None, derandomize=True, max_examples=10)
settings.register_profile("thorough", deadline=None, max_examples=500, print_blob=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile(os.environ.get(PROFILE) or ("default" if COMPILED else "light"))
    folder = os.environ.get(REAL_DATA)
    if folder is not None and not Path(folder).is_dir():
        raise pytest.UsageError(f"{REAL_DATA} = {folder!r} is refused: it must be a folder")
    if not hasattr(config, "workerinput"):  # with several processes the reports come together in the one that starts them
        config.pluginmanager.register(RealDataWatch(config), "real-data-watch")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = config.getoption("--slow") or "slow" in (config.option.markexpr or "")
    for item in items:
        if item.get_closest_marker("slow"):
            if not COMPILED:
                item.add_marker(pytest.mark.skip(reason="slow tests need the compiler"))
            elif not asked:
                item.add_marker(pytest.mark.skip(reason="slow; --slow runs it"))
        if item.get_closest_marker("real_data") and REAL_DATA not in os.environ:
            item.add_marker(pytest.mark.skip(reason=f"{REAL_DATA} is not set"))


class RealDataWatch:
    """Fails a run of the whole suite in which real data was at hand and no test looked at it."""

    def __init__(self, config: pytest.Config) -> None:
        chosen = config.option.keyword or config.option.markexpr or config.option.collectonly
        whole = config.args_source is not pytest.Config.ArgsSource.ARGS and not chosen
        self.watching = whole and COMPILED and REAL_DATA in os.environ
        self.seen = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seen += report.when == "call" and not report.skipped and "real_data" in report.keywords

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.watching and not self.seen and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.watching and not self.seen:
            terminalreporter.section("real data")
            terminalreporter.line(f"{REAL_DATA} is set, and no test marked real_data ran: the run counts as failed.", red=True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real market data; tests that use it carry the marker `real_data`."""
    if REAL_DATA not in os.environ:
        pytest.skip(f"{REAL_DATA} is not set")
    return Path(os.environ[REAL_DATA]).resolve()
