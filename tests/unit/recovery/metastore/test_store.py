"""Opening a store: what is refused, in which words, and that nothing is changed by it."""

import errno
import fcntl
import gzip
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

import bolt_store
from recovery.errors import (
    ConflictError,
    ExitCode,
    RecoveryError,
    SchemaError,
    StoreBusyError,
    StoreDamagedError,
    StoreNotFoundError,
)
from recovery.metastore.store import MetaStore
from recovery.metastore.transaction import MetaTx
from recovery.model.schema import MIGRATIONS
from tests.support.as_other_user import run_as_nobody
from tests.support.hints import hint_of
from tests.support.locks import locked
from tests.support.mounts import make_read_only, mounted
from tests.support.stores import LEVELS, edit, make_store
from tests.support.surgery import Patient

OPEN = """
from recovery.errors import RecoveryError
from recovery.metastore.store import MetaStore
try:
    MetaStore.open(Path(sys.argv[1]), write=sys.argv[2] == "write").close()
    print("opened")
except RecoveryError as error:
    print(int(error.exit_code), error, error.hint, sep="|")
"""


def unsound(path: Path) -> RecoveryError:
    """Return the error of the check of the whole file."""
    with MetaStore.open(path, write=False) as store, pytest.raises(RecoveryError) as caught:
        store.require_sound()
    return caught.value


def refused(path: Path, *, write: bool = False) -> RecoveryError:
    """Return the error of opening; it says that nothing was changed, and is two short lines."""
    before = state_of(path)
    with pytest.raises(RecoveryError) as caught:
        MetaStore.open(path, write=write, timeout_s=0)
    assert state_of(path) == before
    error = caught.value
    assert "nothing was changed" in str(error)
    assert "\n" not in f"{error}{hint_of(error)}"
    assert not hint_of(error).endswith(".")
    return error


def state_of(path: Path) -> dict[str, object]:
    """Return everything about a file and its neighbours that opening could change."""
    found: dict[str, object] = {}
    for one in sorted(path.parent.iterdir()):
        status = one.lstat()
        # Following a link is reading it; that cannot be asked to go unnoticed.
        read_ns = 0 if one.is_symlink() else status.st_atime_ns
        times = (status.st_mtime_ns, status.st_ctime_ns, read_ns)
        found[one.name] = (status.st_size, status.st_ino, status.st_mode, status.st_uid, times)
    return found


# -- in the order of the checks ------------------------------------------------------------------


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    error = refused(tmp_path / "influxd.bolt")
    assert isinstance(error, StoreNotFoundError)
    assert error.problem == "does not exist"
    assert "--bolt-path" in hint_of(error)
    assert list(tmp_path.iterdir()) == []


def test_a_file_below_a_file_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreNotFoundError, match="does not exist"):
        MetaStore.open(tmp_path / "file" / "influxd.bolt", write=True)


def test_a_link_to_nothing_is_named_as_such(tmp_path: Path) -> None:
    link = tmp_path / "influxd.bolt"
    link.symlink_to(tmp_path / "gone")
    assert "symbolic link to something that does not exist" in str(refused(link, write=True))
    assert [one.name for one in tmp_path.iterdir()] == ["influxd.bolt"]


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "influxd.bolt"
    link.symlink_to(link)
    assert isinstance(refused(link), RecoveryError)


def test_a_folder_is_refused_with_the_file_in_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "influxd.bolt").touch()
    error = refused(tmp_path / "data")
    assert error.exit_code == ExitCode.NOT_FOUND
    assert hint_of(error) == (f"name the file in it with --bolt-path {tmp_path}/data/influxd.bolt")


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in str(refused(tmp_path))


@pytest.mark.parametrize("write", [False, True])
def test_a_pipe_is_refused_without_waiting_for_its_other_end(
    tmp_path: Path, *, write: bool
) -> None:
    os.mkfifo(tmp_path / "influxd.bolt")
    assert "is a named pipe" in str(refused(tmp_path / "influxd.bolt", write=write))


def test_a_device_is_refused() -> None:
    with pytest.raises(StoreNotFoundError, match="is a device"):
        MetaStore.open(Path("/dev/zero"), write=True)


