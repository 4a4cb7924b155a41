"""Every exception that this package raises.

Lives here: the error tree and `invariant`. Each exception carries facts as fields and builds its
own sentence from them. Must not live here: keys, values, or advice on what to do next.

Invariants: no message holds a byte of a key or a value. `InvariantError` stands outside of
`BoltError`, so that no handler for a damaged file hides a bug of ours.

What is so of all functions is not said again at each: what cannot be read is an `OSError`, a
damaged page a `FormatError`; a database that is closed, a transaction that has ended and a change
by a reader have errors of their own; a file that is there is a `FileExistsError` where a new one is
made, and one that cannot be written a `CommitError`, after which nothing is left of a new one.
"""

from typing import ClassVar, Literal


class BoltError(Exception):
    """Anything that goes wrong with a bolt file or its use."""


class FormatError(BoltError):
    """The bytes of the file break the format."""


class NotABoltFileError(FormatError):
    """No page size makes either of the two meta pages a meta page.

    Attributes:
        problem: What the file is instead, as far as its bytes tell.
    """

    def __init__(self, *, problem: str) -> None:
        self.problem = problem
        super().__init__(f"not a bolt file: {problem}")


class VersionError(FormatError):
    """The magic number is right and the format version is one that nobody has defined yet.

    Attributes:
        found: The version in the file.
        expected: The version that this package reads.
    """

    def __init__(self, *, found: int, expected: int) -> None:
        self.found = found
        self.expected = expected
        super().__init__(f"bolt format version is {found}, expected {expected}")


class ChecksumError(FormatError):
    """Meta pages are there and none of them has the right checksum or is plausible.

    Attributes:
        problem: What is wrong with each of the two.
    """

    def __init__(self, *, problem: str) -> None:
        self.problem = problem
        super().__init__(f"no usable meta page: {problem}")


class PageError(FormatError):
    """One page breaks the format.

    Attributes:
        pgid: The page, or None for an inline page inside a bucket's value.
        code: Stable name of the broken rule, such as "key.order"; `check` uses the same.
        problem: What was expected and what was found.
    """

    def __init__(self, *, pgid: int | None, code: str, problem: str) -> None:
        self.pgid = pgid
        self.code = code
        self.problem = problem
        where = "inline page" if pgid is None else f"page {pgid}"
        super().__init__(f"{where}: {problem}")


class TruncatedError(FormatError):
    """The file ends before something that it refers to.

    Attributes:
        expected_bytes: Size that the file must have for the read to succeed.
        found_bytes: Size of the file.
    """

    def __init__(self, *, expected_bytes: int, found_bytes: int) -> None:
        self.expected_bytes = expected_bytes
        self.found_bytes = found_bytes
        super().__init__(
            f"file ends at byte {found_bytes}, expected at least {expected_bytes} bytes"
        )


class CycleError(FormatError):
    """Pages refer to each other in a circle, or a tree is deeper than any file can be.

    Attributes:
        pgid: The page at which it was noticed.
    """

    def __init__(self, *, pgid: int) -> None:
        self.pgid = pgid
        super().__init__(f"page {pgid}: reached again, or too deep, while walking one tree")


class DamagedError(FormatError):
    """The check of the file has found what makes writing unsafe.

    Attributes:
        finding_count: Number of findings that forbid writing.
        first: The first of them, as a sentence.
    """

    def __init__(self, *, finding_count: int, first: str) -> None:
        self.finding_count = finding_count
        self.first = first
        super().__init__(f"refusing to write, check has {finding_count} finding(s); first: {first}")


class LockError(BoltError):
    """The file cannot be locked here at all.

    Attributes:
        problem: What the kernel said.
        is_unsupported: Whether the file system has no locks; else it may work another time.
    """

    def __init__(self, *, problem: str, is_unsupported: bool = False) -> None:
        self.problem = problem
        self.is_unsupported = is_unsupported
        super().__init__(f"cannot lock the file: {problem}")


class LockTimeoutError(LockError):
    """Another process holds the lock.

    Attributes:
        timeout_s: How long this process tried, in seconds.
        exclusive: Whether it asked for the exclusive lock.
    """

    def __init__(self, *, timeout_s: float, exclusive: bool) -> None:
        self.timeout_s = timeout_s
        self.exclusive = exclusive
        kind = "exclusive" if exclusive else "shared"
        super().__init__(problem=f"no {kind} lock within {timeout_s:g} s, another process has it")


