"""Change or delete authorizations that are there.

Lives here: the planners of `auth set-active`, `set-inactive`, `delete` and `complete`. Must not
live here: making one (`authorization_creation`), hashing tokens (`token_hashing`), the order of the
steps (`change`).

Invariants: fields that are not named stay byte for byte. A change that is not needed is planned as
such, so that a command can be repeated.

Source: InfluxDB v2.9.1 authorization/service.go (UpdateAuthorization, DeleteAuthorization),
authorization/storage.go (hashed token migration), kv/migration/all/0016, 0017 and 0019; spec
influxdb-metadata sections 6.4, 7.1, 8.4 and recipes R2 and R8.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from recovery.errors import RecordError, RefusedError
from recovery.metastore.authorizations import Entries
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    ACTIVE,
    INACTIVE,
    Authorization,
    OperatorClassifier,
)
from recovery.model.gojson import UndecodableError, format_time
from recovery.model.ids import Id
from recovery.model.permission import OperatorLevel, OperatorStatus, Permission
from recovery.ports import Clock
from recovery.remedy import Input, Run
from recovery.services.access import Loss, loss_warnings
from recovery.services.authorizations.choice import (
    absent,
    choose_authorization,
    described,
)
from recovery.services.changes.plan import Plan

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts

BUCKET: Final = "authorizationsv1"
STILL_OPERATOR: Final = (
    "its user stays an operator in the user interface, where inactive tokens count as well; only "
    "deleting it ends that"
)
FREED_PAGES: Final = (
    "freed pages of the file, and the backup, keep the old bytes until they are reused or deleted"
)


class SetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The commands `auth set-active` and `auth set-inactive`."""

    authorization_id: Id
    is_active: bool
    clock: Clock

    @property
    def operation(self) -> str:
        """The command."""
        return "auth set-active" if self.is_active else "auth set-inactive"

    def plan(self, store: MetaTx) -> Plan:
        """Plan one record rewritten; nothing when it has this status."""
        before = choose_authorization(store, self.authorization_id)
        status = ACTIVE if self.is_active else INACTIVE
        name = described(store, before)
        if before.status == status:
            return unneeded(self.operation, f"{name} is {status} already", before)
        after = before.with_status(status, now=format_time(self.clock.now()))
        return Plan(
            operation=self.operation,
            steps=(f"set the status of {name} to {status}",),
            facts={
                "authorization_id": before.id,
                "status_before": before.status,
                "status": status,
            },
            record_ids=(before.id,),
            warnings=() if self.is_active else self._warnings(store, before),
            apply=lambda tx: tx.authorizations.update(before, after),
            verify=lambda tx: differs(tx, (after,)),
        )

    @staticmethod
    def _warnings(store: MetaTx, before: Authorization) -> tuple[str, ...]:
        warnings = loss_warnings(store, Loss(authorization_ids=frozenset({before.id})))
        try:
            is_operator = _operator_status(store, before).is_operator
        except RecordError:
            return warnings
        return (*warnings, STILL_OPERATOR) if is_operator else warnings


class DeleteAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    """The command `auth delete`.

    Attributes:
        is_ensured: Whether it is well when there is none.
        has_warnings: Whether to look for what a person should be warned of, which reads all tokens.
    """

    operation: ClassVar[str] = "auth delete"

    authorization_id: Id
    is_ensured: bool
    has_warnings: bool = True

    def plan(self, store: MetaTx) -> Plan:
        """Plan the end of the record, decodable or not, and of every index entry that leads to it.

        Nothing when there is none and that is well.
        """
        leading = store.authorizations.entries_of(self.authorization_id)  # each walk takes long
        raw_count, hashed_count = leading.counts
        name, warnings = self._found(store, has_entries=any(leading.counts))
        facts: PlanFacts = {
            "authorization_id": self.authorization_id,
            "raw_index_entries": raw_count,
            "hashed_index_entries": hashed_count,
        }
        if name is None:
            return Plan.nothing(
                self.operation,
                f"nothing: there is no API token {self.authorization_id}",
                facts=facts,
            )
        counts = {"the index of raw tokens": raw_count, "the index of hashes": hashed_count}
        entries = [
            f"{'the entry' if count == 1 else f'{count} entries'} in {index}"
            for index, count in counts.items()
            if count
        ]
        return Plan(
            operation=self.operation,
            steps=(
                f"delete {name}",
                f"delete what leads to it: {' and '.join(entries) or 'nothing does'}",
            ),
            facts=facts,
            record_ids=(self.authorization_id,),
            warnings=(*warnings, FREED_PAGES),
            apply=lambda tx: tx.authorizations.delete(self.authorization_id, leading),
            verify=lambda tx: self._verify(tx, leading),
            afterwards=(bring_back(self.authorization_id),),
        )

    def _found(self, store: MetaTx, *, has_entries: bool) -> tuple[str | None, tuple[str, ...]]:
        """Name what is to be deleted; None for what is not there and need not be."""
        try:
            found = store.authorizations.load(self.authorization_id)
        except RecordError as error:
            text = f"API token {self.authorization_id}"
            return text, (f"this record cannot be understood ({error.problem})",)
        if found is not None:
            loss = Loss(authorization_ids=frozenset({found.id}))
            warnings = loss_warnings(store, loss) if self.has_warnings else ()
            return described(store, found), warnings
        if has_entries:
            text = f"API token {self.authorization_id}"
            return text, ("there is no such record, only index entries that lead to it",)
        if self.is_ensured:
            return None, ()
        raise absent(store, self.authorization_id)

    def _verify(self, tx: MetaTx, leading: Entries) -> str | None:
        if tx.authorizations.has_id(self.authorization_id):
            return "the authorization is still there"
        if tx.authorizations.has_any(leading):
            return "an index entry still leads to the authorization"
        return None