@pytest.mark.parametrize("write", [False, True])
def test_an_empty_file_is_never_initialised(tmp_path: Path, *, write: bool) -> None:
    path = tmp_path / "influxd.bolt"
    path.touch()
    error = refused(path, write=write)
    assert error.exit_code == ExitCode.NOT_FOUND
    assert "is empty (0 bytes)" in str(error)
    assert path.read_bytes() == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize(("mode", "way"), [(0o000, "read"), (0o444, "write")])
def test_a_file_of_another_user_is_refused(
    level21_bolt: Path, public_folder: Path, mode: int, way: str
) -> None:
    path = public_folder / "influxd.bolt"
    path.write_bytes(level21_bolt.read_bytes())
    path.chmod(mode)
    code, sentence, hint = run_as_nobody(
        OPEN,
        path,
        way,
        imports="recovery.metastore.store, recovery.metastore.migrations, bolt_store",
    ).split("|")
    assert int(code) == ExitCode.REFUSED
    assert sentence == (
        f"{path} may not be opened by this user (Permission denied); nothing was changed"
    )
    assert hint == "run it as root, or as the user whom the file belongs to"


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_readable_file_of_another_user_can_be_read(
    level21_bolt: Path, public_folder: Path
) -> None:
    """O_NOATIME is only for the owner, and its refusal must not be one of the file."""
    path = public_folder / "influxd.bolt"
    path.write_bytes(level21_bolt.read_bytes())
    path.chmod(0o444)
    imports = "recovery.metastore.migrations, recovery.metastore.store, bolt_store"
    assert run_as_nobody(OPEN, path, "read", imports=imports) == "opened"


def test_a_read_only_file_system_can_be_read_and_refuses_to_be_written(
    level21_bolt: Path, tmp_path: Path
) -> None:
    with mounted(tmp_path / "mounted", size_bytes=1 << 20) as folder:
        path = folder / "influxd.bolt"
        path.write_bytes(level21_bolt.read_bytes())
        make_read_only(folder)
        MetaStore.open(path, write=False).close()
        error = refused(path, write=True)
    assert error.exit_code == ExitCode.REFUSED
    assert "is on a read-only file system" in str(error)
    assert "--output" in hint_of(error, "user rename")
    assert "--output" not in hint_of(error)


def test_a_running_server_is_named_with_its_process(level21_bolt: Path) -> None:
    with locked(level21_bolt, exclusive=True) as pid:
        for write in (False, True):
            error = refused(level21_bolt, write=write)
            assert isinstance(error, StoreBusyError)
            assert f"process {pid} " in error.holder
            assert hint_of(error).startswith("wait until python")


def test_another_reader_keeps_writers_out_and_no_readers(level21_bolt: Path) -> None:
    with locked(level21_bolt, exclusive=False):
        MetaStore.open(level21_bolt, write=False).close()
        assert refused(level21_bolt, write=True).exit_code == ExitCode.BUSY


