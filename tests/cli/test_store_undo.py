"""Taking back real changes with the real program."""

import json
import os
import shlex
from pathlib import Path

import pytest

from tests.support.backup_folder import write_backup_folder
from tests.support.engine_files import write_engine
from tests.support.every_command import EVERY_COMMAND, command_lines
from tests.support.oracle import Oracle
from tests.support.run_cli import Cli
from tests.support.stores import OPERATOR_TOKEN, MadeStore, make_store

NOT_HERE = {"setup", "store backups", "store undo", "auth import"}
"""Commands that make a store of their own, or need something that another command has made."""


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    folder = tmp_path / "store"
    folder.mkdir()
    return make_store(folder / "influxd.bolt", level=21)


def test_every_change_is_taken_back_byte_for_byte(cli: Cli, made: MadeStore) -> None:
    """All changing commands run one after the other, and are taken back in reverse."""
    (cli.home / "operator").write_text(f"{OPERATOR_TOKEN}\n")
    write_engine(cli.home / "engine")
    write_backup_folder(cli.home / "backup", made.path)
    (cli.home / "password").write_text("a new password\n")
    inode = made.path.stat().st_ino
    states = []
    for words, lines in command_lines(made, cli.home).items():
        for line in lines:
            if "--yes" not in line or words in NOT_HERE or line[:2] != words.split()[:2]:
                continue
            before = made.path.read_bytes()
            done = cli.run(*line)
            if done.code == 0 and made.path.read_bytes() != before:
                states.append((line, before))
            (cli.home / "token").unlink(missing_ok=True)
    assert len(states) > len(EVERY_COMMAND) // 4
    for line, before in reversed(states):
        done = cli.run("store", "undo", "--yes", "--bolt-path", made.path)
        assert done.code == 0, f"{line}\n{done.stderr}"
        assert made.path.read_bytes() == before, line
    assert made.path.stat().st_ino == inode


@pytest.fixture
def changed(cli: Cli, made: MadeStore) -> bytes:
    """Switch a token off; give the store as it was before."""
    before = made.path.read_bytes()
    words = ("auth", "set-inactive", made.reader, "--yes", "--bolt-path", made.path)
    assert cli.run(*words).code == 0
    return before


def test_undo_shows_what_it_takes_back(cli: Cli, made: MadeStore, changed: bytes) -> None:
    done = cli.run("store", "undo", "--dry-run", "--bolt-path", made.path)
    assert (done.code, done.stderr) == (0, "")
    assert 'status: "active" before, "inactive" after' in done.stdout
    assert "Operation 1, auth set-inactive of" in done.stdout
    assert made.path.read_bytes() != changed


def test_undo_tells_a_program_the_same(cli: Cli, made: MadeStore, changed: bytes) -> None:
    done = cli.run("store", "undo", "--yes", "--json", "--bolt-path", made.path)
    document = json.loads(done.stdout)
    assert (document["version"], document["is_changed"], document["is_resumed"]) == (1, True, False)
    assert document["undone"]["operation"] == "auth set-inactive"
    assert [change["id"] for change in document["changes"]] == [made.reader]
    assert made.path.read_bytes() == changed
    assert Path(document["backup_path"]).exists()


@pytest.mark.pty
def test_undo_asks_at_the_terminal(cli: Cli, made: MadeStore, changed: bytes) -> None:
    for answer, is_undone in (("no", False), ("yes", True)):
        with cli.at_terminal("store", "undo", "--bolt-path", made.path) as terminal:
            terminal.wait_for("Type yes to change")
            terminal.type(f"{answer}\n")
            assert (terminal.end().code == 0) is is_undone
        assert (made.path.read_bytes() == changed) is is_undone


@pytest.mark.usefixtures("changed")
def test_undo_without_a_yes_or_a_terminal_is_refused(cli: Cli, made: MadeStore) -> None:
    done = cli.run("store", "undo", "--bolt-path", made.path)
    assert (done.code, done.hint) == (7, "add --yes")


