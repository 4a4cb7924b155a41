"""Reading a store that a server holds, with the Go peer in the place of the server."""

import fcntl
import json
from pathlib import Path

import pytest

from recovery.cli.options import Reading
from recovery.cli.vocabulary import COMMANDS, load
from recovery.errors import ExitCode
from tests.support.every_command import command_lines
from tests.support.locks import locked
from tests.support.oracle import Oracle
from tests.support.run_cli import Cli
from tests.support.stores import OPERATOR_TOKEN, make_store

READING = [words for words in COMMANDS if issubclass(load(words).options, Reading)]


def test_a_held_store_is_refused_and_the_refusal_names_the_way(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    with oracle.hold(level21_bolt):
        done = cli.run("auth", "list", "--bolt-path", level21_bolt)
    assert done.code == ExitCode.BUSY
    assert "read a snapshot of it while it is in use with --live" in done.hint


def test_a_change_of_a_held_store_is_not_offered_a_snapshot(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    with oracle.hold(level21_bolt):
        done = cli.run("org", "create", "--org", "n", "--bolt-path", level21_bolt, "--yes")
    assert "live" not in done.hint


def test_a_snapshot_reads_the_same_and_says_that_it_is_one(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    quiet = json.loads(cli.run("auth", "list", "--bolt-path", level21_bolt, "--json").stdout)
    content = level21_bolt.read_bytes()
    with oracle.hold(level21_bolt):
        done = cli.run("auth", "list", "--bolt-path", level21_bolt, "--json", "--live")
    assert done.code == 0, done.stderr
    live = json.loads(done.stdout)
    assert live["authorizations"] == quiet["authorizations"]
    assert (quiet["store"].pop("is_live"), live["store"].pop("is_live")) == (False, True)
    assert live["store"] == quiet["store"]
    assert "note: this is a snapshot of" in done.stderr
    assert level21_bolt.read_bytes() == content
    assert list(level21_bolt.parent.glob("*.bolt*")) == [level21_bolt]


def test_a_store_that_is_being_written_reads_the_same_each_time(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    """The peer commits all the time, and each commit uses pages that were just freed."""
    words = ("auth", "list", "--bolt-path", level21_bolt, "--json")
    quiet = json.loads(cli.run_here(*words).stdout)
    txids = []
    with oracle.loop(level21_bolt) as stop:
        for _ in range(6):
            done = cli.run_here(*words, "--live")
            assert done.code == 0, done.stderr
            live = json.loads(done.stdout)
            assert live["authorizations"] == quiet["authorizations"]
            txids.append(live["store"]["txid"])
        checked = cli.run_here("store", "check", "--live", "--json", "--bolt-path", level21_bolt)
        assert json.loads(checked.stdout)["findings"] == []
        commits = stop()
    assert txids == sorted(txids)
    assert quiet["store"]["txid"] < txids[0] < txids[-1] <= quiet["store"]["txid"] + commits + 1
    assert list(level21_bolt.parent.glob("*.bolt*")) == [level21_bolt]


@pytest.mark.parametrize("words", READING)
def test_every_reading_command_reads_a_held_store(cli: Cli, tmp_path: Path, words: str) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    (cli.home / "operator").write_text(OPERATOR_TOKEN)
    (cli.home / "password").write_text("no user has this one")
    line = command_lines(made, cli.home)[words][0]
    with locked(made.path, exclusive=True):
        done = cli.run(*line, "--live")
    assert "note: this is a snapshot of" in done.stderr
    assert done.stdout
    if words != "user verify-password":
        assert done.code in {ExitCode.DONE, ExitCode.FINDINGS}, done.stderr


def test_all_commands_that_list_or_show_records_have_it() -> None:
    records = {"auth", "user", "org", "bucket", "v1-auth"}
    verbs = {"list", "show", "verify", "verify-password", "export"}
    wanted = {w for w in COMMANDS if w.split()[0] in records and w.split()[-1] in verbs}
    assert wanted | {
        "store backups",
        "store check",
        "store info",
        "store export",
        "store report",
        "store diff",
    } == set(READING)


@pytest.mark.pty
@pytest.mark.parametrize("words", ["auth verify", "user verify-password --username alice"])
def test_nobody_is_kept_out_while_somebody_types_a_secret(
    cli: Cli, tmp_path: Path, words: str
) -> None:
    """A server that is started meanwhile would wait for the lock."""
    store = make_store(tmp_path / "influxd.bolt", level=21).path
    with cli.at_terminal(*words.split(), "--bolt-path", store) as terminal:
        terminal.wait_for(": ")
        with store.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        terminal.type("none of them\n")
        assert terminal.end().code == ExitCode.REFUSED


@pytest.mark.damages
@pytest.mark.parametrize("words", ["auth list --live", "store backup copy --live"])
def test_a_damaged_store_that_nobody_writes_is_not_said_to_be_in_use(
    cli: Cli, level21_bolt: Path, words: str
) -> None:
    content = level21_bolt.read_bytes()
    level21_bolt.write_bytes(content[: len(content) // 2])
    done = cli.run(*words.split(), "--bolt-path", level21_bolt)
    assert done.code == ExitCode.DAMAGED
    assert "store salvage" in done.hint
    with locked(level21_bolt, exclusive=True):
        held = cli.run(*words.split(), "--bolt-path", level21_bolt)
    assert held.code == ExitCode.BUSY