def raising(code: int) -> Callable[..., NoReturn]:
    """Stand in for a call of the system that fails."""

    def fail(*_: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_file_system_that_cannot_lock_is_refused(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NFS without a lock service: without a lock nobody knows who else is writing."""
    monkeypatch.setattr(fcntl, "flock", raising(errno.ENOLCK))
    for write in (False, True):
        error = refused(level21_bolt, write=write)
        assert error.exit_code == ExitCode.BUSY
        assert "cannot be locked: its file system has no locks" in str(error)
        assert "local disk" in hint_of(error)


def test_a_bad_sector_is_an_error_in_words(
    level21_bolt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pread", raising(errno.EIO))
    error = refused(level21_bolt)
    assert error.exit_code == ExitCode.DAMAGED
    assert "cannot be read (Input/output error)" in str(error)


def sqlite_file() -> bytes:
    """Return the bytes of a small SQLite file."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE streams (id TEXT)")
        return connection.serialize()


@pytest.mark.parametrize(
    ("content", "problem", "hint"),
    [
        (b"\0" * 65536, "it has nothing but zeros in it", "store backups"),
        (b"hello", "is not a bolt file", "name the file influxd.bolt"),
        (b"x", "is not a bolt file", "name the file influxd.bolt"),
        (bytes(range(256)) * 256, "is not a bolt file", "name the file influxd.bolt"),
        (gzip.compress(bytes(70000)), "is packed with gzip", "gunzip -c"),
        (sqlite_file(), "is an SQLite file", "beside influxd.sqlite"),
    ],
    ids=["zeros", "text", "one byte", "bytes", "gzip", "sqlite"],
)
def test_what_is_no_bolt_file_is_named_for_what_it_is(
    tmp_path: Path, content: bytes, problem: str, hint: str
) -> None:
    path = tmp_path / "influxd.bolt"
    path.write_bytes(content)
    for write in (False, True):
        error = refused(path, write=write)
        assert error.exit_code == ExitCode.DAMAGED
        assert problem in str(error)
        assert hint in hint_of(error)


@pytest.mark.parametrize("content", [bytes(65536), b"hello", b"x"])
def test_beside_an_engine_what_is_no_store_leads_to_a_new_one(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "influxd.bolt"
    path.write_bytes(content)
    (tmp_path / "engine" / "data").mkdir(parents=True)
    assert "rebuild" not in hint_of(refused(path))
    (tmp_path / "engine" / "data" / "00000000000000aa").mkdir()
    again = f"store rebuild {path}.rebuilt --engine-path {tmp_path / 'engine'} to make"
    assert f"to restore one, or type influx-recovery {again}" in hint_of(refused(path))


@pytest.mark.damages
def test_a_store_without_metas_is_sent_to_salvage_and_not_to_the_server(
    level21_bolt: Path,
) -> None:
    content = bytearray(level21_bolt.read_bytes())
    for page in (0, 1):
        content[page * 4096 : page * 4096 + 512] = bytes(512)
    level21_bolt.write_bytes(content)
    for write in (False, True):
        error = refused(level21_bolt, write=write)
        assert error.exit_code == ExitCode.DAMAGED
        assert "a bolt file without a usable meta page: do not start influxd on it" in str(error)
        assert "store salvage" in hint_of(error)


@pytest.mark.damages
def test_a_page_that_lost_the_migrations_is_damage_and_no_new_store(level21_bolt: Path) -> None:
    """One sector of zeros in a leaf of the root: it still reads, and `migrationsv1` is gone."""
    content = bytearray(level21_bolt.read_bytes())
    with bolt_store.open(level21_bolt) as db:
        size_bytes = db.meta.page_size_bytes
        used = [page.pgid for page in bolt_store.page_infos(db) if page.state == "used"]
    (leaf,) = (
        pgid
        for pgid in used
        if b"migrationsv1" in content[pgid * size_bytes : (pgid + 1) * size_bytes]
    )
    place = content.index(b"migrationsv1", leaf * size_bytes) & ~511
    content[place : place + 512] = bytes(512)
    level21_bolt.write_bytes(content)
    for write in (False, True):
        error = refused(level21_bolt, write=write)
        assert error.exit_code == ExitCode.DAMAGED
        assert "do not start influxd on it" in str(error)
        assert "start influxd" not in hint_of(error)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((b"Build", b"Dashoard", b"Sources"), "it looks like a file of Chronograf"),
        ((b"team_membership", b"users"), "it looks like a file of Portainer"),
        (
            (b"key", b"meta", b"lease", b"usersv1"),
            "1 of its 4 bolt buckets is InfluxDB's; it looks",
        ),
        ((b"nobody", b"knows"), "none of its 2 bolt buckets is InfluxDB's: leave it alone"),
        ((), "without anything in it, as influxd recovery leaves one"),
    ],
)
def test_a_file_of_another_program_is_named_and_left_alone(
    tmp_path: Path, names: tuple[bytes, ...], words: str
) -> None:
    path = tmp_path / "other.db"
    with bolt_store.create(path) as db, db.update() as tx:
        for name in names:
            tx.create_bucket(name).put(b"key", b"value")
    for needs_schema in (False, True):
        with pytest.raises(SchemaError) as caught:
            MetaStore.open(path, write=False, needs_schema=needs_schema)
        assert words in str(caught.value)
        assert "store find" in hint_of(caught.value)
        assert "start influxd" not in hint_of(caught.value)
        assert ("store rebuild" in hint_of(caught.value)) == needs_schema
        (tmp_path / "engine" / "data" / "00000000000000aa").mkdir(parents=True, exist_ok=True)


