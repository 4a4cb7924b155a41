"""A change of a store that influxd will not start on says so, before and after."""

import json
import os
from pathlib import Path

import bolt_store
from recovery.services.doctor.forewarning import EXAMINED_BYTES_MAX
from tests.support.full_store import FullStore, make_full_store, put
from tests.support.run_cli import Cli
from tests.support.stores import edit


def made(tmp_path: Path) -> FullStore:
    return make_full_store(tmp_path / "influxd.bolt")


def mint(cli: Cli, full: FullStore) -> list[str]:
    """Make a token as a script does, and return the warnings."""
    command = ("auth", "create-operator", "--org", "acme", "--username", "alice", "--yes", "--json")
    token = str(full.path.parent / "token")
    done = cli.run(*command, "--bolt-path", full.path, "--token-file", token)
    assert done.code == 0
    warnings: list[str] = json.loads(done.stdout)["warnings"]
    return warnings


def test_minting_says_that_the_server_will_not_start_and_what_mends_it(
    cli: Cli, tmp_path: Path
) -> None:
    full = made(tmp_path)
    edit(full.path, lambda tx: put(tx, "authorizationsv1", full.reader, b"{cut short"))
    (warning,) = mint(cli, full)
    assert "will not start on this store, because authorizationsv1" in warning
    assert "(auth delete)" in warning


def test_the_end_of_a_change_does_not_say_that_influxd_is_next(cli: Cli, tmp_path: Path) -> None:
    full = made(tmp_path)
    edit(full.path, lambda tx: tx.table("bucketindexv1").delete(f"{full.org}_tasks".encode()))
    changed = cli.run("user", "deactivate", "--username", "bob", "--yes", "--bolt-path", full.path)
    assert changed.code == 0
    assert "store repair mends it" in changed.stdout
    back = cli.run("store", "undo", "--yes", "--bolt-path", full.path)
    for ended in (changed, back):
        assert "Next: start influxd" not in ended.stdout
        assert f"Next: influx-recovery store repair --bolt-path {full.path}" in ended.stdout
    mended = cli.run("store", "repair", "--yes", "--bolt-path", full.path)
    assert "will not start on this store" not in mended.stdout
    assert "Next: start influxd, if it opens this file; if not," in mended.stdout


def test_what_lies_beside_the_store_is_said_as_well(cli: Cli, tmp_path: Path) -> None:
    full = made(tmp_path)
    old = tmp_path / "engine" / "_series"
    old.mkdir(parents=True)
    (warning,) = mint(cli, full)
    assert f"will not start on this store, because {old} is a folder of a 2.0 beta" in warning
    old.rename(tmp_path / "_series")
    (tmp_path / "influxd.sqlite").mkdir()
    back = cli.run("store", "undo", "--yes", "--bolt-path", full.path)
    assert "Do not start influxd yet: influxd will not start on this store" in back.stdout
    assert "influxd.sqlite" in back.stdout


def test_what_mends_the_store_warns_of_nothing(cli: Cli, tmp_path: Path) -> None:
    full = made(tmp_path)
    edit(full.path, lambda tx: put(tx, "authorizationsv1", full.reader, b"{cut short"))
    deleted = cli.run("auth", "delete", full.reader, "--yes", "--bolt-path", full.path)
    assert deleted.code == 0
    assert "will not start" not in deleted.stdout
    assert "Next: start influxd, if it opens this file; if not," in deleted.stdout


def test_a_torn_meta_is_told_once_before_it_is_written_over(cli: Cli, tmp_path: Path) -> None:
    full = made(tmp_path)
    with bolt_store.open(full.path) as db:
        size_bytes, newer = db.meta.page_size_bytes, db.meta.txid % 2
    content = bytearray(full.path.read_bytes())
    content[newer * size_bytes + 70] ^= 1
    full.path.write_bytes(content)
    (warning,) = mint(cli, full)
    assert "one of the two metas of the file is damaged" in warning
    assert "store salvage" in warning
    (full.path.parent / "token").unlink()
    assert mint(cli, full) == []


def test_what_a_large_store_lacks_is_found_before_anybody_is_asked(
    cli: Cli, tmp_path: Path
) -> None:
    full = made(tmp_path)
    with bolt_store.open(full.path, write=True) as db, db.update() as tx:
        tx.delete_bucket(b"userspasswordv1")
        tx.commit()
    os.truncate(full.path, EXAMINED_BYTES_MAX + 1)
    password = tmp_path / "password"
    password.write_text("correct horse")
    words = [
        "user",
        "create",
        "--username",
        "new",
        "--member-of",
        "acme",
        "--dry-run",
        "--password-file",
    ]
    done = cli.run(*words, password, "--bolt-path", full.path)
    assert (done.code, done.stdout) == (5, ""), done.stderr
    assert "lacks the bucket userspasswordv1" in done.error
