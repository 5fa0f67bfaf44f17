"""Run folders: named by the UTC second and the configuration, written whole or not at all, never overwritten."""

from __future__ import annotations

import datetime
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from backtest.configuration import Configuration
from engine.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from backtest.result import Result
    from backtest.studies import Studies

DEFAULT_OUTPUT = Path("data/output")


def write_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Make `folder` by writing its files beside it and renaming. Raises FileExistsError when it is there and not empty."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(folder)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        write(unfinished)
        unfinished.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def write_run(
    result: Result,
    configuration: Configuration,
    root: Path = DEFAULT_OUTPUT,
    charts: bool = True,
    studies: Studies | None = None,
    html: bool = False,
    orders: pd.DataFrame | None = None,
) -> Path:
    """Write a run's files into a new folder under `root` and return it; a taken name gets -2, -3 and so on.

    studies: for summary.json and the page. html: whether to write report.html.
    orders: what `bt.order_log` gives, for orders.parquet and orders.csv.

    Raises InputError when the folder cannot be written.
    """
    from backtest.storage import recorded_configuration, write_files

    now = datetime.datetime.now(datetime.UTC)
    recorded, _ = recorded_configuration(result, configuration.data)
    name = f"{now:%Y%m%dT%H%M%SZ}-{recorded.digest()}"

    def write(into: Path) -> None:
        write_files(result, into, configuration.data, charts, studies, html)
        if orders is not None:
            from backtest.order_log import write_order_log
            from backtest.report import findings

            write_order_log(orders, into, findings.title(result))

    attempt = 1
    while True:
        folder = root / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            write_whole(folder, write)
            return folder
        except FileExistsError as error:
            if attempt > 1000 or not folder.exists():
                raise InputError(f"--output {root} is refused: {error.filename or error} is in the way") from None
            attempt += 1
        except OSError as error:
            if folder.is_dir() and any(folder.iterdir()):  # another run took the name meanwhile
                attempt += 1
                continue
            raise InputError(f"--output {root} is refused: {error.strerror or error}") from None
