"""auth undelete, user undelete and v1-auth undelete, with the real program."""

import json
import shlex
from pathlib import Path

import pytest

from tests.support.run_cli import Cli
from tests.support.stores import HASHED_TOKEN, OPERATOR_TOKEN, MadeStore, all_keys, make_store


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    """A store of level 21, in a folder of its own."""
    folder = tmp_path / "store"
    folder.mkdir()
    return make_store(folder / "influxd.bolt", level=21)


def words(hinted: str) -> list[str]:
    """The words behind the program's name in a line that was shown."""
    return shlex.split(hinted[hinted.index("influx-recovery") :])[1:]


def test_the_end_of_a_deletion_names_the_way_back_and_it_works(cli: Cli, made: MadeStore) -> None:
    before = all_keys(made.path)
    done = cli.run_here("auth", "delete", made.operator, "--yes", "--bolt-path", made.path)
    (line,) = [line for line in done.stdout.splitlines() if "auth undelete" in line]
    again = cli.run_here(*words(done.stdout[done.stdout.index(line) :].replace("\n", " ")), "--yes")
    assert again.code == 0, again.stderr
    assert all_keys(made.path) == before


def test_the_end_of_a_user_s_deletion_names_the_way_back(cli: Cli, made: MadeStore) -> None:
    done = cli.run_here(
        "user", "delete", "--username", "bob", "--with-tokens", "--yes", "--bolt-path", made.path
    )
    hinted = " ".join(done.stdout[done.stdout.index("influx-recovery user undelete") :].split())
    again = cli.run_here(*words(hinted), "--yes")
    assert again.code == 0, again.stderr
    shown = cli.run_here("user", "show", "--username", "bob", "--json", "--bolt-path", made.path)
    assert json.loads(shown.stdout)["user"]["id"] == made.bob


def test_the_end_of_a_1x_login_s_deletion_names_the_way_back(cli: Cli, made: MadeStore) -> None:
    store = ("--bolt-path", made.path)
    before = all_keys(made.path)
    done = cli.run_here("v1-auth", "delete", "grafana", "--yes", *store)
    hinted = " ".join(done.stdout[done.stdout.index("influx-recovery v1-auth undel") :].split())
    listed = cli.run_here("v1-auth", "undelete", *store)
    assert f"{made.legacy}  grafana" in listed.stdout
    assert "grafana went with v1-auth delete of " in listed.stderr
    again = cli.run_here(*words(hinted), "--yes")
    assert again.code == 0, again.stderr
    assert all_keys(made.path) == before


def test_without_an_id_it_lists_and_changes_nothing(cli: Cli, made: MadeStore) -> None:
    store = ("--bolt-path", made.path)
    cli.run_here("auth", "delete", made.operator, "--yes", *store)
    before = made.path.read_bytes()
    table = cli.run_here("auth", "undelete", *store)
    assert f"{made.operator}  alice" in table.stdout
    assert f"{made.operator} went with auth delete of " in table.stderr
    document = json.loads(cli.run_here("auth", "undelete", "--json", *store).stdout)
    assert (document["is_changed"], document["is_dry_run"]) == (False, True)
    (row,) = document["deleted"]
    assert (row["id"], row["because"], row["place"]) == (made.operator, None, "older snapshot")
    assert made.path.read_bytes() == before
    for text in (table.stdout, table.stderr, json.dumps(document)):
        assert OPERATOR_TOKEN not in text


def test_what_was_deleted_long_ago_is_found_in_a_backup(cli: Cli, made: MadeStore) -> None:
    store = ("--bolt-path", made.path)
    cli.run_here("auth", "delete", made.hashed, "--yes", *store)
    backup = next(made.path.parent.glob("*.auth-delete.backup"))
    compacted = made.path.with_name("compact.bolt")
    cli.run_here("store", "compact", compacted, *store)
    compacted.replace(made.path)
    document = json.loads(cli.run_here("auth", "undelete", "--json", *store).stdout)
    (row,) = document["deleted"]
    assert (row["place"], row["source_path"]) == ("copy", str(backup))
    moved = cli.home / "elsewhere.bolt"
    backup.replace(moved)
    nothing = cli.run_here("auth", "undelete", *store).stderr
    assert "0 deleted authorizations found." in nothing
    assert "name it with --from FILE" in nothing
    done = cli.run_here("auth", "undelete", made.hashed, "--from", moved, "--yes", *store)
    assert done.code == 0, done.stderr
    token = cli.home / "token"
    token.write_text(HASHED_TOKEN)
    assert cli.run_here("auth", "verify", "--token-file", token, *store).code == 0


def test_it_refuses_in_a_sentence_with_a_way_out(cli: Cli, made: MadeStore) -> None:
    store = ("--bolt-path", made.path)
    cli.run_here("user", "delete", "--username", "bob", "--with-tokens", "--yes", *store)
    refused = cli.run_here("auth", "undelete", made.reader, "--yes", *store)
    assert (refused.code, refused.stdout) == (7, "")
    assert "its user bob" in refused.error
    assert "nothing was changed" in refused.error
    listed = cli.run_here("auth", "undelete", *store)
    way = f"user undelete --bolt-path {made.path} --ledger {cli.ledger} --with-tokens"
    assert f"To bring a user back: influx-recovery {way}" in listed.stderr
    assert cli.run_here(*words(refused.hint.split(" to bring")[0]), "--yes").code == 0
    assert cli.run_here("auth", "undelete", made.reader, "--yes", *store).code == 0


def test_a_copy_that_is_no_store_is_refused_when_named(cli: Cli, made: MadeStore) -> None:
    junk = cli.home / "junk"
    junk.write_bytes(b"junk" * 4000)
    refused = cli.run_here("auth", "undelete", "--from", junk, "--bolt-path", made.path)
    assert refused.code == 5
    assert str(junk) in refused.error


@pytest.mark.parametrize("columns", [40, 80, 132])
def test_the_listing_fits_a_terminal(cli: Cli, made: MadeStore, columns: int) -> None:
    store = ("--bolt-path", made.path)
    cli.run_here("auth", "delete", made.operator, "--yes", *store)
    with cli.at_terminal("auth", "undelete", *store, columns=columns) as terminal:
        ended = terminal.end()
    assert ended.code == 0
    assert max(len(line) for line in ended.stdout.splitlines() if made.operator in line) <= columns
