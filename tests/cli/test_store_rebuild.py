"""A lost store made again, with the real program."""

import json
import os
from pathlib import Path

import pytest

from tests.support.engine_files import BUCKET, write_engine, write_shard
from tests.support.oracle import Oracle
from tests.support.run_cli import Cli

WORDS = ("store", "rebuild", "new.bolt", "--engine-path", "engine")
HOW = ("--password-file", "password", "--token-file", "token", "--yes")


@pytest.fixture
def engine(cli: Cli) -> Path:
    write_engine(cli.home / "engine")
    (cli.home / "password").write_text("a good password\n")
    return cli.home / "engine"


@pytest.mark.usefixtures("engine")
def test_the_whole_job(cli: Cli, oracle: Oracle) -> None:
    done = cli.run(*WORDS, *HOW, "--name", f"{BUCKET}=weather", "--org", "acme")
    assert (done.code, done.stdout.splitlines()[0].split(":")[0]) == (0, "Done"), done.stderr
    assert f"bucket {BUCKET}, called weather: holds m" in done.stderr
    assert oracle.check(cli.home / "new.bolt") == []
    verified = cli.run("auth", "verify", "--token-file", "token", "--bolt-path", "new.bolt")
    assert verified.code == 0
    signs_in = ("user", "verify-password", "--username", "admin", "--password-file", "password")
    assert cli.run(*signs_in, "--bolt-path", "new.bolt").code == 0
    ledger = cli.run("ledger", "list", "--json")
    assert '"store rebuild"' in ledger.stdout


@pytest.mark.usefixtures("engine")
def test_a_dry_run_asks_nothing_and_writes_nothing(cli: Cli) -> None:
    before = sorted(cli.home.rglob("*"))
    done = cli.run(*WORDS, "--dry-run")
    assert (done.code, done.stderr) == (0, "")
    assert "2 shards" in done.stdout
    assert "Older servers refuse it: --level 20 makes one" in done.stdout
    assert "refuse it" not in cli.run(*WORDS, "--dry-run", "--level", "20").stdout
    assert sorted(cli.home.rglob("*")) == before


@pytest.mark.usefixtures("engine")
def test_a_program_is_told_the_same(cli: Cli) -> None:
    done = cli.run(*WORDS, *HOW, "--json")
    document = json.loads(done.stdout)
    (bucket,) = document["plan"]["buckets"]
    assert (document["version"], document["is_changed"], document["level"]) == (1, True, 21)
    assert (bucket["id"], bucket["shard_count"], bucket["measurements"]) == (BUCKET, 2, ["m"])
    assert (bucket["first_time_ns"], bucket["shard_group_basis"]) == (5, "default")


def test_nothing_is_replaced_and_ensure_accepts_what_is_complete(cli: Cli, engine: Path) -> None:
    assert cli.run(*WORDS, *HOW).code == 0
    before = (cli.home / "new.bolt").read_bytes()
    (cli.home / "token").unlink()
    assert cli.run(*WORDS, *HOW).code == 7
    done = cli.run(*WORDS, *HOW, "--ensure", "--json")
    assert (done.code, json.loads(done.stdout)["is_changed"]) == (0, False)
    torn = engine / "data" / BUCKET / "autogen" / "1" / "000000002-000000001.tsm"
    torn.write_bytes(b"torn")
    for words in (("--dry-run",), ("--yes",)):
        assert torn.exists()
        done = cli.run(*WORDS, "--ensure", *words)
        assert (done.code, torn.name in done.stdout + done.stderr) == (0, True)
    assert torn.with_name(f"{torn.name}.bad").read_bytes() == b"torn"
    (_, noted) = json.loads(cli.run("ledger", "list", "--json").stdout)["operations"]
    assert (noted["operation"], noted["record_ids"]) == ("store rebuild", [BUCKET])
    done = cli.run(*WORDS, "--ensure", "--json")
    assert (done.code, json.loads(done.stdout)["plan"]["renamed_in_engine"]) == (0, [])
    write_shard(engine, BUCKET, 3, keys={b"m#!~#f": [(10**18, 10**18)]})
    done = cli.run(*WORDS, *HOW, "--ensure")
    assert done.code == 7
    assert "1 shards of bucket" in done.error
    assert not (cli.home / "token").exists()
    assert (cli.home / "new.bolt").read_bytes() == before


def test_a_conflict_is_named_with_the_way_out(cli: Cli, engine: Path) -> None:
    write_shard(engine, "00000000000c0c0c", 1, keys={b"m#!~#f": [(5, 9)]})
    done = cli.run(*WORDS, *HOW)
    assert done.code == 7
    assert f"{BUCKET}/1 and 00000000000c0c0c/1" in done.error
    assert "--leave-out" in done.hint
    assert not (cli.home / "new.bolt").exists()
    assert not (cli.home / "token").exists()
    assert cli.run(*WORDS, *HOW, "--leave-out", "00000000000c0c0c/1").code == 0


@pytest.mark.usefixtures("engine")
def test_an_engine_that_is_in_use_is_refused(cli: Cli) -> None:
    with next((cli.home / "engine").rglob("*.tsm")).open("rb"):
        done = cli.run(*WORDS, *HOW)
    assert done.code == 4
    assert "has files in it open" in done.error
    assert f"stop it: kill {os.getpid()}" in done.hint


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("store", "rebuild"), 2),
        (("store", "rebuild", "new.bolt"), 2),
        ((*WORDS, *HOW, "--name", "x=y"), 2),
        ((*WORDS, *HOW, "--leave-out", BUCKET), 2),
        ((*WORDS, *HOW, "--org-id", "12"), 2),
        ((*WORDS, *HOW, "--level", "10"), 2),
        ((*WORDS, "--dry-run", "--json", "--token-stdout"), 2),
        (("store", "rebuild", "new.bolt", "--engine-path", "nowhere", *HOW), 3),
        ((*WORDS, *HOW, "--names", "nowhere"), 3),
        ((*WORDS, *HOW, "--sqlite-path", "nowhere"), 3),
        ((*WORDS, *HOW, "--from", "nowhere"), 3),
        ((*WORDS, "--password-file", "password", "--yes"), 7),
    ],
)
@pytest.mark.parametrize("is_script", [True, False])
def test_what_cannot_be_is_refused_whoever_asks(
    cli: Cli, words: tuple[str, ...], code: int, *, is_script: bool
) -> None:
    """Where nobody is there to be asked, too, what was typed is looked at first."""
    if not is_script:
        words = tuple(word for word in words if word not in HOW)
    done = cli.run(*words)
    assert done.code == code, done.stderr
    assert done.hint
    assert not (cli.home / "new.bolt").exists()
    assert not (cli.home / "token").exists()
