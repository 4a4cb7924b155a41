"""The pages of a real file, as a map."""

from pathlib import Path

import pytest

import bolt_store
from recovery.drawing.pages import PageUse
from recovery.services.authorizations.changes import SetStatus
from recovery.services.session import Session
from recovery.services.stores.page_map import PageMap
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, make_store
from tests.support.stores import change as make_change


def page_map(path: Path) -> PageMap:
    with Session.open(path) as session:
        return PageMap.of(session)


@pytest.mark.parametrize("level", [17, 21])
def test_every_page_is_counted_as_the_file_has_it(tmp_path: Path, level: int) -> None:
    path = make_store(tmp_path / "influxd.bolt", level=level).path
    found = page_map(path)
    with bolt_store.open(path, write=False) as db:
        stats = bolt_store.db_stats(db)
        names = {one.name.decode() for one in bolt_store.bucket_tree(db) if one.nesting_depth == 1}
    counts = dict(found.counts)
    assert (stats.page_count, stats.page_size_bytes) == (found.page_count, found.page_size_bytes)
    assert (2, stats.free_page_count) == (counts[PageUse.META], counts[PageUse.FREE])
    assert stats.unreachable_page_count == counts[PageUse.UNREACHABLE] == 0
    assert names == {one.name for one in found.buckets}
    assert found.page_count == sum(share.size for share in found.shares)


def test_the_pages_of_the_last_change_are_told_apart(tmp_path: Path) -> None:
    made = make_store(tmp_path / "influxd.bolt", level=21)
    make_change(
        made.path,
        SetStatus(authorization_id=made.reader, is_active=False, clock=FixedClock(CHANGED_AT)),
    )
    found = page_map(made.path)
    assert 0 < found.new_count < found.page_count
    assert {PageUse.LEAF, PageUse.FREELIST} <= {run.use for run in found.runs if run.is_new}
    assert PageUse.FREE not in {run.use for run in found.runs if run.is_new}
    assert f"the last change wrote {found.new_count}" in found.sentence
    assert "page new" in found.picture()
