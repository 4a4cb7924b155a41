"""Reading the ledger, after real changes of a real store."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.support.run_cli import Cli
from tests.support.stores import MadeStore, make_store

Make = Callable[[], object]


def deactivate(cli: Cli, made: MadeStore) -> None:
    words = ("auth", "set-inactive", made.reader, "--bolt-path", made.path, "--yes")
    assert cli.run(*words, "--reason", "ticket 4711").code == 0


def test_a_ledger_that_does_not_exist_is_empty_and_is_not_made(cli: Cli) -> None:
    done = cli.run("ledger", "list")
    assert done.code == 0
    assert len(done.stdout.splitlines()) == 1
    assert f"Ledger: {cli.ledger}" in done.stderr
    assert "There is no ledger at that place yet." in done.stderr
    assert not cli.ledger.exists()


def test_list_shows_what_was_done_and_why(cli: Cli, made: MadeStore) -> None:
    deactivate(cli, made)
    done = cli.run("ledger", "list")
    assert done.code == 0
    assert "auth set-inactive" in done.stdout
    assert "ticket 4711" in done.stdout
    assert "1 operation." in done.stderr


def test_list_tells_a_program_the_same(cli: Cli, made: MadeStore) -> None:
    deactivate(cli, made)
    document = json.loads(cli.run("ledger", "list", "--json").stdout)
    (operation,) = document["operations"]
    assert (1, str(cli.ledger)) == (document["version"], document["ledger_path"])
    assert (operation["operation"], operation["outcome"]) == ("auth set-inactive", "done")
    assert [made.reader] == operation["record_ids"]
    assert operation["txid_after"] == operation["txid_before"] + 1


def test_list_of_one_store_leaves_out_the_others(cli: Cli, made: MadeStore, tmp_path: Path) -> None:
    deactivate(cli, made)
    other = make_store(tmp_path / "other.bolt", level=21)
    counts = [
        len(json.loads(cli.run("ledger", "list", "--bolt-path", path, "--json").stdout)[field])
        for path, field in ((made.path, "operations"), (other.path, "operations"))
    ]
    assert counts == [1, 0]


def test_show_tells_all_about_one_operation(cli: Cli, made: MadeStore) -> None:
    deactivate(cli, made)
    done = cli.run("ledger", "show", "1")
    assert done.code == 0
    assert f"Records       {made.reader}" in done.stdout
    (backup,) = made.path.parent.glob("*.backup")
    assert f"Backup        {backup}" in done.stdout


def test_show_tells_a_program_the_same(cli: Cli, made: MadeStore) -> None:
    deactivate(cli, made)
    listed = json.loads(cli.run("ledger", "list", "--json").stdout)["operations"]
    assert listed == [json.loads(cli.run("ledger", "show", "1", "--json").stdout)["operation"]]


def test_an_operation_that_does_not_exist_is_refused(cli: Cli, made: MadeStore) -> None:
    deactivate(cli, made)
    done = cli.run("ledger", "show", "99")
    assert done.code == 3
    assert "99" in done.error
    assert done.hint == (
        f"type influx-recovery ledger list --ledger {cli.ledger} to see all of them"
    )


@pytest.mark.parametrize("words", [[], ["x"], ["-1"], ["9" * 30]])
def test_what_is_no_number_is_refused(cli: Cli, words: list[str]) -> None:
    assert cli.run("ledger", "show", *words).code == 2


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(cli: Cli) -> None:
    cli.ledger.write_bytes(b"something else, long enough to be looked at" * 30)
    before = cli.ledger.read_bytes()
    done = cli.run("ledger", "list")
    assert done.code != 0
    assert str(cli.ledger) in done.error
    assert before == cli.ledger.read_bytes()


@pytest.mark.parametrize(
    "words", [("ledger", "list"), ("store", "info"), ("store", "undo", "--yes")]
)
def test_an_odd_row_is_told_and_stops_nothing(
    cli: Cli, made: MadeStore, words: tuple[str, ...]
) -> None:
    before = made.path.read_bytes()
    deactivate(cli, made)
    with closing(sqlite3.connect(cli.ledger)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(entries)")][1:]
        values = ["x'1b5b324a'" if name == "host" else name for name in columns]
        connection.execute(
            f"INSERT INTO entries ({', '.join(columns)}) SELECT {', '.join(values)} FROM entries"  # noqa: S608 # names come from the table itself
        )
    done = cli.run(*words, "--bolt-path", made.path)
    assert done.code == 0
    assert "rows 3, 4 cannot be understood" in done.stderr
    if words[1] == "undo":
        assert made.path.read_bytes() == before
    else:
        assert "auth set-inactive" in done.stdout


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "text"])
def test_a_dry_run_refuses_what_is_no_ledger_as_the_real_run_does(
    cli: Cli, made: MadeStore, kind: str
) -> None:
    make: dict[str, Make] = {
        "folder": cli.ledger.mkdir,
        "pipe": partial(os.mkfifo, cli.ledger),
        "link": partial(cli.ledger.symlink_to, "elsewhere"),
        "text": partial(cli.ledger.write_bytes, b"something else" * 99),
    }
    make[kind]()
    before = made.path.read_bytes()
    for how in ("--dry-run", "--yes"):
        done = cli.run("auth", "set-inactive", made.reader, how, "--bolt-path", made.path)
        assert (done.code, f"the ledger {cli.ledger}" in done.error) == (7, True), done.stderr
    assert before == made.path.read_bytes()