def test_a_store_whose_pages_were_emptied_is_sent_to_compact(tmp_path: Path) -> None:
    path = tmp_path / "influxd.bolt"
    make_store(path, level=21)

    def fill(tx: MetaTx) -> None:
        for number in range(1, 2000):
            tx.table("userindexv1").put(b"user-%06d" % number, b"0a00000000000001")

    edit(path, fill)
    content = bytearray(path.read_bytes())
    place = content.rindex(b"user-001500") & ~4095
    content[place + 10 : place + 12] = bytes(2)
    path.write_bytes(content)
    error = unsound(path)
    assert "which influxd bears" in str(error)
    assert "store compact" in hint_of(error)


@pytest.mark.damages
def test_a_file_with_two_bad_metas_is_refused(level21_bolt: Path) -> None:
    content = bytearray(level21_bolt.read_bytes())
    content[40] ^= 1
    content[4096 + 40] ^= 1
    level21_bolt.write_bytes(content)
    error = refused(level21_bolt, write=True)
    assert error.exit_code == ExitCode.DAMAGED
    assert "no usable meta page" in str(error)
    assert "backup" in hint_of(error)


@pytest.mark.damages
def test_a_file_with_one_bad_meta_opens_with_the_other(level21_bolt: Path) -> None:
    patient = Patient(level21_bolt.read_bytes(), page_size_bytes=4096)
    start = 4096 * patient.newest
    patient.content[start + 40] ^= 1
    level21_bolt.write_bytes(patient.content)
    with MetaStore.open(level21_bolt, write=False) as store:
        assert store.level == 21


@pytest.mark.damages
def test_a_file_cut_short_is_refused_for_writing(level21_bolt: Path) -> None:
    with level21_bolt.open("r+b") as file:
        file.truncate(16384)
    error = refused(level21_bolt, write=True)
    assert error.exit_code == ExitCode.DAMAGED


def damage_a_page(path: Path) -> None:
    """Destroy the root page of the root bucket's newest tree."""
    patient = Patient(path.read_bytes(), page_size_bytes=4096)
    start = patient.root * 4096
    patient.content[start : start + 16] = b"\xff" * 16
    path.write_bytes(patient.content)


@pytest.mark.damages
def test_a_damaged_tree_is_refused_with_what_was_found(level21_bolt: Path) -> None:
    damage_a_page(level21_bolt)
    error = refused(level21_bolt)
    assert isinstance(error, StoreDamagedError)
    assert "is damaged: do not start influxd on it" in str(error)
    assert "(page " in str(error)
    assert "store salvage" in hint_of(error)


@pytest.mark.damages
def test_a_store_that_is_not_safe_to_write_is_refused_with_the_findings(level21_bolt: Path) -> None:
    """A page both in use and free: reading is possible, the next write would destroy something."""
    patient = Patient(level21_bolt.read_bytes(), page_size_bytes=4096)
    start = patient.freelist * 4096
    ids = memoryview(patient.content)[start + 16 : start + 24]
    ids[:] = patient.root.to_bytes(8, "little")
    level21_bolt.write_bytes(patient.content)
    before = level21_bolt.read_bytes()
    for write in (False, True):
        with MetaStore.open(level21_bolt, write=write) as store:
            with pytest.raises(StoreDamagedError) as caught:
                store.require_sound()
            assert f"page {patient.root}" in str(caught.value)
            assert caught.value.findings
    assert level21_bolt.read_bytes() == before


def forge(path: Path, key: bytes, document: bytes) -> None:
    """Write a migration behind the store's back; an empty document removes it."""
    with bolt_store.open(path, write=True) as db, db.update() as tx:
        migrations = tx.bucket(b"migrationsv1")
        if document:
            migrations.put(key, document)
        else:
            migrations.delete(key)


LAST = b"0000000000000015"
NEWER = b"0000000000000016"
NEWER_DOCUMENT = (
    b'{"id":"0000000000000016","name":"a new one","finished_at":"2030-01-01T00:00:00Z"}'
)


