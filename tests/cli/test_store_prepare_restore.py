"""store prepare-restore, with the real program."""

import gzip
import json
import re
from pathlib import Path

import pytest

from tests.support.backup_folder import write_backup_folder
from tests.support.real_stores import unpack_real_store
from tests.support.run_cli import Cli


@pytest.fixture
def folder(cli: Cli, tmp_path: Path) -> Path:
    """A backup of a server that hashes tokens."""
    store = unpack_real_store("influxd-2.9.1-setup", tmp_path / "influxd.bolt")
    write_backup_folder(cli.home / "backup", store)
    return cli.home / "backup"


def test_info_on_a_backup_says_what_it_needs_and_that_works(cli: Cli, folder: Path) -> None:
    told = cli.run_here("store", "info", "--bolt-path", folder)
    assert "influx restore --full of this backup would fail" in told.stdout
    line = told.stdout.rpartition("influx-recovery ")[2].split()
    done = cli.run_here(*line)
    assert (done.code, done.stderr) == (0, "")
    prepared = folder.with_name("backup.prepared")
    assert f"  influx restore --full --host URL --token TOKEN {prepared}\n" in done.stdout
    again = cli.run_here("store", "info", "--bolt-path", prepared)
    assert "would fail" not in again.stdout


def test_a_program_is_told_the_same(cli: Cli, folder: Path) -> None:
    (file,) = folder.glob("*.bolt.gz")
    document = json.loads(cli.run_here("store", "info", "--json", "--bolt-path", file).stdout)
    assert "only the hash" in document["restore_problem"]
    done = cli.run_here("store", "prepare-restore", folder, cli.home / "copy", "--json")
    document = json.loads(done.stdout)
    assert (document["is_needed"], document["is_changed"]) == (True, False)
    assert document["target_path"] == str(cli.home / "copy")
    restored = cli.home / "restored.bolt"
    (packed,) = (cli.home / "copy").glob("*.bolt.gz")
    restored.write_bytes(gzip.decompress(packed.read_bytes()))
    line = document["after_command"].split()[1:]
    after = cli.run_here(*line, "--bolt-path", restored, "--yes", "--json")
    document = json.loads(after.stdout)
    assert (document["is_changed"], len(document["record_ids"])) == (True, 1)


def test_info_says_what_else_the_client_would_stop_at(cli: Cli, folder: Path) -> None:
    (manifest,) = folder.glob("*.manifest")
    content = json.loads(manifest.read_bytes())
    content["sql"] = {"fileName": "gone.sqlite.gz", "size": 1}
    manifest.write_text(json.dumps(content))
    told = cli.run_here("store", "info", "--bolt-path", folder)
    assert "would fail: the SQLite file is missing from the backup" in told.stdout
    document = json.loads(cli.run_here("store", "info", "--json", "--bolt-path", folder).stdout)
    prepared = cli.run_here("store", "prepare-restore", folder, cli.home / "copy", "--json")
    assert len(document["restore_left_out"]) == 1
    assert document["restore_left_out"] == json.loads(prepared.stdout)["left_out"]
    copy = cli.run_here("store", "info", "--json", "--bolt-path", cli.home / "copy")
    assert json.loads(copy.stdout)["restore_left_out"] == []


def test_no_secret_of_the_copy_is_shown(cli: Cli, folder: Path) -> None:
    done = cli.run_here("store", "prepare-restore", folder, "--log-level", "debug")
    (packed,) = folder.with_name("backup.prepared").glob("*.bolt.gz")
    content = gzip.decompress(packed.read_bytes())
    (token,) = re.findall(rb'"token":"([\w-]{86}==)"', content)
    assert token.decode() not in done.stdout + done.stderr
    assert token not in cli.ledger.read_bytes()


@pytest.mark.parametrize(
    "words", [(), ("--after", "x"), ("x", "--output", "y")], ids=["nothing", "both", "output"]
)
def test_words_that_clash_are_refused(cli: Cli, words: tuple[str, ...]) -> None:
    refused = cli.run_here("store", "prepare-restore", *words)
    assert refused.code == 2
    assert refused.hint