class OverwrittenError(LockError):
    """Somebody else has written to the locked file, or cut it: the lock keeps out who asks."""

    def __init__(self) -> None:
        self.problem = "another program has written to it in spite of the lock"
        BoltError.__init__(self, self.problem)


class StateError(BoltError):
    """The caller asks for something that the object cannot do now."""


class DBClosedError(StateError):
    """The database is closed."""

    def __init__(self) -> None:
        super().__init__("the database is closed")


class TxClosedError(StateError):
    """The transaction has ended, or a later write transaction may have reused its pages."""

    def __init__(self) -> None:
        super().__init__("the transaction has ended")


class ReadOnlyError(StateError):
    """A write was asked of something opened for reading."""

    def __init__(self) -> None:
        super().__init__("opened for reading only")


class KeyOrderError(StateError):
    """The items given to a bulk load do not ascend by their keys."""

    def __init__(self) -> None:
        super().__init__("the keys given do not ascend")


class SnapshotError(BoltError):
    """No try to copy a file that is being written gave a whole copy.

    Attributes:
        attempt_count: Number of tries.
        problem: What was wrong with the last one.
    """

    def __init__(self, *, attempt_count: int, problem: str) -> None:
        self.attempt_count = attempt_count
        self.problem = problem
        super().__init__(f"no whole copy in {attempt_count} tries; the last one: {problem}")


class SurgeryError(BoltError):
    """The file is not in the state that a repair is meant for.

    Attributes:
        problem: What stands in the way.
    """

    def __init__(self, *, problem: str) -> None:
        self.problem = problem
        super().__init__(f"refusing to repair: {problem}")


class BucketError(BoltError):
    """A bucket is not as the caller takes it to be."""


class BucketNotFoundError(BucketError):
    """No bucket has this name."""

    def __init__(self) -> None:
        super().__init__("bucket not found")


class BucketExistsError(BucketError):
    """A bucket has this name already."""

    def __init__(self) -> None:
        super().__init__("bucket exists already")


class IncompatibleValueError(BucketError):
    """A bucket stands where a plain value is wanted, or the other way round."""

    def __init__(self) -> None:
        super().__init__("a bucket and a plain value cannot share a key")


class LimitError(BoltError):
    """A key or value is outside of what the format can hold."""


class KeyRequiredError(LimitError):
    """The key or the bucket name is empty."""

    def __init__(self) -> None:
        super().__init__("a key needs at least 1 byte")


class TooLargeError(LimitError):
    """A part of an item is too long.

    Attributes:
        what: Which part.
        found_bytes: Its size.
        limit_bytes: The largest size allowed.
    """

    what: ClassVar[str]

    def __init__(self, *, found_bytes: int, limit_bytes: int) -> None:
        self.found_bytes = found_bytes
        self.limit_bytes = limit_bytes
        super().__init__(f"{self.what} has {found_bytes} bytes, at most {limit_bytes} are possible")


class KeyTooLargeError(TooLargeError):
    """The key or bucket name is too long."""

    what = "key"


class ValueTooLargeError(TooLargeError):
    """The value is too long."""

    what = "value"


class CommitError(BoltError):
    """A commit failed.

    Attributes:
        phase: "data" before the meta page was touched, "meta" from then on.
        outcome: "unchanged": the file still holds the state before the transaction. "unknown":
            only reading the file again tells which state it holds.
        problem: What the operating system or the check said.
    """

    def __init__(
        self,
        *,
        phase: Literal["data", "meta"],
        outcome: Literal["unchanged", "unknown"],
        problem: str,
    ) -> None:
        self.phase = phase
        self.outcome = outcome
        self.problem = problem
        super().__init__(f"commit failed in its {phase} phase, outcome {outcome}: {problem}")


class InvariantError(Exception):
    """A bug of this package, never a property of the file."""


def invariant(condition: object, fact: str) -> None:
    """Raise when something that this code guarantees does not hold.

    Args:
        condition: The guarantee, true when all is well.
        fact: The guarantee in words.

    Raises:
        InvariantError: `condition` is false.
    """
    if not condition:
        raise InvariantError(fact)
