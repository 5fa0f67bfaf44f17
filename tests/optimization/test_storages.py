"""What names a storage, and one clear sentence, without the password, when it cannot be opened."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from backtest.optimization import storages
from backtest.optimization.storages import open_storage
from engine.errors import InputError


@pytest.mark.parametrize("name", ["a.log", "deep/er/a.journal", "a.db", "deep/a.sqlite"])
def test_files_are_made_with_their_folders(tmp_path: Path, name: str) -> None:
    assert open_storage(str(tmp_path / name)).get_all_studies() == []
    assert (tmp_path / name).is_file()


def test_an_address_of_sqlite(tmp_path: Path) -> None:
    open_storage(f"sqlite:///{tmp_path}/a.file")
    assert (tmp_path / "a.file").is_file()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("studies", "must be a file ending in .log, .journal, .db, .sqlite, .sqlite3, or an address"),
        ("oracle://me:secret@host/name", "must begin with sqlite:///, postgresql:// or mysql://"),
        ("postgresql://me:secret@127.0.0.1:1/name", "cannot be reached or read"),
        ("postgresql://127.0.0.1:1/name?user=me&password=secret", "cannot be reached or read"),
        ("postgresql://me:se@cret@127.0.0.1:1/name", "an @ of a password is written %40"),
        ("mysql://me:secret@127.0.0.1:1/name", "refused"),
        ("://", "its address cannot be read"),
        ("/proc/nowhere/a.log", "cannot be opened"),
        ("sqlite:////proc/nowhere/a.db", "cannot be reached or read"),
    ],
)
def test_what_cannot_be_opened(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        open_storage(text)
    assert sentence in str(error.value)
    assert str(error.value).startswith("storage ")
    assert "cret" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("kind", "package"), [("postgresql", "psycopg2-binary"), ("mysql", "pymysql")])
def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch, kind: str, package: str) -> None:
    find = importlib.util.find_spec
    hidden = ("psycopg2", "psycopg", "pymysql", "MySQLdb")

    def without_drivers(name: str, *rest: Any) -> Any:
        return None if name in hidden else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", without_drivers)
    for name in hidden:
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(InputError, match=rf"needs a package that is not installed; pip install {package}$"):
        open_storage(f"{kind}://me:secret@127.0.0.1:1/name")


@pytest.mark.parametrize("name", ["a.log", "a.db"])
def test_a_file_of_something_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("these are\nno studies\n" * 100)
    with pytest.raises(InputError, match="refused"):
        open_storage(str(path))
    assert path.read_text() == "these are\nno studies\n" * 100


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.log").mkdir()
    with pytest.raises(InputError, match="it is a folder"):
        open_storage(str(tmp_path / "a.log"))


def test_a_worker_that_finds_the_tables_in_the_making_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import IntegrityError

    tries = []

    def made(*everything: Any, **more: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise IntegrityError("CREATE TABLE", {}, Exception("duplicate key"))
        return real(*everything, **more)

    real = storages.RDBStorage
    monkeypatch.setattr(storages, "RDBStorage", made)
    monkeypatch.setattr(storages, "wait_random", lambda *_: 0.0)
    assert open_storage(str(tmp_path / "a.db")).get_all_studies() == []
    assert len(tries) == 3
