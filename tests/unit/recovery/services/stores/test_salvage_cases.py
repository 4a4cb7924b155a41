"""Damages that people reported, made in stores of real servers: the best of each comes back."""

from pathlib import Path
from random import Random
from typing import Final

import pytest

import bolt_store
from recovery.metastore.rebuilding import SalvageFacts
from recovery.model.recognition import COUNTED, RecordKind
from recovery.services.stores.salvage import salvage
from tests.support.history import Damage
from tests.support.memory_file import MemoryFile
from tests.support.model import Model, dump_file
from tests.support.ports import FixedClock
from tests.support.real_stores import real_store_bytes
from tests.support.stores import CHANGED_AT, SeededRng

PAGE: Final = 4096
SECTOR: Final = 512
USED: Final = "influxd-2.9.1-used"
AUTHORIZATIONS: Final = b"authorizationsv1"


class Salvaged:
    """Salvages contents into one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def __call__(self, content: bytes | bytearray) -> tuple[SalvageFacts, Model]:
        self.count += 1
        path = self.folder / f"{self.count}.bolt"
        path.write_bytes(content)
        target = self.folder / f"{self.count}.new"
        facts, _ = salvage(
            path,
            target,
            page_size_bytes=None,
            root_pgid=None,
            use_older=False,
            clock=FixedClock(CHANGED_AT),
            rng=SeededRng(),
        )
        with bolt_store.open(target) as db:
            return facts, dump_file(db)


@pytest.fixture
def run(tmp_path: Path) -> Salvaged:
    return Salvaged(tmp_path)


def content_of(image: bytes) -> Model:
    with bolt_store.open_file(MemoryFile(image), write=False) as db:
        return dump_file(db)


def counts(model: Model) -> dict[RecordKind, int]:
    return {kind: len(model.get(kind.value.encode(), {})) for kind in COUNTED}


def root_children(image: bytes) -> list[int]:
    """Return the leaves of the newest root, which is a branch."""
    damage = Damage(image, PAGE)
    return damage.children(damage.meta.root_pgid)


def newest_leaves(image: bytes) -> list[int]:
    with bolt_store.open_file(MemoryFile(image), write=False) as db:
        return [
            info.pgid
            for info in bolt_store.page_infos(db)
            if info.state == "used" and info.kind == "leaf"
        ]


def flip(content: bytearray, at: int, bit: int) -> bytearray:
    content[at] ^= 1 << bit
    return content


def test_a_bad_sector_in_the_left_leaf_of_the_root_costs_no_record(run: Salvaged) -> None:
    image = real_store_bytes(USED)
    left = root_children(image)[0]
    damage = Damage(image, PAGE).put(left, bytes(SECTOR), at=SECTOR)
    facts, model = run(damage.content)
    before = counts(content_of(image))
    after = counts(model)
    assert all(after[kind] >= before[kind] - 1 for kind in COUNTED)
    assert not facts.is_complete


def test_half_a_root_is_not_taken_for_the_root(run: Salvaged) -> None:
    """The newer meta names a leaf of the root as root, and the root itself as freelist."""
    image = real_store_bytes(USED)
    damage = Damage(image, PAGE)
    root = damage.meta.root_pgid
    damage.sign(
        damage.slot,
        damage.meta._replace(root_pgid=damage.children(root)[0], freelist_pgid=root),
    )
    facts, model = run(damage.content)
    assert model == content_of(image)
    assert facts.missing_names == ()


def test_a_bad_sector_in_a_leaf_that_both_roots_share_costs_what_lies_in_it(run: Salvaged) -> None:
    image = with_two_commits(real_store_bytes(USED))
    right = root_children(image)[-1]
    damage = Damage(image, PAGE).put(right, bytes(SECTOR), at=2 * SECTOR)
    facts, model = run(damage.content)
    before = content_of(image)
    assert 0 < len(before.keys() - model.keys()) < 15
    assert model == {name: before[name] for name in model}
    assert not facts.is_complete


def with_two_commits(image: bytes) -> bytes:
    """Change one token twice, so that all else is shared by both states of the file."""
    file = MemoryFile(image)
    for number in range(2):
        with bolt_store.open_file(file, write=True) as db, db.update() as tx:
            bucket = tx.bucket(AUTHORIZATIONS)
            key, record = next(iter(bucket.items()))
            assert record is not None
            bucket.put(b"%016x" % (0xABCD << 48 | number), record.replace(key, b"%016x" % number))
    return file.content()


@pytest.mark.parametrize("size", [80, SECTOR, PAGE])
def test_both_metas_zero_cost_nothing(run: Salvaged, size: int) -> None:
    image = with_two_commits(real_store_bytes(USED))
    damage = Damage(image, PAGE).put(0, bytes(size)).put(1, bytes(size))
    facts, model = run(damage.content)
    assert model == content_of(image)
    assert not facts.is_newest, "without metas nothing is sure of it"


def test_a_store_without_users_is_whole_when_that_is_its_newest_state(run: Salvaged) -> None:
    """That no user is left is for a person to see; salvage has left nothing out."""
    file = MemoryFile(real_store_bytes("influxd-2.9.1-setup"))
    with bolt_store.open_file(file, write=True) as db, db.update() as tx:
        for name in (b"usersv1", b"userindexv1", b"userspasswordv1"):
            bucket = tx.bucket(name)
            for key, _ in list(bucket.items()):
                bucket.delete(key)
    facts, model = run(file.content())
    assert model == content_of(file.content())
    assert facts.is_complete
    assert facts.record_counts[RecordKind.USER] == 0
    assert RecordKind.USER in {left.record.kind for left in facts.left_aside}


@pytest.mark.parametrize("name", ["influxd-2.9.1-setup", "influxd-2.7.12-setup"])
def test_one_flipped_bit_in_a_leaf_never_empties_a_store(run: Salvaged, name: str) -> None:
    image = real_store_bytes(name)
    before = counts(content_of(image))
    random = Random(7)
    for pgid in newest_leaves(image):
        for at in (8, 10, 16 + 4, 16 + 8, random.randrange(16, PAGE // 2)):
            damaged = flip(bytearray(image), pgid * PAGE + at, random.randrange(8))
            _, model = run(damaged)
            after = counts(model)
            assert all(before[kind] - after[kind] <= 1 for kind in COUNTED), (pgid, at)


def test_one_flipped_bit_costs_a_few_of_300_tokens_that_were_imported_at_once(
    run: Salvaged,
) -> None:
    file, ids = with_more_tokens(300)
    image = file.content()
    leaf = next(pgid for pgid in newest_leaves(image) if ids[150] in Damage(image, PAGE).page(pgid))
    for at, bit in ((16 + 7, 6), (16 + 16 + 7, 6), (10, 7), (8, 5)):
        _, model = run(flip(bytearray(image), leaf * PAGE + at, bit))
        kept = model[AUTHORIZATIONS]
        assert isinstance(kept, dict)
        assert sum(one in kept for one in ids) >= 296, (at, bit)


def with_more_tokens(count: int) -> tuple[MemoryFile, list[bytes]]:
    """Put copies of a token's record into a store, in one transaction."""
    file = MemoryFile(real_store_bytes("influxd-2.9.1-setup"))
    ids = [b"%016x" % (0x0ABCD00000000000 + number) for number in range(count)]
    with bolt_store.open_file(file, write=True) as db, db.update() as tx:
        bucket = tx.bucket(AUTHORIZATIONS)
        own, record = next(iter(bucket.items()))
        assert record is not None
        for one in ids:
            bucket.put(one, record.replace(own, one))
    return file, ids


