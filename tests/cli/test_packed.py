"""Reading what `influx backup` wrote, with the real program."""

import gzip
import json
from pathlib import Path

import pytest

from tests.support.run_cli import Cli
from tests.support.stores import OPERATOR_TOKEN, MadeStore

READING = (
    ("auth", "list"),
    ("user", "list"),
    ("org", "list"),
    ("bucket", "list"),
    ("user", "show", "--username", "alice"),
    ("v1-auth", "list"),
    ("auth", "verify", "--token-file", "{home}/operator"),
    ("store", "check"),
)


@pytest.fixture
def folder(tmp_path: Path, made: MadeStore) -> Path:
    """A folder as `influx backup` fills it, with a store in the newer of two backups."""
    folder = tmp_path / "backup"
    folder.mkdir()
    (folder / "20250101T000000Z.bolt.gz").write_bytes(gzip.compress(b"old"))
    (folder / "20260101T000000Z.bolt.gz").write_bytes(gzip.compress(made.path.read_bytes()))
    (folder / "20260101T000000Z.manifest").write_text("{}")
    for path in folder.iterdir():
        path.chmod(0o600)
    return folder


def records(text: str) -> object:
    """Return a JSON document without what it says of the file and of what lies beside it."""
    document = json.loads(text)
    del document["store"]
    document.pop("not_looked_at", None)
    return document


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_packed_store_and_its_folder_list_as_the_store_itself(
    cli: Cli, made: MadeStore, folder: Path, words: tuple[str, ...]
) -> None:
    (cli.home / "operator").write_text(f"{OPERATOR_TOKEN}\n")
    words = tuple(word.format(home=cli.home) for word in words)
    places = (made.path, folder / "20260101T000000Z.bolt.gz", folder)
    plain, packed, in_folder = (
        records(cli.run_here(*words, "--json", "--bolt-path", place).stdout) for place in places
    )
    assert plain == packed == in_folder


def test_the_output_says_which_backup_was_taken(cli: Cli, folder: Path) -> None:
    done = cli.run("user", "list", "--bolt-path", folder)
    assert "20260101T000000Z.bolt.gz (the newest of 2 backups in the folder" in done.stderr


@pytest.mark.parametrize("manner", ["--yes", "--dry-run"])
def test_no_change_is_made_to_a_backup(
    cli: Cli, made: MadeStore, folder: Path, manner: str
) -> None:
    path = folder / "20260101T000000Z.bolt.gz"
    before = path.read_bytes()
    words = ("auth", "set-inactive", made.reader, manner, "--bolt-path")
    for place in (path, folder):
        done = cli.run(*words, place)
        assert done.code in {5, 7}
        assert "gunzip" in done.hint
    assert path.read_bytes() == before


def test_a_damaged_packed_store_is_refused(cli: Cli, folder: Path) -> None:
    path = folder / "20260101T000000Z.bolt.gz"
    path.write_bytes(path.read_bytes()[:1000])
    done = cli.run("user", "list", "--bolt-path", path)
    assert done.code == 5
    assert "cut short" in done.error
