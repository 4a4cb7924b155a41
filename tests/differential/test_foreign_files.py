"""Files made by programs that nobody here wrote, and tools that nobody here wrote on our files."""

import shutil
from pathlib import Path
from random import Random

import pytest

import bolt_store
from tests.support.absent import absent
from tests.support.bolt_tool import BoltTool
from tests.support.etcd import find_etcd, running_etcd
from tests.support.model import problems
from tests.support.oracle import Dump, Oracle
from tests.support.tables import page_table, stats
from tests.support.turns import RandomScripts, play, update

ETCD_KEYS = 3000
DELETED = range(1000, 1500)


def _etcd_key(number: int) -> bytes:
    return b"/registry/thing/%05d" % number


def _etcd_value(number: int) -> bytes:
    return b"value %d " % number * (number % 40)


@pytest.fixture(scope="module")
def etcd_program() -> str:
    """Debian's etcd."""
    return find_etcd() or absent("no etcd: apt-get install etcd-server")


@pytest.fixture(scope="module")
def etcd_data(etcd_program: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of an etcd that has put, deleted and compacted, and was stopped."""
    folder = tmp_path_factory.mktemp("etcd") / "data"
    with running_etcd(etcd_program, folder) as etcd:
        etcd.put_all((_etcd_key(number), _etcd_value(number)) for number in range(ETCD_KEYS))
        etcd.put_all((_etcd_key(number), b"again") for number in range(0, ETCD_KEYS, 3))
        etcd.delete_range(_etcd_key(DELETED.start), _etcd_key(DELETED.stop))
        etcd.compact()
    return folder


@pytest.fixture
def etcd_bolt(etcd_data: Path, tmp_path: Path) -> Path:
    """A copy of the file of that etcd."""
    copy = tmp_path / "etcd.bolt"
    shutil.copyfile(etcd_data / "member" / "snap" / "db", copy)
    return copy


def test_the_file_of_a_real_etcd_checks_clean(etcd_bolt: Path) -> None:
    with bolt_store.open(etcd_bolt) as db:
        assert problems(db) == []
        assert db.meta.freelist_pgid is None, "etcd stores no freelist"


def test_the_file_of_a_real_etcd_reads_as_in_go(etcd_bolt: Path, oracle: Oracle) -> None:
    found = Dump.of_file(etcd_bolt)
    assert oracle.dump(etcd_bolt) == found
    keys = found.model[b"key"]
    assert isinstance(keys, dict)
    assert len(keys) >= ETCD_KEYS - len(DELETED)


def test_a_commit_stores_the_freelist_that_etcd_left_out(
    etcd_bolt: Path, oracle: Oracle, bolt_tool: BoltTool
) -> None:
    """Boltdb 1.3.1 cannot open the file before; afterwards it finds no fault with it."""
    before = oracle.dump(etcd_bolt)
    update(
        etcd_bolt,
        lambda tx: tx.create_bucket(b"ours").put(b"k", b"v"),
        lambda tx: tx.delete_bucket(b"ours"),
    )
    assert bolt_tool.check(etcd_bolt) == []
    assert oracle.check(etcd_bolt) == []
    assert before == oracle.dump(etcd_bolt) == Dump.of_file(etcd_bolt)
    with bolt_store.open(etcd_bolt) as db:
        assert bolt_tool.pages(etcd_bolt) == page_table(db)
        assert bolt_tool.stats(etcd_bolt).items() >= stats(db).items()


def test_a_real_etcd_goes_on_with_a_file_that_bolt_store_wrote_to(
    etcd_program: str, etcd_data: Path, tmp_path: Path, oracle: Oracle
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(etcd_data, folder)
    path = folder / "member" / "snap" / "db"

    def rewrite(tx: bolt_store.Tx) -> None:
        keys = tx.bucket(b"key")
        for key, value in keys.items():
            assert value is not None
            keys.put(key, value)

    update(path, rewrite)
    with running_etcd(etcd_program, folder) as etcd:
        assert etcd.get(_etcd_key(3)) == b"again"
        assert etcd.get(_etcd_key(4)) == _etcd_value(4)
        assert etcd.get(_etcd_key(DELETED.start)) is None
        etcd.delete_range(_etcd_key(0), _etcd_key(ETCD_KEYS))
        etcd.put_all([(b"new", b"value")])
        etcd.compact()
        assert etcd.get(b"new") == b"value"
    assert oracle.check(path) == []
    with bolt_store.open(path) as db:
        assert problems(db) == []


# -- boltdb 1.3.1's own tool --------------------------------------------------------------------


@pytest.fixture(params=["level17", "level21", "python", "go"])
def any_bolt(
    request: pytest.FixtureRequest, stores_dir: Path, tmp_path: Path, oracle: Oracle
) -> Path:
    """A real store, or a file of random content."""
    path = tmp_path / "any.bolt"
    maker: str = request.param
    scripts = RandomScripts(Random(7), page_size_bytes=1024)
    transactions = [scripts.next() for _ in range(80)]
    if maker.startswith("level"):
        shutil.copyfile(stores_dir / f"{maker}.bolt", path)
    elif maker == "go":
        oracle.init(path, page_size_bytes=1024)
        oracle.apply(path, *transactions, flags=["-no-sync"])
    else:
        with bolt_store.create(path, page_size_bytes=1024) as db:
            for script in transactions:
                with db.update() as tx:
                    play(tx, script)
    return path


def test_the_tool_of_boltdb_finds_no_fault(any_bolt: Path, bolt_tool: BoltTool) -> None:
    assert bolt_tool.check(any_bolt) == []


def test_the_tool_of_boltdb_agrees_about_every_page(any_bolt: Path, bolt_tool: BoltTool) -> None:
    with bolt_store.open(any_bolt) as db:
        assert bolt_tool.pages(any_bolt) == page_table(db)


def test_the_tool_of_boltdb_agrees_about_the_statistics(
    any_bolt: Path, bolt_tool: BoltTool
) -> None:
    with bolt_store.open(any_bolt) as db:
        assert bolt_tool.stats(any_bolt).items() >= stats(db).items()
        assert bolt_tool.page_size_bytes(any_bolt) == db.meta.page_size_bytes


def test_the_tool_of_boltdb_finds_what_was_damaged(
    oracle: Oracle, bolt_tool: BoltTool, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.bolt"
    oracle.fill(path, 500)
    shape = oracle.pages(path)
    assert shape.freelist_pgid is not None
    content = bytearray(path.read_bytes())
    # A freelist of two equal ids.
    place = shape.freelist_pgid * shape.page_size_bytes
    content[place + 10 : place + 12] = (2).to_bytes(2, "little")
    content[place + 16 : place + 32] = (2).to_bytes(8, "little") * 2
    path.write_bytes(content)
    assert "page 2: already freed" in bolt_tool.check(path)