def test_a_leaked_page_does_not_bring_a_revoked_token_back(run: Salvaged) -> None:
    """The freelist has lost one page, with the state of a leaf before a token was deleted."""
    file, ids = with_more_tokens(300)
    before = Damage(file.content(), PAGE)
    with bolt_store.open_file(file, write=True) as db, db.update() as tx:
        tx.bucket(AUTHORIZATIONS).delete(ids[150])
    damage = Damage(file.content(), PAGE)
    freelist = damage.meta.freelist_pgid
    assert freelist is not None
    page = damage.page(freelist)
    free_count = int.from_bytes(page[10:12], "little")
    free = [int.from_bytes(page[16 + 8 * at : 24 + 8 * at], "little") for at in range(free_count)]
    leaked = next(pgid for pgid in free if ids[150] in before.page(pgid))
    overflow = int.from_bytes(before.page(leaked)[12:16], "little")
    free = [pgid for pgid in free if not leaked <= pgid <= leaked + overflow]
    body = b"".join(pgid.to_bytes(8, "little") for pgid in free)
    damage.put(freelist, len(free).to_bytes(2, "little"), at=10).put(freelist, body, at=16)
    facts, model = run(damage.content)
    kept = model[AUTHORIZATIONS]
    assert isinstance(kept, dict)
    assert ids[150] not in kept
    assert len(set(ids) & kept.keys()) == 299
    assert facts.is_newest
    assert not facts.is_complete, "the page could also be what is left of a lost write"
