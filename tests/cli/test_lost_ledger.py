"""Undo and the ledger where a container is gone, or has no place of its own."""

import json
import os
import shutil
from pathlib import Path

import pytest

from bolt_store.bridge import apply_bridge
from recovery.metastore.rewind import Rewinder
from recovery.metastore.store import MetaStore
from recovery.services.changes.backup import MARK
from tests.support.run_cli import Cli
from tests.support.served import serving
from tests.support.stores import MadeStore, edit, make_store


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    folder = tmp_path / "store"
    folder.mkdir()
    try:
        os.setxattr(folder, MARK, b"x")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    return make_store(folder / "influxd.bolt", level=21)


def create(cli: Cli, made: MadeStore) -> Path:
    """Make a token in one container; give the backup."""
    before = set(made.path.parent.iterdir())
    words = (
        "auth",
        "create-operator",
        "--bolt-path",
        made.path,
        "--yes",
        "--token-stdout",
        "--username",
        "bob",
        "--org",
        "acme",
    )
    done = cli.run(*words, "--ledger", cli.home / "gone.sqlite", own_ledger=False)
    assert done.code == 0, done.stderr
    (backup,) = set(made.path.parent.iterdir()) - before
    return backup


def undo(cli: Cli, made: MadeStore, *words: object) -> tuple[int, str]:
    done = cli.run("store", "undo", "--yes", "--bolt-path", made.path, *words)
    return done.code, done.stderr


def test_a_backup_is_found_without_the_ledger_and_undo_goes_back_to_it(
    cli: Cli, made: MadeStore
) -> None:
    before = made.path.read_bytes()
    backup = create(cli, made)
    done = cli.run("store", "undo", "--yes", "--bolt-path", made.path)
    assert done.code == 7
    assert f"a backup lies beside it, {backup.name} of 20" in done.error
    assert done.hint.startswith("go back to before auth-create-operator of 20")
    assert f"with --backup {backup}" in done.hint
    assert (
        f"a backup lies beside it, {backup.name}"
        in cli.run("store", "info", "--bolt-path", made.path).stdout
    )
    code, stderr = undo(cli, made, "--backup", backup)
    assert code == 0, stderr
    assert made.path.read_bytes() == before


def test_two_changes_are_taken_back_one_after_the_other(cli: Cli, made: MadeStore) -> None:
    states, backups = [], []
    for _ in range(2):
        states.append(made.path.read_bytes())
        backups.append(create(cli, made))
    assert undo(cli, made, "--backup", backups[0])[0] == 7
    for state, backup in zip(reversed(states), reversed(backups), strict=True):
        assert f"--backup {backup}" in undo(cli, made)[1]
        assert undo(cli, made, "--backup", backup)[0] == 0
        assert made.path.read_bytes() == state


def test_what_the_ledger_knows_goes_on_to_count_when_something_else_was_taken_back(
    cli: Cli, made: MadeStore
) -> None:
    before = made.path.read_bytes()
    words = ("auth", "set-inactive", made.reader, "--bolt-path", made.path, "--yes")
    assert cli.run(*words).code == 0
    assert undo(cli, made, "--backup", create(cli, made))[0] == 0
    assert undo(cli, made)[0] == 0
    assert made.path.read_bytes() == before


def serve_changes(made: MadeStore, count: int) -> Path:
    """Make changes in one session, whose ledger is lost; give its backup."""
    with serving(made.path, ledger=made.path.with_name("gone.sqlite")) as served:
        for number in range(count):
            wanted = {"name": f"organization {number}"}
            reply = served.ask("POST", "/api/v2/orgs", token=served.key, body=wanted)
            assert reply.status == 201
    (backup,) = made.path.parent.glob("*.serve.backup")
    return backup


