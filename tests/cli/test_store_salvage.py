"""Packed and salvaged copies, with the real program."""

import json
import shlex
from pathlib import Path

import pytest

import bolt_store
from tests.support.hints import complaint
from tests.support.large_store import make_large_store
from tests.support.oracle import Oracle
from tests.support.run_cli import Cli


def test_compact_says_what_it_made(cli: Cli, level21_bolt: Path, oracle: Oracle) -> None:
    done = cli.run("store", "compact", "new.bolt", "--bolt-path", level21_bolt)
    assert (done.code, done.stderr) == (0, "")
    assert "Verdict: influxd will start; store check says: nothing wrong" in done.stdout
    assert oracle.check(cli.home / "new.bolt") == []
    assert oracle.dump(cli.home / "new.bolt") == oracle.dump(level21_bolt)


def test_compact_tells_a_program_the_same(cli: Cli, level17_bolt: Path) -> None:
    done = cli.run("store", "compact", "new.bolt", "--json", "--bolt-path", level17_bolt)
    document = json.loads(done.stdout)
    assert (document["version"], document["verdict"]["finding_count"]) == (1, 0)
    assert document["target_path"] == str(cli.home / "new.bolt")
    assert document["size_bytes"] == (cli.home / "new.bolt").stat().st_size


def test_salvage_of_a_sound_store_ends_with_0(cli: Cli, level21_bolt: Path, oracle: Oracle) -> None:
    done = cli.run("store", "salvage", "new.bolt", "--bolt-path", level21_bolt)
    assert (done.code, done.stderr) == (0, "")
    assert "method: clean snapshot" in done.stdout
    assert oracle.dump(cli.home / "new.bolt") == oracle.dump(level21_bolt)


@pytest.mark.damages
def test_salvage_without_metas_finds_the_store_again(
    cli: Cli, level21_bolt: Path, oracle: Oracle
) -> None:
    before = oracle.dump(level21_bolt)
    data = level21_bolt.read_bytes()
    level21_bolt.write_bytes(bytes(8192) + data[8192:])
    done = cli.run("store", "salvage", "new.bolt", "--json", "--bolt-path", level21_bolt)
    document = json.loads(done.stdout)
    assert done.code in {0, 1}
    assert document["method"] == "found snapshot"
    assert oracle.dump(cli.home / "new.bolt") == before


@pytest.mark.damages
def test_what_salvage_tells_to_type_can_be_typed_and_works(cli: Cli, level21_bolt: Path) -> None:
    """The newest state is without users; the one before it has lost its meta's checksum."""
    with bolt_store.open(level21_bolt, write=True) as db:
        with db.update() as tx:
            for name in (b"usersv1", b"organizationsv1"):
                bucket = tx.bucket(name)
                for key, _ in list(bucket.items()):
                    bucket.delete(key)
            tx.delete_bucket(b"tasksv1")
        slot, size = db.pager.active.slot, db.meta.page_size_bytes
    data = bytearray(level21_bolt.read_bytes())
    older = (1 - slot) * size
    data[older : older + size] = bytes(size)
    level21_bolt.write_bytes(data)
    done = cli.run("store", "salvage", "new.bolt", "--bolt-path", level21_bolt)
    lines = [line for line in done.stdout.splitlines() if line.startswith("  influx-recovery ")]
    assert [complaint(line.strip(), "store salvage") for line in lines] == [None] * len(lines)
    assert "may be back" in done.stdout
    [other] = [line for line in lines if "--root-page" in line]
    again = cli.run(*shlex.split(other)[1:])
    assert again.code in {0, 1}, again.stderr
    assert "because it was asked for" in again.stdout
    assert (cli.home / "new.bolt").exists()


@pytest.mark.damages
@pytest.mark.parametrize("lost", ["all", "first", "bucket"])
def test_no_change_is_proposed_that_would_be_refused(
    cli: Cli, level21_bolt: Path, lost: str
) -> None:
    with bolt_store.open(level21_bolt, write=True) as db, db.update() as tx:
        bucket = tx.bucket(b"migrationsv1")
        for key, _ in list(bucket.items())[: 1 if lost == "first" else None]:
            bucket.delete(key)
        tx.delete_bucket(b"tasksv1")
        if lost == "bucket":
            tx.delete_bucket(b"migrationsv1")
    done = cli.run("store", "salvage", "new.bolt", "--bolt-path", level21_bolt)
    lines = [line for line in done.stdout.splitlines() if line.startswith("  influx-recovery ")]
    # The first is written again by a repair, as those behind it tell what it was.
    assert ("list of migrations" in done.stdout) == (lost != "first")
    assert any(" store check " in line for line in lines)
    yes = {line: ["--yes"] if " repair " in line else [] for line in lines}
    assert {cli.run(*shlex.split(line)[1:], *yes[line]).code for line in lines} <= {0, 1}


