"""What happens under a running daemon: the file, the disk and the ledger are not as they were."""

import contextlib
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

import bolt_store
from tests.support.mounts import mounted
from tests.support.real_stores import unpack_real_store
from tests.support.run_cli import PATIENCE_S
from tests.support.served import Served, serving

USERS: Final = "/api/v2/users"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return unpack_real_store("influxd-2.9.1-setup", tmp_path / "influxd.bolt")


def add_user(served: Served, name: str) -> tuple[int, str]:
    reply = served.ask("POST", USERS, token=served.key, body={"name": name})
    return reply.status, str(reply.json.get("message", ""))


def names(served: Served) -> set[str]:
    reply = served.ask("GET", f"{USERS}?limit=100", token=served.key)
    return {one["name"] for one in reply.json["users"]}


def replace(store: Path, before: Path) -> None:
    shutil.copyfile(before, store.with_name("other"))
    store.with_name("other").replace(store)


def write_over(store: Path, before: Path) -> None:
    store.write_bytes(before.read_bytes())


def cut(store: Path, _: Path) -> None:
    os.truncate(store, store.stat().st_size // 2)


def remove(store: Path, _: Path) -> None:
    store.unlink()


@pytest.mark.parametrize(
    ("fault", "said", "reads"),
    [
        (replace, "another file has been put in its place", True),
        (write_over, "another program has written to it in spite of the lock", False),
        (cut, "another program has written to it in spite of the lock", False),
        (remove, "does not exist", True),
    ],
)
def test_a_file_that_changes_under_the_daemon_is_left_as_it_is(
    store: Path, fault: Callable[[Path, Path], None], said: str, *, reads: bool
) -> None:
    before = shutil.copyfile(store, store.with_name("before"))
    with serving(store) as served:
        assert add_user(served, "ann")[0] == 201
        fault(store, before)
        after = store.read_bytes() if store.exists() else None
        for name in ("ben", "cid"):
            status, message = add_user(served, name)
            assert (status, said in message) == (503, True), message
        assert (served.ask("GET", USERS, token=served.key).status == 200) == reads
        assert served.ask("GET", "/health").status == 200
        served.process.send_signal(signal.SIGTERM)
        _, stderr = served.process.communicate(timeout=PATIENCE_S)
        assert served.process.returncode not in {0, None}
        assert "Traceback" not in stderr
    assert (store.read_bytes() if store.exists() else None) == after


@pytest.fixture
def on_small_disk(tmp_path: Path, store: Path) -> Iterator[Path]:
    with mounted(tmp_path / "small", size_bytes=4 << 20) as folder:
        yield shutil.copyfile(store, folder / "influxd.bolt")


def test_a_disk_that_fills_up_loses_no_answered_change(on_small_disk: Path) -> None:
    ballast = on_small_disk.with_name("ballast")
    with serving(on_small_disk, ledger=on_small_disk.parents[1] / "ledger.sqlite") as served:
        answered, refused = {"first"}, []
        assert add_user(served, "first")[0] == 201
        free = os.statvfs(ballast.parent)
        ballast.write_bytes(bytes(free.f_bfree * free.f_frsize - (128 << 10)))
        for number in range(50):
            status, message = add_user(served, f"{number} {'x' * 3000}")
            if status == 201:
                answered.add(f"{number} {'x' * 3000}")
            else:
                refused.append((status, message))
        assert len(answered) > 2
        assert refused
        assert {status for status, _ in refused} == {503}
        assert names(served) == answered | {"admin"}
        ballast.unlink()
        assert add_user(served, "there is room again")[0] == 201
    with bolt_store.open(on_small_disk) as db:
        assert [one for one in db.check() if one.severity >= bolt_store.Severity.WARNING] == []


def test_a_ledger_that_fails_stops_changes_until_it_is_back(store: Path) -> None:
    ledger, aside = store.with_name("ledger.sqlite"), store.with_name("aside")
    with serving(store) as served:
        assert add_user(served, "ann")[0] == 201
        ledger.rename(aside)
        ledger.mkdir()
        status, message = add_user(served, "ben")
        assert (status, "ledger" in message) == (503, True)
        assert names(served) == {"admin", "ann"}
        ledger.rmdir()
        aside.rename(ledger)
        assert add_user(served, "cid")[0] == 201
        assert names(served) == {"admin", "ann", "cid"}


@pytest.mark.slow  # it is waited for
def test_a_ledger_that_somebody_holds_is_waited_for_and_then_stops_a_change(store: Path) -> None:
    with serving(store) as served:
        assert add_user(served, "ann")[0] == 201
        with contextlib.closing(sqlite3.connect(store.with_name("ledger.sqlite"))) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            status, message = add_user(served, "ben")
            assert (status, "database is locked" in message) == (503, True)
            holder.rollback()
        assert add_user(served, "cid")[0] == 201
        assert names(served) == {"admin", "ann", "cid"}


def test_modes_that_are_taken_away_under_the_daemon_are_left_so(store: Path) -> None:
    with serving(store) as served:
        assert add_user(served, "ann")[0] == 201
        store.chmod(0)
        assert add_user(served, "ben")[0] == 201
        assert names(served) == {"admin", "ann", "ben"}
        served.process.send_signal(signal.SIGTERM)
        served.process.communicate(timeout=PATIENCE_S)
        assert served.process.returncode == 0
    assert store.stat().st_mode & 0o777 == 0
    with bolt_store.open(store) as db:
        assert [one for one in db.check() if one.severity >= bolt_store.Severity.WARNING] == []