class CompleteOperator(msgspec.Struct, frozen=True, kw_only=True):
    """The command `auth complete`."""

    operation: ClassVar[str] = "auth complete"

    authorization_id: Id
    clock: Clock

    def plan(self, store: MetaTx) -> Plan:
        """Plan the permissions that an operator lacks, if any; `RefusedError` for another token."""
        before = choose_authorization(store, self.authorization_id)
        name = described(store, before)
        status = _operator_status(store, before)
        if status.level is OperatorLevel.FULL:
            return unneeded(self.operation, f"{name} lacks nothing", before)
        if status.level is not OperatorLevel.PARTIAL:
            raise RefusedError(
                reason=f"API token {before.id} is no operator token, not even of an older version",
                hint=Run("auth create-operator", "to make one"),
            )
        added = [Permission(action=action, type=kind) for action, kind in status.lacks]
        after = before.with_permissions_added(added, now=format_time(self.clock.now()))
        return Plan(
            operation=self.operation,
            steps=(
                f"permit {name} what it lacks: {', '.join(map(str, added))}",
                "keep everything else of it, its value too",
            ),
            facts={
                "authorization_id": before.id,
                "added_permissions": [str(permission) for permission in added],
            },
            record_ids=(before.id,),
            apply=lambda tx: tx.authorizations.update(before, after),
            verify=lambda tx: differs(tx, (after,)),
        )


def bring_back(*authorization_ids: Id) -> Run:
    """Name what takes a deletion back, of all that is deleted where it is one."""
    values = {Input.ID: authorization_ids[0]} if len(authorization_ids) == 1 else {}
    return Run("auth undelete", "to bring back what was deleted, if it was a mistake", values)


def unneeded(operation: str, why: str, authorization: Authorization) -> Plan:
    """Plan nothing, for a record that is as wanted; `why` is a clause."""
    return Plan.nothing(
        operation,
        f"nothing: {why}",
        facts={"authorization_id": authorization.id},
    )


def differs(tx: MetaTx, planned: Iterable[Authorization]) -> str | None:
    """Say as a clause what a re-opened store and its indexes have otherwise; None for nothing."""
    for wanted in planned:
        if not tx.authorizations.holds(wanted):
            return f"authorization {wanted.id} is not as planned"
        for token, entry in (
            (wanted.token, tx.authorizations.raw_entry),
            (wanted.hashed_token, tx.authorizations.hashed_entry),
        ):
            if token is not None and entry(token) != wanted.id:
                return f"the index does not lead to authorization {wanted.id}"
    return None


def differs_from_digests(tx: MetaTx, digests: Mapping[Id, bytes]) -> str | None:
    """Compare as `differs` with records of which only the SHA-256 digest is known."""
    for authorization_id, digest in digests.items():
        found = tx.authorizations.get(authorization_id)
        if found is None or sha256(found.document).digest() != digest:
            return f"authorization {authorization_id} is not as planned"
        problem = differs(tx, (found,))
        if problem is not None:
            return problem
    return None


def _operator_status(store: MetaTx, authorization: Authorization) -> OperatorStatus:
    try:
        return OperatorClassifier(level=store.level).status(authorization)
    except UndecodableError as error:
        raise RecordError(
            bucket=BUCKET, record_id=authorization.id, problem=error.problem
        ) from None
