"""Views and plans at every width, as a person sees them."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from recovery.cli.commands import store_find
from recovery.discovery.host import Host
from recovery.ledger import Ledger
from recovery.ledger_rows import Actor
from recovery.services.changes.ports import Intent
from tests.support.backup_folder import write_backup_folder
from tests.support.engine_files import write_engine
from tests.support.fake_system import FakeSystem
from tests.support.ports import FixedClock
from tests.support.run_cli import PROJECT, Cli
from tests.support.stores import CHANGED_AT, OPERATOR_TOKEN, MadeStore, make_store

GOLDEN: Final = PROJECT / "tests" / "golden" / "views.txt"
WIDTHS: Final = (40, 60, 80, 132)
NORMAL: Final = (
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}"), "0000-00-00T00:00:00"),
    (re.compile(r"\b(?!0cff2e2708da|375b8fa296750048|1805eaca7a7b8279)[0-9a-f]{16}\b"), "0" * 16),
)
"""What differs from run to run, by something as long."""
IN_NAMES: Final = re.compile(r"(?<=bolt\.)[0-9]+|[0-9]*T[0-9]{6}Z")
"""Times in names of backups, which a narrow table breaks anywhere."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is as long in every run, so that lines break where they did."""
    folder = Path(tempfile.mkdtemp(prefix="store-", dir="/tmp"))  # see above
    yield folder
    shutil.rmtree(folder)


def write_ledger(cli: Cli, path: Path) -> None:
    """Record two operations of other people."""
    for host, user, operation, reason in (
        ("nas", "alice", "auth create-operator", "lost the token, ticket 4711"),
        ("nas", None, "store repair", None),
    ):
        ledger = Ledger(
            path=cli.home / "others.sqlite",
            actor=Actor(host=host, uid=0, sudo_user=user, tool_version="0.1.0"),
            clock=FixedClock(CHANGED_AT),
        )
        intent = Intent(
            operation=operation,
            store_path=path,
            device=1,
            inode=2,
            record_ids=("0cff2e2708da0005",),
            backup_path=path,
            reason=reason,
        )
        number = ledger.intend(intent, txid_before=7)
        ledger.conclude(number, "done", txid_after=8)


def lines(made: MadeStore, cli: Cli) -> list[str]:
    store = f"--bolt-path {made.path}"
    engine, password = f"{cli.home}/engine", f"--password-file {cli.home}/password"
    first = "--username ann --org acme --bucket sensors"
    return [
        "recipe list",
        f"ledger list --ledger {cli.home / 'others.sqlite'}",
        f"store backups {store}",
        f"store backups prune --dry-run --give-up-undo {store}",
        f"store undo --dry-run {store}",
        f"auth undelete {made.reader} --dry-run {store}",
        f"auth undelete {store}",
        f"user undelete {store}",
        f"auth rotate --all --token-file {cli.home}/new --dry-run {store}",
        f"auth hash --all --dry-run {store}",
        f"auth import {cli.home}/exported --dry-run {store}",
        f"store rebuild {made.path.parent}/new --engine-path {cli.home}/no --dry-run",
        f"store rebuild {made.path.parent}/new --engine-path {cli.home}/engine --dry-run",
        f"store prepare-restore {cli.home}/backup --dry-run",
        f"store prepare-restore {cli.home}/hashed --dry-run",
        f"store prepare-restore {cli.home}/hashed {{new}}",
        f"store compact {{new}} {store}",
        f"store export {{new}} {store}",
        f"auth import {cli.home}/exported --output {{new}} --yes {store}",
        f"store rebuild {{new}} --engine-path {engine} --yes --token-file {{new}}.token {password}",
        f"setup {first} --no-password --bolt-path {{new}} --token-file {{new}}.token",
        "store find",
        f"ledger show 1 --ledger {cli.home / 'others.sqlite'}",
        f"store info {store}",
        f"store check {store}",
        f"store salvage {{new}} {store}",
        f"user show alice {store}",
        f"auth show {made.reader} --bolt-path {cli.home}/hashed.bolt",
    ]


def a_machine(root: Path, store: bytes) -> Host:
    """Give a server with a package, a container, two backups and a file of something else."""
    machine = FakeSystem(root)
    machine.install_package()
    machine.store("/var/lib/influxdb/influxd.bolt", store)
    machine.store("/var/lib/docker/volumes/influx/_data/influxd.bolt", store)
    machine.write("/home/ann/.influxdbv2/influxd.bolt", b"")
    return machine.host()


def test_every_view_and_plan_fits(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, update_golden: bool
) -> None:
    cli = Cli(folder / "home")
    made = make_store(folder / "influxd.bolt", level=21)
    host = a_machine(folder / "root", made.path.read_bytes())
    monkeypatch.setattr(store_find, "Host", SimpleNamespace(here=lambda _: host))
    write_engine(cli.home / "engine")
    write_backup_folder(cli.home / "backup", made.path)
    hashed = cli.home / "hashed.bolt"
    hashing = ("auth", "hash", "--all", "--yes", "--output", hashed, "--bolt-path", made.path)
    assert cli.run_here(*hashing).code == 0
    write_backup_folder(cli.home / "hashed", hashed)
    (cli.home / "password").write_text("a good password\n")
    path = ("--bolt-path", str(made.path), "--yes")
    assert (
        cli.run_here("auth", "export", cli.home / "exported", "--with-tokens", *path[:2]).code == 0
    )
    assert cli.run_here("user", "delete", "bob", "--with-tokens", *path).code == 0
    write_ledger(cli, Path("/var/lib/influxdb/influxd.bolt"))
    shown = ""
    for number, line in enumerate(lines(made, cli)):
        for columns in WIDTHS:
            words = line.format(new=f"{folder}/new-{columns:03}-{number:02}").split()
            done = cli.shown_here(*words, columns=columns, environ={})
            typed = " ".join(line.split(" --bolt-path")[0].split(" --ledger")[0].split())
            shown += f"== {columns} columns: {typed}\n{done.stdout}\n"
    shown = shown.replace(str(folder), f"{folder.parent}/store-XXXXXXXX")
    for pattern, name in NORMAL:
        shown = pattern.sub(name, shown)
    shown = IN_NAMES.sub(lambda found: re.sub("[0-9]", "0", found[0]), shown)
    if update_golden:
        GOLDEN.write_text(shown)
    assert GOLDEN.read_text() == shown
    assert OPERATOR_TOKEN not in shown