@pytest.mark.parametrize("when", ["at once", "cut off", "written by something else"])
def test_a_session_of_several_changes_is_taken_back_byte_for_byte(
    cli: Cli, made: MadeStore, when: str
) -> None:
    """Its backup tells which change was its last. What was cut off has the records, elsewhere."""
    before = made.path.read_bytes()
    backup = serve_changes(made, 7)
    if when == "cut off":
        with (
            MetaStore.open(made.path, write=True) as store,
            MetaStore.open(backup, write=False) as source,
        ):
            bridge = Rewinder(store, source, is_over_many=True).rewind.bridge
            assert bridge is not None
            apply_bridge(bridge, store.block_file, source.block_file)
    else:
        assert "go back to before serve of 20" in undo(cli, made)[1]
    if when == "written by something else":
        edit(made.path, lambda tx: tx.table("usersv1").put(b"theirs", b"{}"))
        before = made.path.read_bytes()
    code, stderr = undo(cli, made, "--backup", backup)
    assert (code, "written by something else" in stderr) == ((0, False), (7, True))[
        when == "written by something else"
    ], stderr
    assert made.path.read_bytes() == before


@pytest.mark.parametrize("when", ["after it", "in its place"])
def test_what_something_else_wrote_is_not_taken_back(cli: Cli, made: MadeStore, when: str) -> None:
    """Also when it is the only child of the backup, as after a change that was killed."""
    backup = create(cli, made)
    if when == "in its place":
        shutil.copyfile(backup, made.path)
    edit(made.path, lambda tx: tx.table("usersv1").put(b"theirs", b"{}"))
    content = made.path.read_bytes()
    code, stderr = undo(cli, made, "--backup", backup)
    assert code == 7
    assert "written by something else" in stderr or "is not the store as it was" in stderr
    assert "--backup" not in undo(cli, made)[1].split("hint: ")[1]
    assert made.path.read_bytes() == content


def test_a_backup_without_its_mark_proves_nothing_and_the_way_by_hand_is_told(
    cli: Cli, made: MadeStore
) -> None:
    backup = create(cli, made)
    os.removexattr(backup, MARK)
    content = made.path.read_bytes()
    done = cli.run("store", "undo", "--yes", "--bolt-path", made.path, "--backup", backup)
    assert done.code == 7
    assert "has no mark that proves which change it was made for" in done.error
    assert f"store diff {backup} {made.path}" in done.hint
    assert f"cp {backup} {made.path}" in done.hint
    assert made.path.read_bytes() == content


def test_a_backup_that_is_gone_is_named(cli: Cli, made: MadeStore) -> None:
    backup = create(cli, made)
    backup.unlink()
    code, stderr = undo(cli, made, "--backup", backup)
    assert code == 7
    assert f"the change for which {backup} was made is gone" in stderr


@pytest.mark.parametrize("how", ["--yes", "--dry-run"])
def test_the_ledger_goes_beside_the_store_where_its_place_cannot_be_written(
    cli: Cli, made: MadeStore, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made.path.read_bytes()
    monkeypatch.setattr("recovery.ledger.FOLDER_OF_ROOT", Path("/dev/null/influx-recovery"))
    monkeypatch.setattr(cli, "environ", lambda **_: {"HOME": "/dev/null", "PATH": "/bin"})
    beside = made.path.with_name("influxd.bolt.ledger.sqlite")
    words = ("--bolt-path", made.path)
    done = cli.run_here("auth", "set-inactive", made.reader, how, *words, own_ledger=False)
    assert done.code == 0, done.stderr
    assert f"note: the ledger is {beside}, because /dev/null/" in done.stderr
    assert beside.exists() is (how == "--yes")
    if how == "--yes":
        listed = cli.run_here("ledger", "list", "--json", *words, own_ledger=False)
        assert json.loads(listed.stdout)["ledger_path"] == str(beside)
        assert "auth set-inactive" in cli.run_here("store", "info", *words, own_ledger=False).stdout
        assert cli.run_here("store", "undo", "--yes", *words, own_ledger=False).code == 0
        assert made.path.read_bytes() == before


def test_nothing_is_said_of_a_ledger_by_what_only_reads(
    cli: Cli, made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recovery.ledger.FOLDER_OF_ROOT", Path("/dev/null/influx-recovery"))
    monkeypatch.setattr(cli, "environ", lambda **_: {"HOME": "/dev/null", "PATH": "/bin"})
    for words in (("store", "info"), ("store", "backups"), ("ledger", "list")):
        done = cli.run_here(*words, "--bolt-path", made.path, own_ledger=False)
        assert (done.code, "note:" in done.stderr) == (0, False)
