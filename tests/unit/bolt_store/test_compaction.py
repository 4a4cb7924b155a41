"""Compaction and bulk load: same content, packed, secrets gone, and never a file half made."""

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import bolt_store
from bolt_store import BucketContent, compact, rebuild
from bolt_store.compaction import Content
from bolt_store.errors import (
    BoltError,
    CommitError,
    DamagedError,
    IncompatibleValueError,
    KeyOrderError,
    KeyRequiredError,
    KeyTooLargeError,
    LimitError,
    TxClosedError,
)
from tests.support.memory_file import MemoryFile
from tests.support.model import Changes, Model, dump_file, problems
from tests.support.oracle import Dump, Oracle, Script, Session
from tests.support.turns import require_sound

PAGE_SIZES = pytest.mark.parametrize("page_size_bytes", [1024, 4096, 16384])


def grown(path: Path, *, page_size_bytes: int, seed: int = 3, commit_count: int = 6) -> Model:
    """Make a file with a history: nested buckets, overflow values, free pages."""
    model: Model = {}
    changes = Changes(Random(seed), page_size_bytes=page_size_bytes)
    with bolt_store.create(path, page_size_bytes=page_size_bytes) as db:
        for _ in range(commit_count):
            with db.update() as tx:
                changes.apply(tx, model, 60)
    return model


def numbered(count: int, size_bytes: int = 16) -> Iterator[tuple[bytes, bytes]]:
    for number in range(count):
        yield b"k%014d" % number, b"v" * size_bytes


def nested(depth: int) -> Content:
    """Give buckets in buckets, and one key in the innermost."""
    if depth:
        yield b"n", BucketContent(items=nested(depth - 1), sequence=depth)
    else:
        yield b"k", b"v"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@PAGE_SIZES
def test_compact_keeps_everything_and_checks_clean(tmp_path: Path, page_size_bytes: int) -> None:
    model = grown(tmp_path / "source", page_size_bytes=page_size_bytes)
    with bolt_store.open(tmp_path / "source") as source:
        before, meta = Dump.of(source), source.meta
        report = compact(source, tmp_path / "target")
    with bolt_store.open(tmp_path / "target") as target:
        assert model == dump_file(target)
        assert before == Dump.of(target), "the sequences, too"
        assert problems(target) == []
        assert meta.page_size_bytes == target.meta.page_size_bytes
        assert meta.txid == target.meta.txid
        assert report.meta == target.meta
        older = target.pager.older.meta
        assert older is not None
        assert (older.txid, older.root_pgid) == (meta.txid - 1, target.meta.root_pgid)
        size = target.meta.high_water_mark * page_size_bytes
    assert size == report.size_bytes == (tmp_path / "target").stat().st_size
    assert size < (tmp_path / "source").stat().st_size


def test_compact_drops_the_secrets_of_freed_pages(tmp_path: Path) -> None:
    secret = b"canary-7Qx1-deleted-token"
    with bolt_store.create(tmp_path / "source") as db:
        with db.update() as tx:
            tx.create_bucket(b"b").put(b"k", secret * 100)
        with db.update() as tx:
            tx.bucket(b"b").delete(b"k")
            tx.bucket(b"b").put(b"other", b"v")
        assert secret in (tmp_path / "source").read_bytes()
        compact(db, tmp_path / "target")
    assert secret not in (tmp_path / "target").read_bytes()


def test_compact_of_a_writing_transaction_has_its_changes(tmp_path: Path) -> None:
    with bolt_store.create(tmp_path / "source") as db, db.update() as tx:
        tx.create_bucket(b"b").put(b"k", b"v")
        compact(tx, tmp_path / "target")
        tx.rollback()
    with bolt_store.open(tmp_path / "target") as target:
        assert dump_file(target) == {b"b": {b"k": b"v"}}


def test_compact_refuses_a_transaction_that_has_ended(tmp_path: Path) -> None:
    with bolt_store.create(tmp_path / "source") as db:
        tx = db.view()
        tx.rollback()
        with pytest.raises(TxClosedError):
            compact(tx, tmp_path / "target")
    assert names(tmp_path) == ["source"]


