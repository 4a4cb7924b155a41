"""An inventory as an SQLite file, with the real program."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.run_cli import Cli


def test_export_writes_a_file_that_can_be_asked(cli: Cli, level21_bolt: Path) -> None:
    done = cli.run("store", "export", "inventory.sqlite", "--bolt-path", level21_bolt)
    assert (done.code, done.stderr) == (0, "")
    assert "45 permissions" in done.stdout
    with closing(sqlite3.connect(cli.home / "inventory.sqlite")) as connection:
        found = connection.execute("SELECT user, way FROM who_can_get_in").fetchall()
    assert found == [("testuser", "password"), ("testuser", "token"), ("testuser", "token")]


def test_export_tells_a_program_the_same(cli: Cli, level17_bolt: Path) -> None:
    done = cli.run("store", "export", "new.sqlite", "--json", "--bolt-path", level17_bolt)
    document = json.loads(done.stdout)
    assert (document["version"], document["target_path"]) == (1, str(cli.home / "new.sqlite"))
    assert document["row_counts"]["authorizations"] == 2


def test_export_replaces_nothing(cli: Cli, level21_bolt: Path) -> None:
    before = level21_bolt.read_bytes()
    done = cli.run("store", "export", level21_bolt, "--bolt-path", level21_bolt)
    assert done.code == 7
    assert level21_bolt.read_bytes() == before


def test_export_needs_a_name(cli: Cli, level21_bolt: Path) -> None:
    assert cli.run("store", "export", "--bolt-path", level21_bolt).code == 2
