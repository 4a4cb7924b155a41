"""Failing calls during a commit: each error says what is known of the file, and is right."""

import errno
import os
from collections.abc import Callable
from random import Random

import pytest

import bolt_store
from bolt_store.db import new_pages
from bolt_store.errors import CommitError, StateError
from tests.support.block_files import FaultFile
from tests.support.memory_file import MemoryFile
from tests.support.model import Changes, Model, copy_model, dump_file, problems

FAULTS: dict[str, Callable[[], OSError | None]] = {
    "EIO": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    "ENOSPC": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "short write": lambda: None,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("seed", range(8))
def test_the_nth_failing_call_leaves_the_state_that_the_error_names(
    seed: int, fault: Callable[[], OSError | None]
) -> None:
    random = Random(seed)
    model: Model = {}
    file = MemoryFile(new_pages(1024))
    with bolt_store.open_file(file, write=True) as db:
        for _ in range(3):
            with db.update() as tx:
                Changes(random, page_size_bytes=1024).apply(tx, model, 25)
    content = file.content()
    outcomes = set()
    for fail_at in range(1, 1_000):
        faulty = FaultFile(content, fail_at=fail_at, fault=fault)
        after = copy_model(model)
        with bolt_store.open_file(faulty, write=True) as db:
            try:
                with db.update() as tx:
                    Changes(Random(seed), page_size_bytes=1024).apply(tx, after, 10)
            except CommitError as error:
                outcomes.add(error.outcome)
                assert_state_is_as_told(db, faulty, error, before=model, after=after)
            else:
                assert not faulty.has_failed
                break
    assert outcomes == {"unchanged", "unknown"}


def assert_state_is_as_told(
    db: bolt_store.DB, file: FaultFile, error: CommitError, *, before: Model, after: Model
) -> None:
    if error.outcome == "unknown":
        with pytest.raises(StateError):
            db.view()
        allowed = [before, after]
    else:
        assert dump_file(db) == before
        allowed = [before]
    with bolt_store.open_file(MemoryFile(file.content()), write=True) as again:
        assert [text for text in problems(again) if "[meta.invalid]" not in text] == []
        state = dump_file(again)
        assert state in allowed
        with again.update() as tx:
            Changes(Random(1), page_size_bytes=1024).apply(tx, copy_model(state), 3)
        assert problems(again) == []


def test_a_writer_goes_on_after_a_commit_that_changed_nothing() -> None:
    file = FaultFile(new_pages(1024), fail_at=2, fault=FAULTS["ENOSPC"])
    with bolt_store.open_file(file, write=True) as db:
        with pytest.raises(CommitError), db.update() as tx:
            tx.create_bucket(b"lost")
        with db.update() as tx:
            tx.create_bucket(b"kept")
        assert list(dump_file(db)) == [b"kept"]
