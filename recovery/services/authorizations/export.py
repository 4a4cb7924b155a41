"""Take authorizations out of a store.

Lives here: choosing them, and the new file that they go to. Must not live here: the form of a line
(`authorization_transfer`).

Invariants: the store is only read. The file is new, has mode 0600 from its first moment, and is on
the disk when `export_authorizations` returns; on failure nothing is left of it. It holds tokens and
hashes only when that was asked for.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization, OperatorClassifier
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.new_file import ClaimedFile
from recovery.services.authorizations.listing import AuthorizationFilter
from recovery.services.authorizations.transfer import Names, encode_line
from recovery.services.disclosure import Disclosure
from recovery.services.tenancy.choosing import Whose


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the file.

    Attributes:
        problems: Records that could not be exported.
    """

    count: int
    record_ids: tuple[Id, ...]
    problems: tuple[RecordProblem, ...]


def export_authorizations(
    tx: MetaTx, target: Path, wanted: AuthorizationFilter, disclosure: Disclosure | None
) -> Exported:
    """Write authorizations into a new file.

    Args:
        target: The file; nothing may be there.
        disclosure: The right to let their tokens and hashes go with them; None to keep them back.
    """
    problems: list[RecordProblem] = []
    chosen = _Chosen(tx, wanted, problems)
    record_ids = []
    with ClaimedFile(target) as file:
        for authorization in chosen.walk():
            names = chosen.names(authorization)
            file.write(encode_line(authorization, names, with_token=disclosure is not None))
            record_ids.append(authorization.id)
        file.keep()
    return Exported(count=len(record_ids), record_ids=tuple(record_ids), problems=tuple(problems))


class _Chosen:
    """The authorizations that are wanted, and the names that go with them."""

    def __init__(
        self, tx: MetaTx, wanted: AuthorizationFilter, problems: list[RecordProblem]
    ) -> None:
        self._tx = tx
        self._problems = problems
        self._whose = Whose.named(tx, user=wanted.user, organization=wanted.organization)
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
            if self._whose.wants(one) and (is_operator or not self._operators_only):
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
