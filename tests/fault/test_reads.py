"""Reads that fail: the n-th, for every n, through opening, checking, changing and committing."""

import errno
from contextlib import suppress
from random import Random

import pytest

import bolt_store
from bolt_store.db import new_pages
from bolt_store.errors import CommitError
from tests.support.memory_file import MemoryFile
from tests.support.model import Changes, Model, copy_model, dump_file, problems


class UnreadableFile(MemoryFile):
    """Fails one read."""

    def __init__(self, content: bytes, *, fail_at: int) -> None:
        super().__init__(content)
        self._left = fail_at

    @property
    def has_failed(self) -> bool:
        return self._left <= 0

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        self._left -= 1
        if self._left == 0:
            raise OSError(errno.EIO, "input/output error")
        return super().read_at(offset, size_bytes)


def history(seed: int) -> tuple[bytes, Model]:
    """Return a file with a few commits behind it, and what it holds."""
    file = MemoryFile(new_pages(1024))
    model: Model = {}
    with bolt_store.open_file(file, write=True) as db:
        for number in range(3):
            with db.update() as tx:
                Changes(Random(seed + number), page_size_bytes=1024).apply(tx, model, 25)
    return file.content(), model


def change(file: MemoryFile, model: Model, seed: int) -> Model:
    """Open, change, commit and read everything; return what the file must hold then."""
    after = copy_model(model)
    with bolt_store.open_file(file, write=True) as db:
        with db.update() as tx:
            Changes(Random(seed), page_size_bytes=1024).apply(tx, after, 10)
        assert dump_file(db) == after
    return after


@pytest.mark.parametrize("seed", range(6))
def test_the_nth_read_that_fails_leaves_the_state_before_or_after(seed: int) -> None:
    content, before = history(seed)
    after = change(MemoryFile(content), before, seed)
    outcomes: set[str] = set()
    for fail_at in range(1, 5_000):
        file = UnreadableFile(content, fail_at=fail_at)
        allowed = [before, after]
        try:
            change(file, before, seed)
        except CommitError as error:
            outcomes.add(f"{error.phase} {error.outcome}")
            if error.outcome == "unchanged":
                allowed = [before]
        except OSError:
            outcomes.add("passed on")  # before the commit, or from reading everything after it
        else:
            assert not file.has_failed
            break
        with bolt_store.open_file(MemoryFile(file.content()), write=False) as again:
            assert problems(again) == []
            assert dump_file(again) in allowed
    assert outcomes == {"passed on", "data unchanged", "meta unknown"}


class FlakyFile(MemoryFile):
    """Fails some reads while it is told to."""

    def __init__(self, content: bytes, random: Random) -> None:
        super().__init__(content)
        self._random = random
        self.is_flaky = False
        self.failures = 0

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        if self.is_flaky and self._random.random() < 0.1:
            self.failures += 1
            raise OSError(errno.EIO, "input/output error")
        return super().read_at(offset, size_bytes)


@pytest.mark.parametrize("seed", range(30))
def test_an_operation_that_fails_has_changed_nothing(seed: int) -> None:
    """Whoever catches the error may go on and commit."""
    random = Random(seed)
    content, model = history(seed)
    file = FlakyFile(content, random)
    with bolt_store.open_file(file, write=True) as db:
        for _ in range(4):
            with db.update() as tx:
                file.is_flaky = True
                for _ in range(40):
                    # The model changes after each call that has returned, so it stops where the
                    # file does.
                    with suppress(OSError):
                        Changes(random, page_size_bytes=1024).apply(tx, model, 1)
                file.is_flaky = False
            assert problems(db) == []
            assert dump_file(db) == model
    assert file.failures > 0
