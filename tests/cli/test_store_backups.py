"""The copies beside a store, as a person or a script sees them."""

import json
import re
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest

from recovery.errors import ExitCode
from tests.support.locks import locked
from tests.support.run_cli import Cli
from tests.support.stores import edit, make_store


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
    assert f"\ncp -p {made.path} {made.path}.damaged\n" in shown.stdout
    assert f"\ncp {upgrade} {made.path}\n" in shown.stdout
    assert f"others than its owner can use {upgrade}" in shown.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_store_without_copies(cli: Cli, tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    assert "0 copies, 0 bytes" in cli.run("store", "backups", "--bolt-path", made.path).stdout


def test_a_store_whose_migrations_are_no_good_leads_to_its_copies(cli: Cli, tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    store = ("--bolt-path", made.path)
    assert cli.run("auth", "set-inactive", made.reader, *store, "--yes").code == 0
    edit(made.path, lambda tx: tx.table("migrationsv1").put(b"0000000000000015", b'{"id":5}'))
    for words in (("store", "repair"), ("store", "undo"), ("store", "backups", "prune")):
        refused = cli.run(*words, *store, "--yes")
        assert refused.code == ExitCode.SCHEMA
        assert "record 0000000000000015 in migrationsv1 that cannot be understood" in refused.stderr
        assert "influx-recovery store backups" in refused.stderr
    assert "1 copy" in cli.run("store", "backups", *store).stdout
    salvaged = cli.run("store", "salvage", *store, "--output", tmp_path / "new.bolt")
    assert "start it once" not in salvaged.stdout
    assert "take another state of the file, or a backup" in salvaged.stdout


@pytest.mark.parametrize("harm", ["damaged", "zeros", "empty", "gone", "in use"])
def test_copies_are_listed_also_where_the_store_cannot_be_opened(
    cli: Cli, store: Path, harm: str
) -> None:
    content = store.read_bytes()
    harmed = {"damaged": content[:8192] + b"\xff" * (len(content) - 8192), "empty": b""}
    if harm == "gone":
        store.unlink()
    elif harm != "in use":
        store.write_bytes(harmed.get(harm, bytes(len(content))))
    where = ("--bolt-path", store)
    with locked(store, exclusive=True) if harm == "in use" else nullcontext():
        done = cli.run_here("store", "backups", *where)
        pruned = cli.run_here("store", "backups", "prune", *where, "--yes")
        told = cli.run_here("store", "backups", *where, "--json")
    assert done.code == 0, done.stderr
    assert "4 copies" in done.stdout
    assert pruned.code not in {0, 70}
    assert told.code == pruned.code
    copies = [Path(one) for one in json.loads(told.stdout)["error"]["copies"]]
    assert {one.name for one in copies} == {one.name for one in store.parent.glob("*.b*.*backup")}
    assert "store backups" not in told.hint
    assert left(store) == {"auth-set-inactive", "auth-delete", "store-undo", "1-upgrade"}
    assert ("Then put the copy in its place" in done.stdout) is (harm != "in use")
    assert (f"cp -p {store} {store}.damaged\n" in done.stdout) is (harm not in {"gone", "in use"})
    store.with_name(f"{store.name}.damaged").touch()  # that of the last time is not overwritten
    again = cli.run("store", "backups", "--bolt-path", store).stdout
    assert f"{store} {store}.damaged\n" not in again
    if harm == "in use":
        return
    refused = cli.run_here("auth", "list", *where)
    assert f"store backups --bolt-path {store} " in refused.hint
    for line in done.stdout.splitlines():
        if line.startswith("cp "):
            subprocess.run(line.split(), check=True)
    assert cli.run_here("auth", "list", *where).code == 0


def test_where_neither_store_nor_copies_are_it_does_not_lead_to_itself(
    cli: Cli, tmp_path: Path
) -> None:
    path = tmp_path / "influxd.bolt"
    path.write_bytes(bytes(65536))
    done = cli.run_here("store", "backups", "--bolt-path", path)
    assert done.code == ExitCode.DAMAGED
    assert done.hint.startswith("look where backups of this machine are kept, because no copy lies")


@pytest.fixture
def store(cli: Cli, tmp_path: Path) -> Path:
    """A store with a copy of the first change, which stands, of one taken back, and of influxd."""
    made = make_store(tmp_path / "influxd.bolt", level=21)
    for words in (
        ("auth", "set-inactive", made.reader),
        ("auth", "delete", made.hashed),
        ("store", "undo"),
    ):
        assert cli.run_here(*words, "--bolt-path", made.path, "--yes").code == 0
    upgrade = tmp_path / "influxd.bolt.pre-2.9.1-upgrade.backup"
    upgrade.write_bytes(made.path.read_bytes())
    upgrade.chmod(0o600)
    return made.path


def left(store: Path) -> set[str]:
    return {path.name.split(".")[-2] for path in store.parent.glob("influxd.bolt.*.backup")}


def test_pruning_keeps_what_undo_needs_and_what_influxd_left(cli: Cli, store: Path) -> None:
    done = cli.run_here("store", "backups", "prune", "--bolt-path", store, "--yes")
    assert done.code == 0, done.stderr
    assert left(store) == {"auth-set-inactive", "1-upgrade"}
    assert "2 copies removed" in done.stdout
    assert "auth-delete.backup" in done.stderr
    again = cli.run_here("store", "backups", "prune", "--bolt-path", store, "--yes")
    assert "store undo needs what is there; --give-up-undo lets it go" in again.stdout
    assert cli.run_here("store", "undo", "--bolt-path", store, "--yes").code == 0


def test_all_can_be_removed_when_that_is_said(cli: Cli, store: Path) -> None:
    words = ("store", "backups", "prune", "--give-up-undo", "--also-influxd", "--json", "--yes")
    document = json.loads(cli.run_here(*words, "--bolt-path", store).stdout)
    assert len(document["removed_paths"]) == 4
    assert (document["is_dry_run"], document["is_changed"]) == (False, False)
    assert left(store) == set()
    listed = cli.run_here("ledger", "list")
    assert "store backups prune" in listed.stdout
    assert cli.run_here("store", "undo", "--bolt-path", store, "--yes").code == 7


def test_a_dry_run_removes_nothing(cli: Cli, store: Path) -> None:
    before = left(store)
    done = cli.run_here("store", "backups", "prune", "--dry-run", "--bolt-path", store)
    assert "remove" in done.stdout
    assert left(store) == before


@pytest.mark.parametrize(
    ("words", "stays"),
    [
        (("--keep", "1"), {"auth-set-inactive", "store-undo", "1-upgrade"}),
        (("--keep", "9"), {"auth-set-inactive", "auth-delete", "store-undo", "1-upgrade"}),
        (("--older-than", "1h"), {"auth-set-inactive", "auth-delete", "store-undo", "1-upgrade"}),
        (("--keep", "1", "--give-up-undo"), {"store-undo", "1-upgrade"}),
    ],
)
def test_the_newest_and_the_young_stay(
    cli: Cli, store: Path, words: tuple[str, ...], stays: set[str]
) -> None:
    assert (
        cli.run_here("store", "backups", "prune", *words, "--bolt-path", store, "--yes").code == 0
    )
    assert left(store) == stays


def test_without_the_ledger_all_copies_of_this_tool_stay(cli: Cli, store: Path) -> None:
    """They are all that undo has then."""
    before = left(store)
    cli.ledger.unlink()
    assert cli.run_here("store", "backups", "prune", "--bolt-path", store, "--yes").code == 0
    assert left(store) == before


@pytest.mark.parametrize(
    "words",
    [("--keep", "1"), ("list", "--yes"), ("prune", "--keep", "-1"), ("prune", "--older-than", "x")],
)
def test_options_that_make_no_sense_are_refused(
    cli: Cli, store: Path, words: tuple[str, ...]
) -> None:
    before = left(store)
    assert cli.run_here("store", "backups", *words, "--bolt-path", store).code == 2
    assert left(store) == before


def test_nothing_is_removed_without_a_yes(cli: Cli, store: Path) -> None:
    before = left(store)
    refused = cli.run("store", "backups", "prune", "--bolt-path", store)
    assert (refused.code, "add --yes" in refused.hint) == (7, True)
    assert left(store) == before
    with cli.at_terminal("store", "backups", "prune", "--bolt-path", store) as terminal:
        terminal.wait_for("Type yes")
        terminal.type("no\n")
        assert terminal.end().code == 7
    assert left(store) == before


def test_the_end_of_a_rotation_offers_it_and_that_works(cli: Cli, store: Path) -> None:
    token = cli.home / "tokens.csv"
    words = ("auth", "rotate", "--all", "--token-file", token, "--bolt-path", store, "--yes")
    done = cli.run_here(*words)
    text = " ".join(done.stdout.split())
    offered = re.search(r"influx-recovery (store backups prune .*?) To see", text)
    assert offered is not None, text
    assert cli.run_here(*offered[1].split(), "--yes").code == 0
    assert left(store) == {"1-upgrade"}


def test_a_copy_that_cannot_be_removed_is_told(
    cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise OSError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    refused = cli.run_here("store", "backups", "prune", "--bolt-path", store, "--yes")
    assert refused.code == 7
    assert "cannot be removed (Operation not permitted), 0 others were" in refused.error
