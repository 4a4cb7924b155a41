"""Bring deleted authorizations back, so that their tokens work again.

Lives here: `UndeleteTokens`, a planner, and `list_deleted_tokens`. Must not live here: where what
was deleted is looked for (`traces`).

Invariants: a record goes back byte for byte, under its ID, with its index entries. What would
contradict the store, or would not work in it, is refused with what is missing. Nothing that is
shown holds a token or a hash.

Source: InfluxDB v2.9.1 authorization/storage_authorization.go (CreateAuthorization); spec
influxdb-metadata sections 4.6, 5.4 and 13.2.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import msgspec
from msgspec.structs import asdict

from recovery.errors import RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization, OperatorClassifier
from recovery.model.display import plural
from recovery.model.ids import Id
from recovery.model.permission import OperatorLevel
from recovery.model.token import LEVEL_HASHED, TokenForm
from recovery.remedy import Input, Remedy, Run
from recovery.services.authorizations.changes import differs
from recovery.services.authorizations.choice import described
from recovery.services.authorizations.token_owners import TokenOwners
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import cut_name
from recovery.services.undeletion.traces import Deleted, TokenTrace, Traces, only_one

if TYPE_CHECKING:
    from recovery.services.changes.facts import PlanFacts

LISTING: Final = Run("auth undelete", "to see what can be brought back")
NEW_TOKEN: Final = Run("auth create", "to make a new token")
WORKS_AGAIN: Final = "whoever has such a token can use it again"


class Obstacle(NamedTuple):
    """Why a record cannot be brought back.

    Attributes:
        problem: Why, as a clause.
    """

    problem: str
    remedy: Remedy


class DeletedAuthorization(Deleted, frozen=True, kw_only=True):
    """An authorization of either kind that is not in the store any more.

    Attributes:
        description: As stored, not escaped.
        status: As stored.
        user: Name of the user, also of one that is deleted, too; None when it is not known.
        organization: Name of the organization; None when there is no such organization.
        created_at: As stored.
        updated_at: As stored.
    """

    description: str
    status: str
    user_id: str | None
    user: str | None
    organization_id: str | None
    organization: str | None
    permission_count: int
    created_at: str
    updated_at: str


class DeletedToken(DeletedAuthorization, frozen=True, kw_only=True):
    """An authorization that is not in the store any more.

    Attributes:
        is_user_deleted: Whether its user is what is missing, and can be brought back.
    """

    token_form: TokenForm
    operator: OperatorLevel
    is_user_deleted: bool = False


def list_deleted_tokens(
    store: MetaTx, traces: Traces, deletions: Mapping[str, str]
) -> Iterator[DeletedToken]:
    """Say of each deleted authorization, by ID, what it is, and whether it can be brought back."""
    owners = TokenOwners(store)
    classifier = OperatorClassifier(level=store.level)
    for _, found in sorted(traces.tokens.items()):
        record = found[0].authorization
        obstacle = obstacle_to(store, record, owners, traces)
        yield DeletedToken(
            **asdict(deleted_authorization(store, traces, found, deletions, obstacle)),
            token_form=record.form,
            operator=classifier.summary(record).operator.level,
            is_user_deleted=record.user_id in traces.users,
        )


def deleted_authorization(
    store: MetaTx,
    traces: Traces,
    found: Sequence[TokenTrace],
    deletions: Mapping[str, str],
    obstacle: Obstacle | None,
) -> DeletedAuthorization:
    """Say what every deleted authorization has, and what is in the way of bringing it back."""
    record, origin = found[0].authorization, found[0].origin
    user = store.users.get(record.user_id) if record.user_id else None
    organization = store.organizations.get(record.org_id) if record.org_id else None
    return DeletedAuthorization(
        id=record.id,
        description=record.description,
        status=record.status,
        user_id=record.user_id,
        user=user.name if user else traces.user_name(record.user_id),
        organization_id=record.org_id,
        organization=organization.name if organization else None,
        permission_count=len(record.permissions()),
        created_at=record.created_at,
        updated_at=record.updated_at,
        place=origin.place,
        source_path=origin.path,
        source_made_at=origin.made_at,
        version_count=len(found),
        deleted_by=deletions.get(record.id),
        because=obstacle.problem if obstacle else None,
    )


class UndeleteTokens(msgspec.Struct, frozen=True, kw_only=True):
    """The command `auth undelete`.

    Attributes:
        ids: Which authorizations.
        traces: What was found of deleted ones.
        deletions: Which operation of the ledger deleted what, by ID.
        is_ensured: Whether it is well when some are there.
    """

    operation: ClassVar[str] = "auth undelete"

    ids: tuple[Id, ...]
    traces: Traces
    deletions: Mapping[str, str]
    is_ensured: bool = False

    def plan(self, store: MetaTx) -> Plan:
        """Plan the records with their index entries; nothing when all are there and that is well.

        Raises:
            RefusedError: One is there, its token is, or something that it needs is missing.
        """
        owners = TokenOwners(store)
        chosen: list[TokenTrace] = []
        for one in dict.fromkeys(self.ids):
            if self.is_ensured and store.authorizations.has_id(one):
                continue
            chosen.append(self._found(store, one, owners))
        records = tuple(trace.authorization for trace in chosen)
        facts: PlanFacts = {
            "authorization_ids": [one.id for one in records],
            "origins": [str(trace.origin) for trace in chosen],
        }
        if not records:
            step = "nothing: the API tokens are there"
            return Plan.nothing(self.operation, step, facts=facts, record_ids=self.ids)
        return Plan(
            operation=self.operation,
            steps=tuple(
                step
                for trace in chosen
                for step in restoring_steps(described(store, trace.authorization), trace)
            ),
            facts=facts,
            record_ids=tuple(one.id for one in records),
            warnings=(
                WORKS_AGAIN,
                *(warning for one in chosen for warning in self._warnings(store, one)),
            ),
            apply=lambda tx: restore(tx, records),
            verify=lambda tx: differs(tx, records),
        )

    def _found(self, store: MetaTx, wanted: Id, owners: TokenOwners) -> TokenTrace:
        if store.authorizations.has_id(wanted):
            raise RefusedError(
                reason=f"there is an authorization {wanted} in the store",
                hint=Run("auth show", "to look at it", {Input.ID: wanted}),
            )
        best = {one: found[0] for one, found in self.traces.tokens.items()}
        names = {one: trace.authorization.description for one, trace in best.items()}
        found = {one: best[one] for one in (wanted,) if one in best}
        trace = only_one(found, "authorization", wanted, names, LISTING)
        obstacle = obstacle_to(store, trace.authorization, owners, self.traces)
        if obstacle is not None:
            raise RefusedError(
                reason=f"authorization {wanted} cannot be brought back: {obstacle.problem}",
                hint=obstacle.remedy,
            )
        return trace

    def _warnings(self, store: MetaTx, trace: TokenTrace) -> Iterator[str]:
        record = trace.authorization
        user = store.users.get(record.user_id) if record.user_id else None
        deleted_by = self.deletions.get(record.id, "")
        if deleted_by.startswith("auth rotate"):
            yield f"{deleted_by} replaced API token {record.id}: perhaps it has leaked"
        if not record.is_active:
            yield f"API token {record.id} was inactive when it was deleted, and still is"
        if user is not None and user.is_inactive:
            yield f"its user {cut_name(user.name)} is inactive, so that servers answer 403"
        others = len(self.traces.tokens[record.id]) - 1
        if others:
            yield (
                f"{others + 1} states of API token {record.id} were found; this is the one "
                f"that was changed last ({record.updated_at or 'at an unknown time'})"
            )


def obstacle_to(
    store: MetaTx,
    record: Authorization,
    owners: TokenOwners,
    traces: Traces,
    *,
    returning_user: Id | None = None,
) -> Obstacle | None:
    """Say why a record, whose ID is free, cannot be brought back."""
    if record.form in {TokenForm.NONE, TokenForm.UNKNOWN}:
        return Obstacle("no server could find its token", NEW_TOKEN)
    if record.hashed_token is not None and store.level < LEVEL_HASHED:
        problem = f"its token is hashed, and servers of level {store.level} know no hashes"
        return Obstacle(problem, NEW_TOKEN)
    owner = owners.owner(record)
    if owner is not None:
        problem = f"its token is that of authorization {owner}"
        return Obstacle(problem, Run("auth show", "to look at that", {Input.ID: owner}))
    return missing_owner(store, record, traces, new=NEW_TOKEN, returning_user=returning_user)


def missing_owner(
    store: MetaTx,
    record: Authorization,
    traces: Traces,
    *,
    new: Run,
    returning_user: Id | None = None,
) -> Obstacle | None:
    """Say that the user or the organization of a record is not there.

    Args:
        returning_user: A user that is brought back with it.

    Returns:
        The obstacle; None when there is none. A record without a user is let in.
    """
    missing = record.user_id
    if missing not in {None, returning_user} and store.users.get(Id(missing or "")) is None:
        name = traces.user_name(missing)
        if name is None:
            problem = f"its user {missing} is missing, and nothing of it was found"
            return Obstacle(problem, new)
        way = Run("user undelete", "to bring that back first", {Input.ID: missing})
        return Obstacle(f"its user {cut_name(name)} ({missing}) is deleted, too", way)
    if record.org_id is None or store.organizations.get(record.org_id) is None:
        which = "" if record.org_id is None else f"{record.org_id} "
        ways = (
            Run("store undo", "to take the deletion back, if this tool did it"),
            new,
        )
        return Obstacle(f"its organization {which}is missing", ways)
    return None


def restore(tx: MetaTx, records: tuple[Authorization, ...]) -> None:
    """Write records with their index entries. Raises as `Authorizations.insert`."""
    for one in records:
        tx.authorizations.insert(one)


def restoring_steps(name: str, trace: TokenTrace) -> tuple[str, ...]:
    """Say what is done for one record, as steps of a plan that are not escaped."""
    permissions = plural(len(trace.authorization.permissions()), "permission")
    return (
        f"put {name} back with {permissions}, as it is in {trace.origin}",
        "put its token back into the index",
    )
