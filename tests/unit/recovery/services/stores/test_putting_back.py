"""What salvage leaves aside can be put back, and the store is sound afterwards."""

import json
from pathlib import Path
from typing import Final

import pytest

import bolt_store
from recovery.errors import RefusedError
from recovery.metastore.rebuilding import SalvageFacts
from recovery.model.recognition import RecordKind
from recovery.services.stores.salvage import Prospect, salvage
from tests.support.history import Damage
from tests.support.model import Model, dump_file
from tests.support.ports import FixedClock
from tests.support.real_stores import real_store_bytes
from tests.support.stores import CHANGED_AT, SeededRng

PAGE: Final = 4096
USED: Final = "influxd-2.9.1-used"
FREELIST: Final = 16


class Salvaged:
    """Salvages contents into one folder."""

    def __init__(self, folder: Path) -> None:
        self.source, self.target = folder / "influxd.bolt", folder / "new"

    def __call__(self, content: bytes, *wanted: str) -> tuple[SalvageFacts, Prospect | None, Model]:
        self.source.write_bytes(content)
        self.target.unlink(missing_ok=True)
        facts, prospect = salvage(
            self.source,
            self.target,
            page_size_bytes=None,
            root_pgid=None,
            use_older=False,
            put_back=frozenset(wanted),
            clock=FixedClock(CHANGED_AT),
            rng=SeededRng(),
        )
        if not facts.is_written:
            return facts, prospect, {}
        with bolt_store.open(self.target) as db:
            return facts, prospect, dump_file(db)


@pytest.fixture
def run(tmp_path: Path) -> Salvaged:
    return Salvaged(tmp_path)


def content_of(image: bytes) -> Model:
    with bolt_store.open_file(Damage(image, PAGE).file, write=False) as db:
        return dump_file(db)


def bucket(model: Model, name: str) -> dict[bytes, object]:
    found = model.get(name.encode(), {})
    assert isinstance(found, dict)
    return dict(found)


def org_of(record: object) -> bytes:
    assert isinstance(record, bytes)
    return str(json.loads(record)["orgID"]).encode()


def without_the_tree_of(name: bytes, image: bytes) -> bytes:
    """Lose the page that a bucket begins at, in both states, and every freelist."""
    damage = Damage(image, PAGE)
    with bolt_store.open_file(damage.file, write=False) as db:
        roots = {one.root_pgid for one in bolt_store.bucket_tree(db) if one.name == name}
    for pgid in range(2, len(image) // PAGE):
        page = damage.page(pgid)
        if page[8] == FREELIST or pgid in roots:
            damage.wipe(pgid)
    return bytes(damage.content)


def test_what_may_be_lost_comes_back_with_its_index(run: Salvaged) -> None:
    image = real_store_bytes(USED)
    damaged = without_the_tree_of(b"authorizationsv1", image)
    before, _, _ = run(damaged)
    aside = [one for one in before.left_aside if one.record.kind is RecordKind.AUTHORIZATION]
    assert aside
    assert any(one.may_be_lost for one in aside)
    after, prospect, model = run(damaged, "lost")
    truth = content_of(image)
    whole, found = bucket(truth, "authorizationsv1"), bucket(model, "authorizationsv1")
    assert found
    organizations = bucket(truth, "organizationsv1")
    current = {key for key, value in whole.items() if org_of(value) in organizations}
    assert set(found) >= current, "but for those of an organization that was deleted"
    assert after.put_back_counts[RecordKind.AUTHORIZATION] == len(found)
    assert prospect is not None
    assert prospect.sentence.startswith("influxd will start")
    names = ("authorizationindexv1", "authorizationhashedindexv1")
    indexed = {value for name in names for value in bucket(model, name).values()}
    assert indexed >= set(found)


def test_without_any_root_a_store_is_made_of_the_records(run: Salvaged) -> None:
    image = with_more(real_store_bytes("influxd-2.9.1-setup"), b"usersv1", b"organizationsv1")
    damage = Damage(image, PAGE).wipe_metas()
    names = content_of(image)
    for pgid in range(2, len(image) // PAGE):
        page = damage.page(pgid)
        if page[8] == FREELIST or any(name in page for name in names):
            damage.wipe(pgid)
    nothing, _, _ = run(bytes(damage.content))
    assert not nothing.is_written
    facts, prospect, model = run(bytes(damage.content), "all")
    assert facts.is_written
    kinds = {RecordKind.USER, RecordKind.ORGANIZATION, RecordKind.AUTHORIZATION}
    assert {kind for kind in kinds if facts.put_back_counts.get(kind)} == kinds
    before = content_of(image)
    assert all(bucket(model, kind.value) == bucket(before, kind.value) for kind in kinds)
    assert prospect is not None
    assert prospect.sentence.startswith("influxd will start")


def with_more(image: bytes, *names: bytes) -> bytes:
    """Copy the record of each bucket under many IDs and names, so that none of them is inline."""
    file = Damage(image, PAGE).file
    with bolt_store.open_file(file, write=True) as db, db.update() as tx:
        for name in names:
            table = tx.bucket(name)
            _, value = next(iter(table.items()))
            assert value is not None
            for number in range(40):
                other = b"%016x" % (0xAB00000000000000 + number)
                record = json.loads(value) | {"id": other.decode(), "name": f"copy {number}"}
                table.put(other, json.dumps(record, separators=(",", ":")).encode())
    return file.content()


def test_one_record_is_put_back_by_its_id(run: Salvaged) -> None:
    damaged = without_the_tree_of(b"authorizationsv1", real_store_bytes(USED))
    before, _, _ = run(damaged)
    one = next(one for one in before.left_aside if one.record.kind is RecordKind.AUTHORIZATION)
    facts, _, model = run(damaged, one.record.id)
    assert facts.put_back_counts == {RecordKind.AUTHORIZATION: 1}
    assert list(bucket(model, "authorizationsv1")) == [one.key]


def test_what_was_not_left_aside_is_refused_and_nothing_is_made(run: Salvaged) -> None:
    with pytest.raises(RefusedError, match="was left aside"):
        run(real_store_bytes(USED), "0123456789abcdef")
    assert not run.target.exists()


def test_a_deleted_user_whose_name_is_taken_stays_out(run: Salvaged) -> None:
    damage = Damage(real_store_bytes("influxd-2.9.1-setup"), PAGE)
    file = damage.file
    with bolt_store.open_file(file, write=True) as db, db.update() as tx:
        users = tx.bucket(b"usersv1")
        key, value = next(iter(users.items()))
        assert value is not None
        users.delete(key)
        other = b"0a" + key[2:]
        users.put(other, value.replace(key, other))
    facts, _, model = run(file.content(), "all")
    assert list(bucket(model, "usersv1")) == [other]
    assert any("name or token" in note for note in facts.put_back_notes)
