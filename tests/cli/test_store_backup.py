"""Copies of whole stores, with the real program."""

import errno
import fcntl
import gzip
import json
import os
from pathlib import Path

import pytest

import bolt_store
from tests.support.model import dump_file, problems
from tests.support.oracle import Dump, Oracle
from tests.support.run_cli import Cli
from tests.support.stores import MadeStore, make_store


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    """A store of level 21, in a folder of its own."""
    folder = tmp_path / "store"
    folder.mkdir()
    return make_store(folder / "influxd.bolt", level=21)


def test_backup_says_where_the_copy_is(cli: Cli, made: MadeStore) -> None:
    done = cli.run("store", "backup", "--bolt-path", made.path)
    (copy,) = made.path.parent.glob("*.backup")
    assert (done.code, done.stderr) == (0, "")
    assert f"Backup: {copy}" in done.stdout
    assert copy.read_bytes() == made.path.read_bytes()


def test_backup_tells_a_program_the_same(cli: Cli, made: MadeStore) -> None:
    words = ("store", "backup", "copy.bolt", "--bolt-path", made.path, "--json")
    document = json.loads(cli.run(*words).stdout)
    assert (document["version"], document["store"]["real_path"]) == (1, str(made.path))
    assert document["target_path"] == str(cli.home / "copy.bolt")
    assert (document["is_live"], document["level"]) == (False, 21)
    document = json.loads(cli.run(*words[:2], "live.bolt", *words[3:], "--live").stdout)
    assert (document["is_live"], document["level"]) == (True, 21)
    assert (cli.home / "live.bolt").read_bytes()[:4096] == made.path.read_bytes()[:4096]


def test_a_store_is_copied_from_a_file_system_without_locks(
    cli: Cli, made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert cli.run("user", "list", "--bolt-path", made.path).code == 4
    done = cli.run("store", "backup", "copy.bolt", "--bolt-path", made.path, "--json")
    assert (done.code, json.loads(done.stdout)["level"]) == (0, 21)
    assert (cli.home / "copy.bolt").read_bytes()[:4096] == made.path.read_bytes()[:4096]


def test_a_new_file_is_made_on_a_file_system_without_locks(
    cli: Cli, made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is on another one, and locked there."""
    real = fcntl.flock
    store = made.path.stat()

    def refuse(descriptor: int, operation: int) -> None:
        if not os.path.samestat(os.fstat(descriptor), store):
            raise OSError(errno.ENOLCK, "no locks available")
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", refuse)
    names = ("--username", "alice", "--org", "acme")
    for words in (
        ("store", "compact", cli.home / "compacted", "--bolt-path", made.path),
        ("store", "salvage", cli.home / "salvaged", "--bolt-path", made.path),
        ("auth", "create-operator", *names, "--output", cli.home / "changed",
         "--token-file", cli.home / "token", "--yes", "--bolt-path", made.path),
        ("setup", *names, "--bucket", "b", "--no-password", "--no-token",
         "--bolt-path", cli.home / "new"),
    ):  # fmt: skip
        done = cli.run_here(*words)
        assert done.code == 0, done.stderr
    assert all((cli.home / name).exists() for name in ("compacted", "salvaged", "changed", "new"))


def test_backup_compresses(cli: Cli, made: MadeStore) -> None:
    assert cli.run("store", "backup", cli.home, "--gzip", "--bolt-path", made.path).code == 0
    (copy,) = cli.home.glob("*T*Z.bolt.gz")
    assert gzip.decompress(copy.read_bytes()) == made.path.read_bytes()


def test_backup_of_a_real_store_reads_the_same_in_go(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    assert cli.run("store", "backup", "copy", "--bolt-path", level21_bolt).code == 0
    assert oracle.check(cli.home / "copy") == []
    assert oracle.dump(cli.home / "copy") == oracle.dump(level21_bolt)


def test_backup_of_a_store_that_a_server_holds(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    with oracle.hold(level21_bolt):
        done = cli.run("store", "backup", "copy", "--bolt-path", level21_bolt)
    assert done.code == 0, done.stderr
    assert "Made without the lock" in done.stdout
    with bolt_store.open(level21_bolt) as db:
        assert oracle.dump(cli.home / "copy") == Dump.of(db)


def test_backup_of_a_store_that_a_server_keeps_writing(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    with oracle.loop(level21_bolt) as stop:
        done = cli.run("store", "backup", "copy", "--bolt-path", level21_bolt, "--json")
        assert stop() > 0
    if done.code == 4:  # so busy a writer may leave no gap; then nothing may be left
        assert not (cli.home / "copy").exists()
        return
    assert done.code == 0, done.stderr
    backup = json.loads(done.stdout)
    assert backup["is_live"]
    assert oracle.check(cli.home / "copy") == []
    with bolt_store.open(cli.home / "copy") as db:
        assert problems(db) == []
        assert dump_file(db)


def test_backup_replaces_nothing(cli: Cli, made: MadeStore) -> None:
    (cli.home / "copy").write_text("precious")
    done = cli.run("store", "backup", "copy", "--bolt-path", made.path)
    assert done.code == 7
    assert "copy" in done.error
    assert (cli.home / "copy").read_text() == "precious"


def test_backup_without_a_store_is_refused(cli: Cli) -> None:
    done = cli.run("store", "backup", "--bolt-path", "nowhere.bolt")
    assert done.code == 3
    assert "nowhere.bolt" in done.error


def test_a_copy_that_is_named_as_compressed_is_compressed(cli: Cli, level21_bolt: Path) -> None:
    done = cli.run("store", "backup", "copy.gz", "--bolt-path", level21_bolt, "--json")
    assert json.loads(done.stdout)["is_compressed"]