def test_compact_survives_three_thousand_levels(tmp_path: Path) -> None:
    rebuild(nested(3000), tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        report = compact(source, tmp_path / "target")
    assert (report.bucket_count, report.key_count) == (3000, 1)
    assert (tmp_path / "source").read_bytes() == (tmp_path / "target").read_bytes()


def test_compact_refuses_a_damaged_source_and_leaves_nothing(tmp_path: Path) -> None:
    grown(tmp_path / "source", page_size_bytes=1024)
    content = bytearray((tmp_path / "source").read_bytes())
    with bolt_store.open(tmp_path / "source") as db:
        root = db.meta.root_pgid
    content[root * 1024 + 16 : root * 1024 + 1024] = b"\xff" * 1008
    with (
        bolt_store.open_file(MemoryFile(bytes(content)), write=False) as db,
        pytest.raises(DamagedError),
    ):
        compact(db, tmp_path / "target")
    assert names(tmp_path) == ["source"]


def test_compact_never_replaces_a_file_nor_follows_a_symlink(tmp_path: Path) -> None:
    grown(tmp_path / "source", page_size_bytes=1024)
    (tmp_path / "there").write_bytes(b"precious")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = (tmp_path / "source").read_bytes()
    with bolt_store.open(tmp_path / "source") as db:
        for name in ("there", "source", "dangling"):
            with pytest.raises(FileExistsError):
                compact(db, tmp_path / name)
    assert (tmp_path / "there").read_bytes() == b"precious"
    assert before == (tmp_path / "source").read_bytes()
    assert names(tmp_path) == ["dangling", "source", "there"]


def test_compact_keeps_the_mode_of_its_source(tmp_path: Path) -> None:
    grown(tmp_path / "source", page_size_bytes=1024)
    (tmp_path / "source").chmod(0o640)
    with bolt_store.open(tmp_path / "source") as db:
        compact(db, tmp_path / "target")
    assert (tmp_path / "target").stat().st_mode & 0o7777 == 0o640


def test_rebuild_makes_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    rebuild([], tmp_path / "target")
    assert (tmp_path / "target").stat().st_mode & 0o7777 == 0o600


def test_a_target_in_a_folder_that_is_not_there_is_a_failed_write(tmp_path: Path) -> None:
    with pytest.raises(CommitError) as caught:
        rebuild([], tmp_path / "absent" / "target")
    assert caught.value.outcome == "unchanged"


_COMPACT_WITH_LIMIT = """
import resource, signal, sys
import bolt_store
from bolt_store.errors import CommitError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
with bolt_store.open(sys.argv[1]) as db:
    try:
        bolt_store.compact(db, sys.argv[2])
    except CommitError as error:
        print(error.phase, error.outcome)
"""


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    grown(tmp_path / "source", page_size_bytes=1024)
    paths = [str(tmp_path / name) for name in ("source", "target")]
    command = [sys.executable, "-c", _COMPACT_WITH_LIMIT, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "data unchanged\n"
    assert names(tmp_path) == ["source"]


def test_an_exception_in_the_content_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Content:
        yield b"b", BucketContent(items=numbered(10_000))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rebuild(failing(), tmp_path / "target")
    assert names(tmp_path) == []


def test_rebuild_holds_little_of_what_it_writes(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        report = rebuild([(b"b", BucketContent(items=numbered(4_000, 8_000)))], tmp_path / "target")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.size_bytes > 32_000_000
    assert peak_bytes < 8_000_000


def test_compact_holds_little_of_what_it_copies(tmp_path: Path) -> None:
    rebuild([(b"b", BucketContent(items=numbered(4_000, 8_000)))], tmp_path / "source")
    with bolt_store.open(tmp_path / "source") as source:
        tracemalloc.start()
        try:
            compact(source, tmp_path / "target")
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak_bytes < 8_000_000


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ([(b"b", BucketContent(items=[(b"k", b""), (b"k", b"")]))], KeyOrderError),
        ([(b"b", BucketContent(items=[])), (b"a", BucketContent(items=[]))], KeyOrderError),
        ([(b"b", BucketContent(items=[(b"", b"v")]))], KeyRequiredError),
        ([(b"", BucketContent(items=[]))], KeyRequiredError),
        ([(b"b", BucketContent(items=[(b"k" * 32769, b"v")]))], KeyTooLargeError),
        ([(b"b", BucketContent(items=[], sequence=1 << 64))], LimitError),
        ([(b"b", b"plain")], IncompatibleValueError),
    ],
)
def test_rebuild_refuses_what_a_file_cannot_hold(
    tmp_path: Path, content: Content, error: type[BoltError]
) -> None:
    with pytest.raises(error):
        rebuild(content, tmp_path / "target")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "settings", [{"page_size_bytes": 512}, {"page_size_bytes": 5000}, {"txid": 1 << 64}]
)
def test_rebuild_refuses_an_impossible_page_size_or_txid(
    tmp_path: Path, settings: dict[str, int]
) -> None:
    with pytest.raises(LimitError):
        rebuild([], tmp_path / "target", **settings)