@pytest.mark.parametrize(
    ("key", "document", "words"),
    [
        (NEWER, NEWER_DOCUMENT, "newer than InfluxDB 2.9"),
        (LAST, b'{"id":"0000000000000015","name":"x"}', "another name for migration 21"),
        (b"0000000000000003", b"", "lacks migration 3"),
        (LAST, b"{", "record 0000000000000015 in migrationsv1 that cannot be understood"),
        (b"no number", b"{}", "a record in migrationsv1 that cannot be understood"),
        (
            LAST,
            b'{"id":"0000000000000015","name":"%s"}' % MIGRATIONS[20].encode(),
            "in the middle of migration 21",
        ),
    ],
    ids=["newer", "renamed", "gap", "undecodable", "odd key", "interrupted"],
)
def test_an_unknown_schema_is_refused(
    level21_bolt: Path, key: bytes, document: bytes, words: str
) -> None:
    forge(level21_bolt, key, document)
    for write in (False, True):
        error = refused(level21_bolt, write=write)
        assert words in str(error)
        assert error.exit_code is ExitCode.SCHEMA


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "no migration records"), (10, "is at level 10, older than InfluxDB 2.0.0")],
)
def test_a_store_of_no_released_server_is_refused(
    level21_bolt: Path, count: int, words: str
) -> None:
    for number in range(count + 1, 22):
        forge(level21_bolt, b"%016x" % number, b"")
    error = refused(level21_bolt)
    assert words in str(error)
    assert error.exit_code == ExitCode.SCHEMA


def test_a_newer_schema_has_an_exit_code_of_its_own(level21_bolt: Path) -> None:
    forge(level21_bolt, NEWER, NEWER_DOCUMENT)
    error = refused(level21_bolt)
    assert isinstance(error, SchemaError)
    assert hint_of(error) == "look for a newer version of this tool"


# -- what is opened ------------------------------------------------------------------------------


def test_reading_changes_nothing_at_all(level17_bolt: Path, level21_bolt: Path) -> None:
    for path in (level17_bolt, level21_bolt):
        os.utime(path, ns=(1, 10**18))  # an access time that the kernel would move forward
        before = state_of(path)
        with MetaStore.open(path, write=False) as store, store.view() as tx:
            store.require_sound()
            assert len(list(tx.users.walk([]))) == 1
            assert len(list(tx.authorizations.walk([]))) == 2
            with store.second_look() as again:
                assert again.txid == store.txid
            with store.descriptor() as descriptor:
                os.pread(descriptor, 1, 0)
        assert state_of(path) == before


def test_opening_for_writing_and_checking_changes_no_byte(level21_bolt: Path) -> None:
    before = level21_bolt.read_bytes()
    with MetaStore.open(level21_bolt, write=True) as store:
        store.require_sound()
    assert level21_bolt.read_bytes() == before


def test_the_levels_of_the_real_stores(level17_bolt: Path, level21_bolt: Path) -> None:
    for path, level in ((level17_bolt, 17), (level21_bolt, 21)):
        with MetaStore.open(path, write=False) as store:
            assert store.level == level


@pytest.mark.parametrize("level", LEVELS)
def test_a_store_of_each_level_opens_at_it(tmp_path: Path, level: int) -> None:
    make_store(tmp_path / "influxd.bolt", level=level)
    with MetaStore.open(tmp_path / "influxd.bolt", write=True) as store:
        store.require_sound()
        assert store.level == level


