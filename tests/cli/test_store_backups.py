"""The copies beside a store, as a person or a script sees them."""

import json
from pathlib import Path

from tests.support.run_cli import Cli
from tests.support.stores import make_store


def test_copies_are_listed_with_who_needs_them(cli: Cli, tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    store = ("--bolt-path", made.path)
    assert cli.run("auth", "set-inactive", made.reader, *store, "--yes").code == 0
    assert cli.run("auth", "delete", made.hashed, *store, "--yes").code == 0
    assert cli.run("store", "undo", *store, "--yes").code == 0
    upgrade = tmp_path / "influxd.bolt.pre-2.9.1-upgrade.backup"
    upgrade.write_bytes(made.path.read_bytes())
    upgrade.chmod(0o644)
    (tmp_path / "other.bolt.backup").write_bytes(b"of another store")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    done = cli.run("store", "backups", *store, "--json")
    assert done.code == 0, done.stderr
    found = {one["operation"]: one for one in json.loads(done.stdout)["backups"]}
    assert sorted(found, key=str) == [None, "auth-delete", "auth-set-inactive", "store-undo"]
    needed = {name for name, one in found.items() if one["is_needed_by_undo"]}
    assert needed == {"auth-set-inactive"}
    assert (found[None]["made_by"], found[None]["mode"]) == ("influxd", "0644")
    assert {name for name, one in found.items() if one["is_open"]} == {None}
    shown = cli.run("store", "backups", *store)
    assert "4 copies" in shown.stdout
    assert f"others than its owner can use {upgrade}" in shown.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_store_without_copies(cli: Cli, tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    assert "0 copies, 0 bytes" in cli.run("store", "backups", "--bolt-path", made.path).stdout