@PAGE_SIZES
def test_keys_of_every_size_end_in_a_sound_tree(tmp_path: Path, page_size_bytes: int) -> None:
    random = Random(5)
    sizes = [1, 30, page_size_bytes // 3, page_size_bytes, 32768]
    for count in (0, 1, 2, 3, 4, 5, 7, 40, 400):
        chosen = sizes if count <= 40 else sizes[:3]
        keys = [(b"%06d" % n).ljust(random.choice(chosen), b"k")[:32768] for n in range(count)]
        items = [(key, b"v" * (len(key) % 900)) for key in keys]
        path = tmp_path / str(count)
        rebuild([(b"b", BucketContent(items=items))], path, page_size_bytes=page_size_bytes)
        with bolt_store.open(path) as db:
            assert problems(db) == []
            assert dump_file(db) == {b"b": dict(items)}


@pytest.mark.parametrize("excess", [-1, 0, 1])
def test_a_bucket_is_inline_up_to_a_quarter_of_a_page(tmp_path: Path, excess: int) -> None:
    value = b"v" * (4096 // 4 - 16 - 16 - 1 + excess)
    rebuild([(b"b", BucketContent(items=[(b"k", value)]))], tmp_path / "t", page_size_bytes=4096)
    with bolt_store.open(tmp_path / "t") as db:
        page_count = db.meta.high_water_mark
    assert page_count == (4 if excess <= 0 else 5)


def test_a_leaf_is_filled_to_its_last_byte(tmp_path: Path) -> None:
    # 16 for the page, and 16 + 15 + 37 for each of 60 elements: exactly one page.
    items = numbered(120, 37)
    rebuild([(b"b", BucketContent(items=items))], tmp_path / "t", page_size_bytes=4096)
    with bolt_store.open(tmp_path / "t") as db:
        assert db.meta.high_water_mark == 2 + 2 + 1 + 1 + 1


def random_content(random: Random, depth: int) -> list[tuple[bytes, bytes | BucketContent]]:
    """Make up to 150 keys of all sizes, and below them buckets of the same kind."""
    items: dict[bytes, bytes | BucketContent] = {
        b"k%05d" % random.randrange(99_999): random.randbytes(random.choice([0, 20, 90, 400, 5000]))
        for _ in range(random.choice([2, 20, 150]))
    }
    for name in (b"a", b"n" * 60):
        if depth:
            items[name] = BucketContent(items=random_content(random, depth - 1), sequence=depth)
    return sorted(items.items())


@pytest.mark.parametrize("seed", range(3))
def test_go_empties_and_refills_what_was_rebuilt(oracle: Oracle, tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    top = BucketContent(items=random_content(random, 2), sequence=9)
    rebuild([(b"top", top)], tmp_path / "source", page_size_bytes=random.choice([1024, 4096]))
    path = tmp_path / "target"
    with bolt_store.open(tmp_path / "source") as source:
        compact(source, path)
        expected = Dump.of(source)
    keys = list(plain_keys(expected.model, ()))
    random.shuffle(keys)
    with oracle.session() as session:
        require_sound(path, session, expected)
        for start in range(0, len(keys), 40):
            script = Script()
            for place, key in keys[start : start + 40]:
                script.delete(place, key)
            change(path, session, script)
        script = Script()
        for place, key in keys:
            script.put(place, key, b"again")
        change(path, session, script)


def change(path: Path, session: Session, script: Script) -> None:
    """Let Go commit a script, and check the file with both."""
    with session.opened(path):
        assert session.commit(script).skipped == 0
        expected = session.dump()
    require_sound(path, session, expected)


def plain_keys(model: Model, place: tuple[bytes, ...]) -> Iterator[tuple[tuple[bytes, ...], bytes]]:
    for key, value in model.items():
        if isinstance(value, dict):
            yield from plain_keys(value, (*place, key))
        else:
            yield place, key


def test_go_reads_three_thousand_levels(oracle: Oracle, tmp_path: Path) -> None:
    rebuild(nested(3000), tmp_path / "t", page_size_bytes=1024)
    assert oracle.check(tmp_path / "t") == []


def test_a_real_store_becomes_smaller_and_stays_the_same(
    level21_bolt: Path, tmp_path: Path
) -> None:
    with bolt_store.open(level21_bolt) as source:
        compact(source, tmp_path / "target")
        assert Dump.of(source) == Dump.of_file(tmp_path / "target")
    assert (tmp_path / "target").stat().st_size < level21_bolt.stat().st_size