def test_a_link_is_followed_to_the_file_that_is_locked_and_written(
    level21_bolt: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(level21_bolt)
    with MetaStore.open(link, write=True) as store:
        assert store.file.path == link
        assert store.file.real_path == level21_bolt
        assert refused(level21_bolt).exit_code == ExitCode.BUSY
        with store.update() as tx:
            tx.table("idsv1").put(b"id", b"0000000000000009")
    assert link.is_symlink()
    with MetaStore.open(level21_bolt, write=False) as store, store.view() as tx:
        assert tx.table("idsv1").get(b"id") == b"0000000000000009"


def test_the_lock_is_held_until_close(level21_bolt: Path) -> None:
    store = MetaStore.open(level21_bolt, write=True)
    store.require_sound()
    with store.second_look(), store.descriptor():
        pass
    assert refused(level21_bolt).exit_code == ExitCode.BUSY
    store.close()
    store.close()
    MetaStore.open(level21_bolt, write=True).close()


def test_an_exception_in_an_update_drops_everything(level21_bolt: Path) -> None:
    before = level21_bolt.read_bytes()

    def spoil(store: MetaStore) -> None:
        with store.update() as tx:
            tx.table("idsv1").put(b"id", b"0000000000000009")
            raise ZeroDivisionError

    with MetaStore.open(level21_bolt, write=True) as store:
        with pytest.raises(ZeroDivisionError):
            spoil(store)
        assert store.txid == 131
    assert level21_bolt.read_bytes() == before


def test_an_error_of_the_caller_is_not_taken_for_one_of_the_store(level21_bolt: Path) -> None:
    def stop(_: object) -> None:
        raise BrokenPipeError

    with MetaStore.open(level21_bolt, write=False) as store, store.view() as tx:
        users = map(stop, tx.users.walk([]))
        with pytest.raises(BrokenPipeError):
            next(users)


def test_the_second_look_sees_what_was_committed(level21_bolt: Path) -> None:
    with MetaStore.open(level21_bolt, write=True) as store:
        with store.update() as tx:
            tx.table("idsv1").put(b"id", b"0000000000000009")
        with store.second_look() as tx:
            assert tx.table("idsv1").get(b"id") == b"0000000000000009"
            assert tx.txid == store.txid


def test_a_file_put_in_the_place_of_the_locked_one_is_noticed(level21_bolt: Path) -> None:
    """Another program that renames over the store defeats the lock; nothing it did is trusted."""
    other = level21_bolt.with_name("other")
    other.write_bytes(level21_bolt.read_bytes())
    with MetaStore.open(level21_bolt, write=True) as store:
        other.rename(level21_bolt)
        with pytest.raises(StoreBusyError, match="another file has been put in its place"):
            store.second_look().__enter__()
        with pytest.raises(StoreBusyError, match="another file has been put in its place"):
            store.descriptor().__enter__()


@pytest.mark.damages
@pytest.mark.parametrize("kind", ["older copy", "cut", "another store"])
def test_what_another_program_wrote_under_the_lock_is_neither_read_nor_written_over(
    level21_bolt: Path, level17_bolt: Path, kind: str
) -> None:
    before = level21_bolt.read_bytes()
    with MetaStore.open(level21_bolt, write=True) as store:
        with store.update() as tx:
            tx.table("idsv1").put(b"id", b"0000000000000009")
        match kind:
            case "older copy":  # as `cp backup influxd.bolt` does it
                level21_bolt.write_bytes(before)
            case "cut":
                os.truncate(level21_bolt, len(before) // 2)
            case _:
                level21_bolt.write_bytes(level17_bolt.read_bytes())
        after = level21_bolt.read_bytes()
        with pytest.raises(StoreBusyError, match="another program has written to it"):
            store.view().__enter__()
        with pytest.raises(StoreBusyError, match="another program has written to it"):
            store.update().__enter__()
    assert level21_bolt.read_bytes() == after


@pytest.mark.damages
def test_what_was_written_between_plan_and_commit_is_not_written_over(level21_bolt: Path) -> None:
    before = level21_bolt.read_bytes()
    with MetaStore.open(level21_bolt, write=True) as store:
        with store.update() as tx:
            tx.table("idsv1").put(b"id", b"0000000000000009")
        with store.staged(lambda tx: tx.table("idsv1").put(b"id", b"1")) as change:
            level21_bolt.write_bytes(before)
            with pytest.raises(StoreBusyError, match="another program has written to it"):
                change.commit()
    assert level21_bolt.read_bytes() == before


def test_creating_never_replaces(level21_bolt: Path) -> None:
    before = state_of(level21_bolt)
    with pytest.raises(ConflictError, match="exists already"):
        MetaStore.create(level21_bolt, level=21, fill=lambda _: None)
    assert state_of(level21_bolt) == before


def test_a_failed_creation_leaves_nothing(tmp_path: Path) -> None:
    def fail(tx: MetaTx) -> None:
        tx.create_table("usersv1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MetaStore.create(tmp_path / "influxd.bolt", level=21, fill=fail)
    assert list(tmp_path.iterdir()) == []


def test_creating_in_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecoveryError):
        MetaStore.create(tmp_path / "none" / "influxd.bolt", level=21, fill=lambda _: None)
    assert list(tmp_path.iterdir()) == []
