"""Every error that a person can meet, and the exit codes.

Lives here: the `RecoveryError` tree and `ExitCode`. Must not live here: errors of the command line
itself (`recovery.cli.usage`), and those of the bolt engine, which `recovery.metastore` translates.

Invariants: each error is one sentence that says what happened and whether anything was changed, and
carries a hint, what to do next as data. No error holds a token, a hash, a password, or a raw key or
value of the store.
"""

import re
from collections.abc import Sequence
from enum import IntEnum, unique
from typing import TYPE_CHECKING, Final, Literal, Self

if TYPE_CHECKING:
    from recovery.remedy import Remedy

UNCHANGED: Final = "nothing was changed"
LISTED_CHARACTERS_MAX: Final = 800
"""Of what could be meant, in one sentence: ten lines of 80 columns."""


@unique
class ExitCode(IntEnum):
    """What the process tells the script that called it.

    Attributes:
        meaning: The same for a person, as the man page and the README say it.
    """

    meaning: str

    def __new__(cls, code: int, meaning: str = "") -> Self:
        """Make a member of a code and what it means, looked up by the code alone."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "done"
    FINDINGS = 1, "something was found: damage, or a difference between stores"
    USAGE = 2, "the command line cannot be understood"
    NOT_FOUND = 3, "no such store, user or organization"
    BUSY = 4, "store in use or locked"
    DAMAGED = 5, "store too damaged for this command"
    SCHEMA = 6, "schema newer or older than supported"
    REFUSED = 7, "refused: not confirmed, or a precondition failed"
    WRITE_FAILED = 8, "write failed, store unchanged"
    OUTCOME_UNKNOWN = 9, "write failed, outcome unknown: restore the backup"
    NOT_DELIVERED = 10, "committed, but the token could not be delivered; revoke it by its ID"
    INTERNAL = 70, "internal error"
    INTERRUPTED = 130, "interrupted"


class RecoveryError(Exception):
    """Anything that keeps a command from doing its job.

    Attributes:
        hint: What to do next, as data: each front end words it.
        changed: Whether the store was changed; None when only looking at it tells.
        copies: Paths of the copies of a store that cannot be opened, where they were looked for.
    """

    exit_code: ExitCode = ExitCode.REFUSED
    changed: bool | None = False
    copies: tuple[str, ...] = ()

    def __init__(self, sentence: str, *, hint: "Remedy") -> None:
        self.hint = hint
        super().__init__(sentence)


class FileError(RecoveryError):
    """Something is wrong with a file or folder, and nothing was changed.

    Attributes:
        problem: What, as a clause whose subject it is.
        end: What that means for the store.
    """

    end: str = UNCHANGED

    def __init__(self, *, path: str, problem: str, hint: "Remedy") -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path} {problem}; {self.end}", hint=hint)


class StoreAccessError(FileError):
    """The system does not let this process use a store, or write where it has to.

    Attributes:
        problem: What the system said: "may not be read by user nobody".
    """


class ConfigurationError(FileError):
    """A configuration file that says where the store is cannot be understood.

    Attributes:
        problem: What is wrong with it, without anything it contains but names of keys.
    """


class StoreNotFoundError(FileError):
    """There is no usable store where one was looked for.

    Attributes:
        problem: What is there instead: "does not exist", "is empty (0 bytes)".
    """

    exit_code = ExitCode.NOT_FOUND
    end = f"{UNCHANGED}, nothing was created"


class StoreBusyError(RecoveryError):
    """Another process holds the lock of the store, or it cannot be locked.

    Attributes:
        holder: Who holds the lock, or why there is none, as a clause.
    """

    exit_code = ExitCode.BUSY

    def __init__(self, *, path: str, holder: str, hint: "Remedy") -> None:
        self.path = path
        self.holder = holder
        super().__init__(f"{path} is in use: {holder}; {UNCHANGED}", hint=hint)


class StoreNotLockableError(StoreBusyError):
    """The store cannot be locked, although nobody holds its lock.

    Attributes:
        holder: Why, as a clause.
    """

    def __init__(self, *, path: str, holder: str, hint: str) -> None:
        self.path = path
        self.holder = holder
        RecoveryError.__init__(self, f"{path} cannot be locked: {holder}; {UNCHANGED}", hint=hint)


class StoreDamagedError(FileError):
    """The file is no bolt file, or too damaged for the command.

    Attributes:
        findings: What the check found, as sentences.
    """

    exit_code = ExitCode.DAMAGED

    def __init__(
        self, *, path: str, problem: str, hint: "Remedy", findings: Sequence[str] = ()
    ) -> None:
        self.findings = tuple(findings)
        super().__init__(path=path, problem=problem, hint=hint)


class SchemaError(FileError):
    """The store is of a schema level that the command does not know."""

    exit_code = ExitCode.SCHEMA


class RecordError(RecoveryError):
    """One record of the store cannot be understood.

    Attributes:
        record_id: Its ID when its key is one, else its place in the bucket.
        problem: What is wrong, without a byte of its content.
    """

    exit_code = ExitCode.DAMAGED

    def __init__(self, *, bucket: str, record_id: str, problem: str) -> None:
        self.bucket = bucket
        self.record_id = record_id
        self.problem = problem
        super().__init__(
            f"record {record_id} in {bucket} cannot be understood ({problem}); {UNCHANGED}",
            hint="look at it with a backup at hand; the other records can still be listed",
        )


class NotFoundError(RecoveryError):
    """A user, an organization or an authorization does not exist.

    Attributes:
        kind: "user", "organization", …
        name: What was asked for; only its length where it may be a token in the place of a name.
        existing: The names that exist, as they may be shown; empty also when nobody looked.

    `note` goes on behind the name; it is no part of it.
    """

    exit_code = ExitCode.NOT_FOUND

    def __init__(
        self,
        *,
        kind: str,
        name: str,
        existing: Sequence[str] | None,
        hint: "Remedy",
        note: str = "",
    ) -> None:
        self.kind = kind
        self.name = re.sub(r"\S{41,}", _counted, name)
        self.existing = tuple(existing or ())
        verb = "are" if self.existing[1:] else "is"
        listed = f": {', '.join(self.existing)}" if self.existing else " none"
        known = "" if existing is None else f" (there {verb}{listed})"
        super().__init__(f"there is no {kind} {self.name}{note}{known}; {UNCHANGED}", hint=hint)


def _counted(word: re.Match[str]) -> str:
    return f"({len(word[0])} characters)"


class AmbiguousError(RecoveryError):
    """Several things could be meant, and nothing says which.

    Attributes:
        kind: "user", "organization", "store", …
        candidates: What could be meant, as it may be shown.
        name: What was asked for, if anything was.
    """

    exit_code = ExitCode.REFUSED

    def __init__(
        self, *, kind: str, candidates: Sequence[str], hint: "Remedy", name: str | None = None
    ) -> None:
        self.kind = kind
        self.candidates = tuple(candidates)
        named = "and none was named" if name is None else f"that {name} can mean"
        listed, *others = self.candidates
        while others and len(listed) + len(others[0]) <= LISTED_CHARACTERS_MAX:
            listed += f", {others.pop(0)}"
        more = f", and {len(others)} more" if others else ""
        super().__init__(
            f"there are {len(self.candidates)} {kind}s {named}: {listed}{more}; {UNCHANGED}",
            hint=hint,
        )


class SeveralError(RecoveryError):
    """Several things are missing, and each of them would stop the command.

    Attributes:
        errors: Why, one by one.
    """

    def __init__(self, errors: Sequence[RecoveryError]) -> None:
        from recovery.remedy import Together  # noqa: PLC0415 # few commands lack anything

        self.errors = tuple(errors)
        self.exit_code = self.errors[0].exit_code
        clauses = [str(one).removesuffix(f"; {UNCHANGED}") for one in self.errors]
        hint = Together(tuple(one.hint for one in self.errors))
        super().__init__(f"{'; and '.join(clauses)}; {UNCHANGED}", hint=hint)


def together(errors: Sequence[RecoveryError]) -> RecoveryError:
    """Make one error of all that is missing; what is not there of one kind is named in one list."""
    found = list[RecoveryError]()
    for error in errors:
        for place, other in enumerate(found):
            if (
                isinstance(error, NotFoundError)
                and isinstance(other, NotFoundError)
                and (error.kind, error.existing) == (other.kind, other.existing)
            ):
                found[place] = NotFoundError(
                    kind=error.kind,
                    name=f"{other.name} or {error.name}",
                    existing=error.existing or None,
                    hint=other.hint,
                )
                break
        else:
            found.append(error)
    return found[0] if len(found) == 1 else SeveralError(found)


class RefusedError(RecoveryError):
    """A precondition is not met, or the change was not confirmed.

    Attributes:
        reason: Why, as a clause.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, *, reason: str, hint: "Remedy") -> None:
        self.reason = reason
        super().__init__(f"{reason}; {UNCHANGED}", hint=hint)


