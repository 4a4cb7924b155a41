"""Changes of one run of the daemon, on a disk that fails at any one call."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

import bolt_store
from recovery.daemon.answer import ApiError
from recovery.daemon.changes import Changes
from recovery.daemon.journal import Author
from recovery.model.ids import Id
from recovery.services.authorizations.record_changes import IssueAuthorization
from recovery.services.session import Session
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, ListRecorder, MadeStore, SeededRng, make_store

CLOCK: Final = FixedClock(CHANGED_AT)
AUTHOR: Final = Author(name="console key")
CALLS: Final = (
    "pwrite", "write", "copy_file_range", "fdatasync", "fsync", "ftruncate",
    "posix_fallocate", "link",
)  # fmt: skip
MINTS: Final = 3


@contextmanager
def failing(patch: pytest.MonkeyPatch, at: int, number: int) -> Iterator[list[str]]:
    """Let the n-th call that changes a file fail once; the list gets the names of all calls."""
    seen: list[str] = []

    def wrapped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 # any call of the system
            seen.append(name)
            if len(seen) == at:
                if name == "pwrite":  # half of it arrives
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2], *arguments[2:])
                raise OSError(number, os.strerror(number))
            return real(*arguments, **named)

        return call

    with patch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, wrapped(name, getattr(os, name)))
        yield seen


def mint(changes: Changes, made: MadeStore, seed: int) -> Id:
    planner = IssueAuthorization(
        org_id=Id(made.org), user_id=Id(made.alice), status="active", description="",
        permissions=(), server_hashes=None, clock=CLOCK, rng=SeededRng(seed),
    )  # fmt: skip
    return Id(changes.make(planner, AUTHOR).record_ids[0])


def minted(session: Session) -> set[Id]:
    with session.view() as view:
        return {one.id for one in view.tx.authorizations.walk([])}


def play(path: Path, patch: pytest.MonkeyPatch, at: int, number: int) -> tuple[list[str], bool]:
    """Mint a few tokens, one call failing, and look what is left; tell whether writing stopped."""
    made = make_store(path, level=21)
    recorder = ListRecorder()
    with Session.open(path, write=True) as session:
        before = minted(session)
        changes = Changes(session, recorder, CLOCK, reason=None)
        answered, refused = set(), []
        with failing(patch, at, number) as seen:
            for seed in range(MINTS):
                try:
                    answered.add(mint(changes, made, seed))
                except ApiError as error:
                    refused.append(error)
        is_stopped = changes.stopped_by is not None
        there = minted(session) - before
        changes.end()
    assert {one.code for one in refused} <= {"unavailable"}
    assert answered <= there
    if is_stopped:  # what happened is not known, and nothing was written after it
        assert recorder.outcomes.count("unknown") == 2  # of the change, and of the session
        assert len(there - answered) <= 1
        assert all("writing was stopped" in one.message for one in refused[1:])
    else:
        assert there == answered
        assert len(refused) <= 1
        assert all("nothing was changed" in one.message for one in refused)
    with bolt_store.open(path) as db:
        assert [one for one in db.check() if one.severity >= bolt_store.Severity.WARNING] == []
    return seen, is_stopped


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_whatever_call_fails_each_answered_token_is_there_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    calls, _ = play(tmp_path / "healthy.bolt", monkeypatch, 0, number)
    assert {"pwrite", "fdatasync"} <= set(calls)
    stopped = [
        play(tmp_path / f"{at}.bolt", monkeypatch, at, number)[1] for at in range(1, len(calls) + 1)
    ]
    assert stopped.count(True) == MINTS * 2  # the write and the sync of each meta
