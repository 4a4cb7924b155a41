"""Pages below a lost root are taken together, as far as they exclude each other in nothing."""

from pathlib import Path

import pytest

import bolt_store
from bolt_store import SalvageMethod, stale_entries
from tests.support.history import Damage
from tests.support.memory_file import MemoryFile
from tests.support.model import Model, dump_file
from tests.support.real_stores import real_store_bytes
from tests.support.salvaging import Salvager

PAGE = 4096
FREELIST = 16


def content_of(image: bytes) -> Model:
    with bolt_store.open_file(MemoryFile(image), write=False) as db:
        return dump_file(db)


def without_roots_and_freelists(image: bytes) -> Damage:
    """Lose the branches that name the pages of the root, and whatever tells of them."""
    damage = Damage(image, PAGE)
    for pgid in range(2, len(image) // PAGE):
        page = damage.page(pgid)
        if page[8] == FREELIST or pgid in (damage.meta.root_pgid, damage.older.root_pgid):
            damage.wipe(pgid)
    return damage


@pytest.fixture
def run(tmp_path: Path) -> Salvager:
    return Salvager(tmp_path)


@pytest.mark.parametrize("has_metas", [True, False])
@pytest.mark.parametrize("name", ["influxd-2.9.1-used", "influxd-2.7.12-used"])
def test_all_leaves_of_a_lost_root_come_back(run: Salvager, name: str, *, has_metas: bool) -> None:
    image = real_store_bytes(name)
    damage = without_roots_and_freelists(image)
    children = Damage(image, PAGE).children(damage.meta.root_pgid)
    if not has_metas:
        damage.wipe_metas()
    report, model = run(damage)
    assert model.keys() == content_of(image).keys()
    assert report.method is SalvageMethod.GUESSED
    assert not report.is_complete
    assert list(stale_entries(damage.file, report)), "those of former states are left aside"
    assert not {facts.root_pgid for facts in report.snapshots[1:]} & set(children)
