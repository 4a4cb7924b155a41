"""Errors build their sentences from facts, and bugs stand apart from damage."""

import inspect

import pytest

from bolt_store import errors
from bolt_store.errors import BoltError, InvariantError, invariant

SENTENCES = [
    (errors.NotABoltFileError(problem="the file is empty"), "not a bolt file: the file is empty"),
    (errors.VersionError(found=3, expected=2), "bolt format version is 3, expected 2"),
    (errors.ChecksumError(problem="x"), "no usable meta page: x"),
    (errors.PageError(pgid=7, code="page.id", problem="is odd"), "page 7: is odd"),
    (errors.PageError(pgid=None, code="page.id", problem="is odd"), "inline page: is odd"),
    (
        errors.TruncatedError(expected_bytes=8192, found_bytes=100),
        "file ends at byte 100, expected at least 8192 bytes",
    ),
    (errors.CycleError(pgid=4), "page 4: reached again, or too deep, while walking one tree"),
    (
        errors.DamagedError(finding_count=2, first="page 7: is odd [page.odd]"),
        "refusing to write, check has 2 finding(s); first: page 7: is odd [page.odd]",
    ),
    (errors.LockError(problem="no"), "cannot lock the file: no"),
    (
        errors.LockTimeoutError(timeout_s=1.0, exclusive=True),
        "cannot lock the file: no exclusive lock within 1 s, another process has it",
    ),
    (
        errors.LockTimeoutError(timeout_s=0.25, exclusive=False),
        "cannot lock the file: no shared lock within 0.25 s, another process has it",
    ),
    (errors.DBClosedError(), "the database is closed"),
    (errors.TxClosedError(), "the transaction has ended"),
    (errors.ReadOnlyError(), "opened for reading only"),
    (errors.BucketNotFoundError(), "bucket not found"),
    (errors.BucketExistsError(), "bucket exists already"),
    (errors.IncompatibleValueError(), "a bucket and a plain value cannot share a key"),
    (errors.KeyRequiredError(), "a key needs at least 1 byte"),
    (
        errors.KeyTooLargeError(found_bytes=32769, limit_bytes=32768),
        "key has 32769 bytes, at most 32768 are possible",
    ),
    (
        errors.ValueTooLargeError(found_bytes=9, limit_bytes=8),
        "value has 9 bytes, at most 8 are possible",
    ),
    (
        errors.CommitError(phase="meta", outcome="unknown", problem="no space"),
        "commit failed in its meta phase, outcome unknown: no space",
    ),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES)
def test_an_error_says_place_expected_and_found(error: BoltError, sentence: str) -> None:
    assert str(error) == sentence


def test_every_error_but_a_bug_is_a_bolt_error() -> None:
    classes = [
        each
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, Exception)
    ]
    assert [each for each in classes if not issubclass(each, BoltError)] == [InvariantError]


def test_a_bug_is_not_hidden_by_a_handler_for_damage() -> None:
    with pytest.raises(InvariantError, match="water is wet"):
        invariant(False, "water is wet")  # noqa: FBT003 - a condition is always positional
    invariant([1], "anything true will do")