class ConflictError(RefusedError):
    """What is to be made exists already.

    Attributes:
        kind: "user", "organization", "token", …
        name: Its name, as it may be shown; empty for what has no name that may be shown.
    """

    def __init__(self, *, kind: str, name: str, hint: "Remedy") -> None:
        self.kind = kind
        self.name = name
        what = f"{kind} {name}" if name else f"this {kind}"
        super().__init__(reason=f"{what} exists already", hint=hint)


class PasswordError(RefusedError):
    """A new password breaks a rule of the server."""


class LedgerError(RecoveryError):
    """The ledger cannot be read or written."""

    exit_code = ExitCode.REFUSED

    def __init__(self, *, path: str, problem: str, changed: bool | None, hint: "Remedy") -> None:
        self.path = path
        self.problem = problem
        self.changed = changed
        state = {
            False: UNCHANGED,
            True: "the store was changed, and the ledger does not say so",
            None: "it is not known whether the store was changed",
        }[changed]
        super().__init__(f"the ledger {path} {problem}; {state}", hint=hint)


class DeliveryError(RecoveryError):
    """The change is committed and the token could not be handed over.

    Attributes:
        authorization_id: The record to revoke.
        problem: What went wrong, as a clause.
    """

    exit_code = ExitCode.NOT_DELIVERED
    changed = True

    def __init__(self, *, authorization_id: str, problem: str, hint: "Remedy") -> None:
        self.authorization_id = authorization_id
        self.problem = problem
        super().__init__(
            f"authorization {authorization_id} was made and its token is lost ({problem}); "
            "the store was changed",
            hint=hint,
        )


class WriteFailedError(RecoveryError):
    """A write did not succeed.

    Attributes:
        problem: What the system said, as a clause.
        outcome: "unchanged": the store is as it was. "unknown": only looking tells.
        backup_path: The backup made before, if there is one.
    """

    def __init__(
        self,
        *,
        path: str,
        problem: str,
        outcome: Literal["unchanged", "unknown"],
        hint: "Remedy",
        backup_path: str | None = None,
    ) -> None:
        self.path = path
        self.problem = problem
        self.outcome = outcome
        self.backup_path = backup_path
        self.exit_code = (
            ExitCode.WRITE_FAILED if outcome == "unchanged" else ExitCode.OUTCOME_UNKNOWN
        )
        self.changed = False if outcome == "unchanged" else None
        state = UNCHANGED if outcome == "unchanged" else "it is not known whether it was changed"
        super().__init__(f"writing {path} failed ({problem}); {state}", hint=hint)


class VerificationError(WriteFailedError):
    """The change was committed, and the re-opened store is not as planned."""

    def __init__(self, *, path: str, problem: str, hint: "Remedy", backup_path: str | None) -> None:
        super().__init__(
            path=path, problem=problem, outcome="unknown", hint=hint, backup_path=backup_path
        )