@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_undo_of_nothing_is_refused(cli: Cli, made: MadeStore, yes: tuple[str, ...]) -> None:
    done = cli.run("store", "undo", *yes, "--bolt-path", made.path)
    assert done.code == 7
    assert "nothing was changed" in done.error
    assert "--ledger" in done.hint


def test_a_path_whose_bytes_are_no_text_is_found_again(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"b\xff\xe9d")
    folder.mkdir()
    made = make_store(folder / "influxd.bolt", level=21)
    before = made.path.read_bytes()
    words = ("auth", "set-inactive", made.reader, "--yes", "--bolt-path", made.path)
    assert cli.run(*words).code == 0
    pruned = cli.run("store", "backups", "prune", "--bolt-path", made.path)
    assert (pruned.code, "1 copy stays" in pruned.stderr) == (0, True), pruned.stderr
    done = cli.run("store", "undo", "--yes", "--bolt-path", made.path)
    assert (done.code, made.path.read_bytes() == before) == (0, True), done.stderr


def test_undo_refuses_what_a_server_has_written_since(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    words = ("auth", "delete", "08371deae98c8000", "--yes", "--bolt-path", level21_bolt)
    assert cli.run(*words).code == 0
    with oracle.loop(level21_bolt) as stop:
        assert stop() > 0
    before = level21_bolt.read_bytes()
    done = cli.run("store", "undo", "--yes", "--bolt-path", level21_bolt)
    assert done.code == 7
    assert "written by something else" in done.error
    assert level21_bolt.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "opposite"),
    [
        (("auth", "set-inactive", "{reader}"), "auth set-active {reader}"),
        (("auth", "delete", "{reader}"), "auth undelete {reader}"),
        (("auth", "delete", "{reader}", "{hashed}"), None),
        (("user", "deactivate", "bob"), "user activate --id {bob}"),
        (("org", "create", "third", "--owner", "alice"), "org delete --org"),
        (("bucket", "rename", "sensors", "others"), None),
    ],
)
def test_what_undo_refuses_can_be_taken_back_by_the_opposite(
    cli: Cli, made: MadeStore, change: tuple[str, ...], opposite: str | None
) -> None:
    """And what it tells to type works, and leaves what was written since."""
    ids = {"reader": made.reader, "hashed": made.hashed, "bob": made.bob}
    store = ("--yes", "--bolt-path", made.path)
    words = [word.format(**ids) for word in change]
    assert cli.run_here(*words, *store).code == 0
    elsewhere = ("--ledger", cli.home / "other.sqlite")
    assert cli.run_here("org", "update", "--org", made.org, "-d", "x", *store, *elsewhere).code == 0
    for backup in made.path.parent.glob("*.org-update.backup"):
        backup.unlink()
    done = cli.run_here("store", "undo", *store)
    assert "written by something else" in done.error
    first, _, rest = done.hint.removeprefix("type influx-recovery ").partition(" to ")
    if opposite is None:
        assert first.startswith(("store diff", "auth undelete ID")), done.hint
        return
    assert "store diff" in rest
    wanted = opposite.format(**ids).split()
    assert [word for word in wanted if word not in first.split()] == []
    done = cli.run_here(*shlex.split(first), *store[:1])
    assert done.code == 0, done.stderr


def test_what_undo_leaves_is_sound_to_go(cli: Cli, level21_bolt: Path, oracle: Oracle) -> None:
    dump = oracle.dump(level21_bolt)
    words = ("auth", "delete", "08371deae98c8000", "--yes", "--bolt-path", level21_bolt)
    assert cli.run(*words).code == 0
    assert oracle.dump(level21_bolt) != dump
    assert cli.run("store", "undo", "--yes", "--bolt-path", level21_bolt).code == 0
    assert oracle.check(level21_bolt) == []
    assert oracle.dump(level21_bolt) == dump
