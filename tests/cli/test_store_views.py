"""Looking at stores as a whole, with the real program."""

import gzip
import json
from pathlib import Path

import pytest

from recovery.discovery.host import Host
from tests.support.engine_files import write_engine
from tests.support.full_store import change as change_record
from tests.support.full_store import remove_table
from tests.support.oracle import Oracle
from tests.support.run_cli import Cli
from tests.support.stores import MadeStore, edit, make_store


def test_info_says_what_a_store_is(cli: Cli, made: MadeStore) -> None:
    done = cli.run("store", "info", "--bolt-path", made.path)
    assert (done.code, done.stderr) == (0, "")
    for expected in (
        "Level: 21, last opened by InfluxDB 2.8 to 2.9",
        "Tokens: 3 raw, 1 sha256",
        f"not alice ({made.alice}): it has no password",
        f'{made.old_operator} "alice\'s old Token", user alice, partial, lacks read:notebooks',
        "Sessions are not in the store",
        "nothing about this store",
    ):
        assert expected in done.stdout
    assert not cli.ledger.exists()


def test_info_tells_a_program_the_same(cli: Cli, level17_bolt: Path) -> None:
    document = json.loads(cli.run("store", "info", "--json", "--bolt-path", level17_bolt).stdout)
    assert (document["version"], document["store"]["level"], document["sql_level"]) == (1, 17, None)
    assert [user["can_sign_in"] for user in document["users"]] == [True]
    assert document["contents"]["token_forms"] == {"raw": 2}


def test_info_reads_a_packed_store(cli: Cli, made: MadeStore) -> None:
    packed = made.path.with_name("20260102T030405Z.bolt.gz")
    packed.write_bytes(gzip.compress(made.path.read_bytes()))
    plain, unpacked = (
        json.loads(cli.run("store", "info", "--json", "--bolt-path", path).stdout)
        for path in (made.path, packed)
    )
    assert plain["contents"] == unpacked["contents"]


def test_info_shows_what_was_done_last(cli: Cli, made: MadeStore) -> None:
    words = ("auth", "set-inactive", made.reader, "--yes", "--bolt-path", made.path)
    assert cli.run(*words).code == 0
    done = cli.run("store", "info", "--bolt-path", made.path)
    assert "auth set-inactive: done" in done.stdout


def test_find_lists_what_is_named_with_what_is_in_it(cli: Cli, made: MadeStore) -> None:
    done = cli.run("store", "find", "--json", "--bolt-path", made.path)
    (first,) = (one for one in json.loads(done.stdout)["stores"] if one["path"] == str(made.path))
    assert done.code == 0
    assert (first["path"], first["level"], first["problem"]) == (str(made.path), 21, None)
    assert first["contents"]["user_count"] == 2
    assert first["lock_holders"] == []


def test_find_lists_the_home_folder(cli: Cli) -> None:
    folder = cli.home / ".influxdbv2"
    folder.mkdir()
    made = make_store(folder / "influxd.bolt", level=20)
    done = cli.run("store", "find")
    assert done.code == 0
    assert f"{made.path}\n" in done.stdout
    assert "Level      20, InfluxDB 2.3 to 2.7" in done.stdout
    assert "2 organizations, 2 users, " in done.stdout


@pytest.fixture
def bare_machine(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is there but a home folder: no server that runs here, nor what belongs to one."""
    machine = Host(
        environment={}, working_folder=cli.home, homes=(cli.home,), root=tmp_path / "root"
    )
    monkeypatch.setattr(Host, "here", lambda _: machine)


@pytest.mark.usefixtures("bare_machine")
def test_find_says_how_a_lost_store_is_made_again_from_its_data(cli: Cli) -> None:
    folder = cli.home / ".influxdbv2"
    write_engine(folder / "engine")
    rebuild = f"store rebuild {folder}/influxd.bolt --engine-path {folder}/engine"
    done = cli.run("store", "find")
    assert done.code == 3
    assert f"  Next       type influx-recovery {rebuild} to make a new one" in done.stdout
    assert cli.run(*rebuild.split(), "--dry-run").code == 0


def test_find_names_a_server_that_holds_the_lock(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    with oracle.hold(level21_bolt) as pid:
        done = cli.run("store", "find", "--json", "--bolt-path", level21_bolt)
    first, *_ = json.loads(done.stdout)["stores"]
    assert [holder["pid"] for holder in first["lock_holders"]] == [pid]
    assert first["problem"] is None
    assert first["contents"]["user_count"] == 1
    assert first["level"] == 21


@pytest.mark.damages
def test_a_torn_newest_meta_is_told_by_everything_that_reads(cli: Cli, level21_bolt: Path) -> None:
    """What was done last is missing then, and every command reads the state before it."""
    content = bytearray(level21_bolt.read_bytes())
    newest = max((0, 4096), key=lambda at: int.from_bytes(content[at + 64 : at + 72], "little"))
    content[newest + 72] ^= 1
    level21_bolt.write_bytes(content)
    for words in (("store", "info"), ("auth", "list"), ("user", "list", "--json")):
        done = cli.run(*words, "--bolt-path", level21_bolt)
        assert done.code == 0
        assert "one of the two metas of this file is damaged" in done.stderr
        assert f"store salvage TARGET --bolt-path {level21_bolt}" in done.stderr
        if "--json" in words:
            assert json.loads(done.stdout)["store"]["has_torn_meta"] is True
        if "info" in words:
            assert "the only one that is left" in done.stdout


@pytest.mark.parametrize("bucket", ["usersv1", "organizationsv1", "authorizationsv1", "bucketsv1"])
def test_what_cannot_be_listed_because_its_bucket_is_missing_is_told(
    cli: Cli, made: MadeStore, bucket: str
) -> None:
    """A half of a root still reads, and is no store without users."""
    remove_table(made.path, bucket)
    for words in (("auth", "list"), ("user", "list"), ("org", "list", "--json"), ("store", "info")):
        done = cli.run(*words, "--bolt-path", made.path)
        assert f"not everything could be read: the bolt bucket {bucket}" in done.stderr
        assert f"store check --bolt-path {made.path}" in done.stderr
        assert "To make one that can be used" not in done.stderr
        if "--json" in words:
            assert json.loads(done.stdout)["store"]["missing_buckets"] == [bucket]


def test_nothing_is_said_to_be_missing_from_a_whole_store(
    cli: Cli, level17_bolt: Path, made: MadeStore
) -> None:
    for path in (level17_bolt, made.path):
        assert cli.run("store", "info", "--bolt-path", path).stderr == ""


def test_a_name_that_cannot_be_typed_is_shown_with_its_id(cli: Cli, made: MadeStore) -> None:
    edit(made.path, lambda tx: change_record(tx, "usersv1", made.alice, name="al\u200bice"))
    done = cli.run("user", "show", "--username", "alice", "--bolt-path", made.path)
    assert done.code == 3
    assert f"al\\u200bice ({made.alice})" in done.error
    assert done.hint == "name one of these in the same letters, or by its ID, with --username NAME"
    assert cli.run("user", "show", "--username", made.alice, "--bolt-path", made.path).code == 0
