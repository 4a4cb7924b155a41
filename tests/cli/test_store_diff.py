"""Comparing two stores with the real program."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from tests.support.run_cli import Cli
from tests.support.stores import MadeStore


@pytest.fixture
def changed(cli: Cli, made: MadeStore) -> Path:
    """A copy of the store in which an authorization was switched off."""
    path = made.path.with_name("changed.bolt")
    shutil.copyfile(made.path, path)
    words = ("auth", "set-inactive", made.reader, "--yes", "--bolt-path", path)
    assert cli.run(*words).code == 0
    return path


def test_the_same_content_ends_with_0(cli: Cli, made: MadeStore) -> None:
    done = cli.run("store", "diff", made.path, made.path)
    assert (done.code, done.stderr) == (0, "")
    assert "Both have the same content." in done.stdout


def test_a_difference_ends_with_1_and_is_named(cli: Cli, made: MadeStore, changed: Path) -> None:
    done = cli.run("store", "diff", made.path, changed)
    assert (done.code, done.stderr) == (1, "")
    assert "1 record differs." in done.stdout
    assert f"({made.reader}): " in done.stdout
    assert 'status: "active" before, "inactive" after' in done.stdout


def test_names_are_escaped(cli: Cli, made: MadeStore, changed: Path) -> None:
    assert "\u2028" not in cli.run("store", "diff", made.path, changed).stdout


def test_a_program_is_told_the_same(cli: Cli, made: MadeStore, changed: Path) -> None:
    document = json.loads(cli.run("store", "diff", made.path, changed, "--json").stdout)
    assert (document["version"], document["is_same"], document["counts"]) == (1, False, [])
    (change,) = document["changes"]
    assert (change["kind"], change["action"], change["id"]) == (
        "authorization",
        "changed",
        made.reader,
    )
    assert document["before"]["txid"] + 1 == document["after"]["txid"]


def test_a_packed_store_can_be_compared(cli: Cli, made: MadeStore) -> None:
    packed = made.path.with_name("20260102T030405Z.bolt.gz")
    packed.write_bytes(gzip.compress(made.path.read_bytes()))
    assert cli.run("store", "diff", made.path, packed).code == 0


@pytest.mark.parametrize("words", [[], ["one"], ["one", "two", "three"]])
def test_two_stores_have_to_be_named(cli: Cli, words: list[str]) -> None:
    assert cli.run("store", "diff", *words).code in {2, 3}


def test_bolt_path_has_no_place_here(cli: Cli, made: MadeStore) -> None:
    done = cli.run("store", "diff", made.path, made.path, "--bolt-path", made.path)
    assert done.code == 2
    assert done.hint == "type influx-recovery store diff A B"


def test_a_missing_store_is_named(cli: Cli, made: MadeStore) -> None:
    done = cli.run("store", "diff", made.path, "nowhere.bolt")
    assert done.code == 3
    assert "nowhere.bolt" in done.error
