"""The SQLite file of an inventory: its tables, and that nothing is ever replaced or left."""

import errno
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recovery.errors import ConflictError, RefusedError, StoreAccessError, WriteFailedError
from recovery.export import TABLES, VIEWS, Row, write_export


def user(**values: str) -> Row:
    table = next(table for table in TABLES if table.name == "users")
    return dict.fromkeys(table.columns) | values


def ask(path: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def test_an_export_of_nothing_has_all_tables_and_views(tmp_path: Path) -> None:
    counts = write_export(tmp_path / "new.sqlite", {})
    names = {name for (name,) in ask(tmp_path / "new.sqlite", "SELECT name FROM sqlite_master")}
    assert {table.name for table in TABLES} | set(VIEWS) <= names
    assert counts == {table.name: 0 for table in TABLES}
    for view in VIEWS:
        assert ask(tmp_path / "new.sqlite", f"SELECT * FROM {view}") == []  # noqa: S608 # our names


def test_an_export_is_private_and_alone(tmp_path: Path) -> None:
    write_export(tmp_path / "new.sqlite", {})
    assert stat.S_IMODE((tmp_path / "new.sqlite").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["new.sqlite"]


def test_references_are_declared_and_what_dangles_is_found(tmp_path: Path) -> None:
    rows: list[Row] = [{"organization_id": "no such", "user_id": "no such", "role": "owner"}]
    write_export(tmp_path / "new.sqlite", {"memberships": rows})
    found = ask(tmp_path / "new.sqlite", "PRAGMA foreign_key_check")
    assert {(table, parent) for table, _, parent, _ in found} == {
        ("memberships", "organizations"),
        ("memberships", "users"),
    }


def test_a_second_row_of_one_key_is_left_out(tmp_path: Path) -> None:
    rows = [user(id="1", name="first"), user(id="1", name="second")]
    counts = write_export(tmp_path / "new.sqlite", {"users": rows})
    assert counts["users"] == 1
    assert ask(tmp_path / "new.sqlite", "SELECT name FROM users") == [("first",)]


@pytest.mark.parametrize("is_link", [False, True])
def test_nothing_is_replaced(tmp_path: Path, *, is_link: bool) -> None:
    there = tmp_path / "new.sqlite"
    if is_link:
        there.symlink_to(tmp_path / "nowhere")
    else:
        there.write_text("precious")
    with pytest.raises(ConflictError):
        write_export(there, {})
    assert [path.name for path in tmp_path.iterdir()] == ["new.sqlite"]
    assert is_link or there.read_text() == "precious"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreAccessError):
        write_export(tmp_path / "nowhere" / "new.sqlite", {})


def test_an_error_among_the_rows_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield user(id="1", name="first")
        raise RefusedError(reason="no more", hint="none")

    with pytest.raises(RefusedError):
        write_export(tmp_path / "new.sqlite", {"users": rows()})
    assert list(tmp_path.iterdir()) == []


def test_a_failing_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WriteFailedError):
        write_export(tmp_path / "new.sqlite", {})
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_among_the_rows_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[Row]:
        yield user(id="1", name="first")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_export(tmp_path / "new.sqlite", {"users": rows()})
    assert list(tmp_path.iterdir()) == []