@pytest.mark.damages
def test_each_thing_is_said_once(cli: Cli, level21_bolt: Path) -> None:
    """Whatever is damaged: no line twice."""
    size = 4096
    content = bytearray(level21_bolt.read_bytes())
    with bolt_store.open(level21_bolt) as db:
        leaves = [
            info.pgid
            for info in bolt_store.page_infos(db)
            if info.kind == "leaf" and info.state == "used" and info.pgid != db.meta.root_pgid
        ]
        root = db.meta.root_pgid
    for pgid in [root, *leaves]:
        content[pgid * size + 8] = 0
    level21_bolt.write_bytes(content)
    done = cli.run("store", "salvage", "new.bolt", "--bolt-path", level21_bolt)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("  - ", "Another"))]
    assert len(lines) == len(set(lines))
    assert "losss" not in done.stdout
    refused = cli.run("auth", "list", "--bolt-path", level21_bolt)
    assert refused.code == 5
    told = [line.removeprefix("found: ") for line in refused.stderr.splitlines()]
    assert not [line for line in told if line in refused.error]
    check = cli.run("store", "check", "--bolt-path", level21_bolt)
    assert "neither in use nor listed as free" in check.stdout
    assert "store compact" not in check.stdout, "it refuses a damaged file"


@pytest.mark.damages
def test_of_many_losses_of_a_kind_ten_are_shown(cli: Cli) -> None:
    path = cli.home / "large.bolt"
    make_large_store(path, count=300, permission_count=1)
    content = bytearray(path.read_bytes())
    with bolt_store.open(path) as db:
        leaves = [info.pgid for info in bolt_store.page_infos(db) if info.kind == "leaf"]
    for pgid in leaves[:15]:
        content[pgid * 4096 : pgid * 4096 + 4096] = bytes(4096)
    path.write_bytes(content)
    done = cli.run("store", "salvage", "new.bolt", "--bolt-path", path)
    assert done.stdout.count(" is lost, and its range of keys [page.unreadable]") == 10
    assert "  - and 5 more of this kind, which --json has [page.unreadable]" in done.stdout
    told = cli.run("store", "salvage", "more.bolt", "--json", "--bolt-path", path).stdout
    assert told.count("[page.unreadable]") == 15


def test_salvage_of_noise_ends_with_5_and_makes_nothing(cli: Cli) -> None:
    (cli.home / "noise.bolt").write_bytes(b"noise" * 20_000)
    done = cli.run("store", "salvage", "new.bolt", "--bolt-path", "noise.bolt")
    assert done.code == 5
    assert "no file was made" in done.stdout
    assert not (cli.home / "new.bolt").exists()


@pytest.mark.parametrize("verb", ["compact", "salvage"])
def test_the_new_file_has_to_be_named_and_new(cli: Cli, level21_bolt: Path, verb: str) -> None:
    assert cli.run("store", verb, "--bolt-path", level21_bolt).code == 2
    done = cli.run("store", verb, level21_bolt, "--bolt-path", level21_bolt)
    assert done.code == 7
    assert str(level21_bolt) in done.error


@pytest.mark.parametrize("option", ["--page-size", "--root-page"])
def test_numbers_that_make_no_sense_are_refused(cli: Cli, level21_bolt: Path, option: str) -> None:
    done = cli.run("store", "salvage", "new.bolt", option, "-7", "--bolt-path", level21_bolt)
    assert done.code not in {0, 70}, done.stderr
    assert not (cli.home / "new.bolt").exists()


@pytest.mark.damages
def test_what_is_left_aside_comes_back_by_the_command_that_is_told(
    cli: Cli, level21_bolt: Path
) -> None:
    """The reference to the tokens, and every freelist, are lost."""
    data = bytearray(level21_bolt.read_bytes())
    with bolt_store.open(level21_bolt) as db:
        size = db.meta.page_size_bytes
        root = next(
            one.root_pgid for one in bolt_store.bucket_tree(db) if one.name == b"authorizationsv1"
        )
    reference = b"authorizationsv1" + root.to_bytes(8, "little")
    data = data.replace(reference, reference[:16] + b"\xff" * 8)
    for pgid in range(2, len(data) // size):
        if data[pgid * size + 8] == 16:
            data[pgid * size : (pgid + 1) * size] = bytes(size)
    level21_bolt.write_bytes(data)
    done = cli.run("store", "salvage", "new.bolt", "--bolt-path", level21_bolt)
    [line] = [line for line in done.stdout.splitlines() if "--put-back lost" in line]
    again = cli.run(*shlex.split(line)[1:])
    assert again.code == 1
    assert "Put back: " in again.stdout
    target = shlex.split(line)[3]
    assert cli.run("store", "check", "--bolt-path", target).code == 0
    document = json.loads(
        cli.run(*shlex.split(line)[1:3], "third", *shlex.split(line)[4:], "--json").stdout
    )
    assert document["is_newest"] is True
    assert document["put_back_counts"]["authorization"] > 0


def test_a_file_of_another_program_is_no_store_to_go_on_with(cli: Cli, tmp_path: Path) -> None:
    """It is copied, as any bolt file, and every command says whose it is."""
    path = tmp_path / "portainer.db"
    with bolt_store.create(path) as db, db.update() as tx:
        for name in (b"endpoints", b"settings", b"users"):
            tx.create_bucket(name).put(b"key", b"value")
    for words in (("store", "salvage", cli.home / "new"), ("store", "backup", cli.home / "copy")):
        done = cli.run_here(*words, "--bolt-path", path)
        assert done.code == 0
        assert "it looks like a file of Portainer: leave it alone" in done.stdout
        assert "influx-recovery" not in done.stdout


@pytest.mark.parametrize("words", [("store", "backups"), ("ledger", "list")])
def test_a_link_to_itself_is_said_to_be_one(cli: Cli, words: tuple[str, ...]) -> None:
    path = cli.home / "loop"
    path.symlink_to(path)
    assert cli.run_here(*words, "--bolt-path", path).code in {0, 3}
