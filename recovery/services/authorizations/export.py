"""Take authorizations out of a store.

Lives here: choosing them, and the new file that they go to. Must not live here: the form of a line
(`authorization_transfer`).

Invariants: the store is only read. The file is new, has mode 0600 from its first moment, and is on
the disk when `export_authorizations` returns; on failure nothing is left of it. It holds tokens and
hashes only when that was asked for.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recovery.errors import ConflictError, StoreAccessError, WriteFailedError
from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization, OperatorClassifier
from recovery.model.display import displayed
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.services.authorizations.listing import AuthorizationFilter
from recovery.services.authorizations.transfer import Names, encode_line
from recovery.services.tenancy.choosing import choose_organization, choose_user

MODE: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What is in the file.

    Attributes:
        count: Number of authorizations.
        record_ids: Their IDs.
        problems: Records that could not be exported.
    """

    count: int
    record_ids: tuple[Id, ...]
    problems: tuple[RecordProblem, ...]


def export_authorizations(
    tx: MetaTx, target: Path, wanted: AuthorizationFilter, *, with_tokens: bool
) -> Exported:
    """Write authorizations into a new file.

    Args:
        tx: The records.
        target: The file; nothing may be there.
        wanted: Which authorizations.
        with_tokens: Whether their tokens and hashes go with them.

    Returns:
        What is in the file.

    Raises:
        NotFoundError: No user or organization has the name asked for.
        ConflictError: Something is at the path.
        StoreAccessError: The file cannot be made.
        WriteFailedError: The file cannot be written; nothing is left of it.
        StoreDamagedError: The store is damaged; nothing is left of the file.
    """
    problems: list[RecordProblem] = []
    chosen = _Chosen(tx, wanted, problems)
    record_ids = []
    with private_file(target) as file:
        for authorization in chosen.walk():
            names = chosen.names(authorization)
            file.write(encode_line(authorization, names, with_token=with_tokens))
            record_ids.append(authorization.id)
    return Exported(count=len(record_ids), record_ids=tuple(record_ids), problems=tuple(problems))


@contextmanager
def private_file(target: Path) -> Iterator["PrivateFile"]:
    """Make a new file that only its owner can read; remove it when the block fails.

    Args:
        target: Where nothing may be.

    Yields:
        The file. It is on the disk when the block has ended.

    Raises:
        ConflictError: Something is there.
        StoreAccessError: It cannot be made.
        WriteFailedError: It cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    name = displayed(str(target))
    try:
        descriptor = os.open(target, flags, MODE)
    except FileExistsError:
        raise ConflictError(
            kind="file", name=name, hint="name a new file; none is overwritten"
        ) from None
    except OSError as error:
        raise StoreAccessError(
            path=name,
            problem=f"cannot be made ({error.strerror})",
            hint="name a new file in a folder that you may write to",
        ) from None
    try:
        yield (file := PrivateFile(descriptor, target))
        file.finish()
    except BaseException:
        with suppress(OSError):
            target.unlink()
        raise
    finally:
        os.close(descriptor)


class PrivateFile:
    """A new file on its way to the disk.

    It has no buffer of the standard library's, which would try to write once more while a failure
    is being cleaned up.
    """

    def __init__(self, descriptor: int, target: Path) -> None:
        self._descriptor = descriptor
        self._target = target

    def write(self, content: bytes) -> None:
        """Write all of it.

        Args:
            content: What to write.

        Raises:
            WriteFailedError: It cannot be written.
        """
        rest = memoryview(content)
        with _write_errors(self._target):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def finish(self) -> None:
        """Wait until it is on the disk, with its name.

        Raises:
            WriteFailedError: It cannot be written.
        """
        with _write_errors(self._target):
            os.fsync(self._descriptor)
            _sync_folder(self._target.parent)


@contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteFailedError(
            path=displayed(str(target)),
            problem=error.strerror or "no reason given",
            outcome="unchanged",
            hint="look for free space, or name a file elsewhere",
        ) from None


def _sync_folder(folder: Path) -> None:
    """Make a new file's name durable."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class _Chosen:
    """The authorizations that are wanted, and the names that go with them."""

    def __init__(
        self, tx: MetaTx, wanted: AuthorizationFilter, problems: list[RecordProblem]
    ) -> None:
        self._tx = tx
        self._problems = problems
        self._user = None if wanted.user is None else choose_user(tx, wanted.user).id
        self._org = (
            None if wanted.organization is None else choose_organization(tx, wanted.organization).id
        )
        self._operators_only = wanted.operators_only
        self._classifier = OperatorClassifier(level=tx.level)
        self._users = {one.id: one.name for one in tx.users.walk([])}
        self._organizations = {one.id: one.name for one in tx.organizations.walk([])}
        self._buckets = {one.id: one.name for one in tx.buckets.walk([])}
        self._last_list: bytes | None = None
        self._last_buckets: dict[Id, str] = {}

    def walk(self) -> Iterator[Authorization]:
        for one in self._tx.authorizations.walk(self._problems):
            try:
                is_operator = self._classifier.status(one).is_operator
            except UndecodableError as error:
                problem = RecordProblem(bucket="authorizationsv1", id=one.id, problem=error.problem)
                self._problems.append(problem)
                continue
            is_wanted = (
                self._user in {None, one.user_id}
                and self._org in {None, one.org_id}
                and (is_operator or not self._operators_only)
            )
            if is_wanted:
                yield one

    def names(self, authorization: Authorization) -> Names:
        user_id, org_id = authorization.user_id, authorization.org_id
        return Names(
            user=None if user_id is None else self._users.get(user_id),
            organization=None if org_id is None else self._organizations.get(org_id),
            buckets=self._named_buckets(authorization),
        )

    def _named_buckets(self, authorization: Authorization) -> dict[Id, str]:
        """Name the buckets that a permission list names by ID; most lists come again and again."""
        if authorization.permissions_json != self._last_list:
            named = {
                permission.id
                for permission in authorization.permissions()
                if permission.type == "buckets" and permission.id is not None
            }
            known = self._buckets
            self._last_buckets = {one: known[one] for one in sorted(named) if one in known}
            self._last_list = authorization.permissions_json
        return self._last_buckets
