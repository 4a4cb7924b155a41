"""1.x-compatible authorizations: user name and password for clients of InfluxDB 1.x.

Lives here: their listing, and the planners of `v1-auth set-password`, `set-active`, `set-inactive`
and `delete`. Must not live here: API tokens (`authorization_changes`).

Invariants: the password never leaves as text; only its bcrypt hash is written. The user name is no
secret, although it stands where other authorizations have their token.

Source: InfluxDB v2.9.1 v1/authorization/service.go, storage.go, http/legacy/; spec
influxdb-metadata sections 4.7, 5.5 and 13.2 (I29).
"""

from collections.abc import Iterator
from typing import ClassVar, Final

import msgspec

from recovery.errors import NotFoundError, RecordError, RefusedError
from recovery.metastore.table import RecordProblem
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    ACTIVE,
    INACTIVE,
    Authorization,
)
from recovery.model.gojson import UndecodableError, format_time
from recovery.model.ids import Id, parse_id
from recovery.model.password import (
    hash_password,
    is_password_hash,
    password_matches,
    require_acceptable,
)
from recovery.ports import Clock
from recovery.remedy import Input, Run
from recovery.secret import Secret
from recovery.services.access import legacy_standing_of
from recovery.services.authorizations.wording import permitted
from recovery.services.changes.plan import Plan
from recovery.services.listing import Listing
from recovery.services.session import View
from recovery.services.tenancy.choosing import (
    NAMES_SHOWN_MAX,
    Whose,
    shown_name,
)

BUCKET: Final = "legacy/authorizationsv1"


class LegacyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One 1.x-compatible authorization.

    Attributes:
        id: 16 hex digits.
        username: The name that 1.x clients log in with, not escaped.
        status: "active" or "inactive", as stored; "active" for an empty text.
        description: As stored, not escaped.
        user_id: The user of 2.x behind it; None when the record has none.
        user: The name; None when there is no such user.
        organization_id: The organization; None when the record has none.
        organization: The name; None when there is no such organization.
        has_password: Whether a usable password is set, without which nobody can log in.
        has_entry: Whether the index of user names leads to it.
        is_usable: Whether a server lets a 1.x client in with it.
        because: Why not, as clauses, the one that counts first; empty when it is usable.
        permissions: What it may do, as texts.
        permitted: The same in the words of the user interface.
        created_at: RFC 3339 as stored; "" when absent.
        updated_at: RFC 3339 as stored; "" when absent.
    """

    id: str
    username: str
    status: str
    description: str
    user_id: str | None
    user: str | None
    organization_id: str | None
    organization: str | None
    has_password: bool
    has_entry: bool
    is_usable: bool
    because: tuple[str, ...]
    permissions: tuple[str, ...]
    permitted: str
    created_at: str
    updated_at: str


def legacy_rows(tx: MetaTx, problems: list[RecordProblem]) -> Iterator[LegacyRow]:
    """List all 1.x-compatible authorizations by ID; problems get those that cannot be listed."""
    for one in tx.legacy_authorizations.walk(problems):
        try:
            yield _row(tx, one)
        except UndecodableError as error:
            problems.append(RecordProblem(bucket=BUCKET, id=one.id, problem=error.problem))


def list_legacy(view: View, *, user: str | None, organization: str | None) -> Listing[LegacyRow]:
    """List 1.x-compatible authorizations, of a user and an organization by name or ID."""
    whose = Whose.named(view.tx, user=user, organization=organization)

    def rows(problems: list[RecordProblem]) -> Iterator[LegacyRow]:
        for row in legacy_rows(view.tx, problems):
            if whose.user_id in {None, row.user_id} and whose.org_id in {None, row.organization_id}:
                yield row

    return Listing(rows)


class SetLegacyPassword(msgspec.Struct, frozen=True, kw_only=True):
    """The command `v1-auth set-password`.

    Attributes:
        which: ID or user name.
        is_ensured: Whether it is well when the password is this one already.
    """

    operation: ClassVar[str] = "v1-auth set-password"

    which: str
    password: Secret
    is_ensured: bool

    def plan(self, store: MetaTx) -> Plan:
        """Plan one key, or nothing; `PasswordError` when a server would not take the password."""
        found = choose_legacy(store, self.which)
        require_acceptable(self.password)
        stored = store.legacy_authorizations.passwords.get(found.id)
        is_same = stored is not None and password_matches(self.password, stored)
        if self.is_ensured and is_same:
            return _unneeded(self.operation, found, "has this password already")
        hashed = hash_password(self.password)
        word = "set" if stored is None else "replace"
        return Plan(
            operation=self.operation,
            steps=(f"{word} the password of {_described(found)} by a new one, as a bcrypt hash",),
            facts={"authorization_id": found.id, "had_password": stored is not None},
            record_ids=(found.id,),
            warnings=_inactive_warning(found),
            apply=lambda tx: tx.legacy_authorizations.passwords.put(found.id, hashed),
            verify=lambda tx: self._verify(tx, found.id),
        )

    def _verify(self, tx: MetaTx, authorization_id: Id) -> str | None:
        stored = tx.legacy_authorizations.passwords.get(authorization_id)
        if stored is None or not password_matches(self.password, stored):
            return "the password that was stored is not the one that was given"
        return None


class SetLegacyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The commands `v1-auth set-active` and `v1-auth set-inactive`.

    Attributes:
        which: ID or user name.
    """

    which: str
    is_active: bool
    clock: Clock

    @property
    def operation(self) -> str:
        """The command."""
        return "v1-auth set-active" if self.is_active else "v1-auth set-inactive"

    def plan(self, store: MetaTx) -> Plan:
        """Plan one record rewritten; nothing when it has this status."""
        before = choose_legacy(store, self.which)
        status = ACTIVE if self.is_active else INACTIVE
        if before.status == status:
            return _unneeded(self.operation, before, f"is {status} already")
        after = before.with_status(status, now=format_time(self.clock.now()))
        return Plan(
            operation=self.operation,
            steps=(f"set the status of {_described(before)} to {status}",),
            facts={
                "authorization_id": before.id,
                "status_before": before.status,
                "status": status,
            },
            record_ids=(before.id,),
            apply=lambda tx: tx.legacy_authorizations.put(after),
            verify=lambda tx: (
                None
                if tx.legacy_authorizations.holds(after)
                else f"1.x authorization {after.id} is not as planned"
            ),
        )


class DeleteLegacy(msgspec.Struct, frozen=True, kw_only=True):
    """The command `v1-auth delete`.

    Attributes:
        which: ID or user name.
        is_ensured: Whether it is well when there is none.
    """

    operation: ClassVar[str] = "v1-auth delete"

    which: str
    is_ensured: bool

    def plan(self, store: MetaTx) -> Plan:
        """Plan the end of the record, its index entries and its password.

        A record that cannot be decoded goes too when its ID was given; nothing when there is none
        and that is well.

        Raises:
            RefusedError: Several records have the user name.
        """
        try:
            found = choose_legacy(store, self.which)
        except RecordError as error:
            return self._deletion(
                Id(error.record_id),
                f"1.x authorization {error.record_id}",
                warnings=(f"this record cannot be understood ({error.problem})",),
            )
        except NotFoundError:
            if not self.is_ensured:
                raise
            return Plan.nothing(
                self.operation,
                "nothing: there is no such authorization",
                facts={},
            )
        return self._deletion(found.id, _described(found))

    def _deletion(self, gone: Id, name: str, *, warnings: tuple[str, ...] = ()) -> Plan:
        return Plan(
            operation=self.operation,
            steps=(
                f"delete {name}",
                "delete what leads to it in the index of user names, and its password",
            ),
            facts={"authorization_id": gone},
            record_ids=(gone,),
            warnings=warnings,
            apply=lambda tx: tx.legacy_authorizations.delete(gone),
            verify=lambda tx: self._verify(tx, gone),
            afterwards=(
                Run("v1-auth undelete", "to bring it back, if it was a mistake", {Input.ID: gone}),
            ),
        )

    @staticmethod
    def _verify(tx: MetaTx, gone: Id) -> str | None:
        legacy = tx.legacy_authorizations
        if legacy.load(gone) is not None or legacy.passwords.has(gone):
            return "the authorization or its password is still there"
        if legacy.entry_count(gone):
            return "the index of user names still leads to the authorization"
        return None


def choose_legacy(store: MetaTx, which: str) -> Authorization:
    """Choose by ID, which goes first, or user name; `RefusedError` when several have that."""
    wanted_id = parse_id(which)
    if wanted_id is not None:
        found = store.legacy_authorizations.load(wanted_id)
        if found is not None:
            return found
    records = list(store.legacy_authorizations.walk([]))
    named = [one for one in records if _username(one) == which]
    if len(named) > 1:
        raise RefusedError(
            reason=f"{len(named)} authorizations have the user name {shown_name(which)}: "
            f"{', '.join(one.id for one in named)}",
            hint="name one by its ID",
        )
    if named:
        return named[0]
    existing = [f"{one.id} {shown_name(_username(one))}" for one in records[:NAMES_SHOWN_MAX]]
    if len(records) > NAMES_SHOWN_MAX:
        existing.append("and more")
    raise NotFoundError(
        kind="1.x authorization",
        name=shown_name(which),
        existing=existing,
        hint=Run("v1-auth list", "to see all of them"),
    )


def _row(tx: MetaTx, one: Authorization) -> LegacyRow:
    stored = tx.legacy_authorizations.passwords.get(one.id)
    user = tx.users.get(one.user_id) if one.user_id else None
    organization = tx.organizations.get(one.org_id) if one.org_id else None
    username = _username(one)
    standing = legacy_standing_of(tx, one)
    return LegacyRow(
        id=one.id,
        username=username,
        status=one.status or ACTIVE,
        description=one.description,
        user_id=one.user_id,
        user=None if user is None else user.name,
        organization_id=one.org_id,
        organization=None if organization is None else organization.name,
        has_password=stored is not None and is_password_hash(stored),
        has_entry=tx.legacy_authorizations.leads_home(one),
        is_usable=standing.is_usable,
        because=standing.because,
        permissions=tuple(str(permission) for permission in one.permissions()),
        permitted=permitted(tx, one.permissions()),
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


def _username(one: Authorization) -> str:
    """Give the 1.x user name, which the record keeps in the place of a token."""
    return "" if one.token is None else one.token.reveal()


def _described(one: Authorization) -> str:
    return f"1.x authorization {one.id} (user name {_username(one) or 'none'})"


def _inactive_warning(one: Authorization) -> tuple[str, ...]:
    if one.is_active:
        return ()
    return ("it is inactive, so nobody can log in with it; v1-auth set-active changes that",)


def _unneeded(operation: str, one: Authorization, why: str) -> Plan:
    return Plan.nothing(
        operation,
        f"nothing: {_described(one)} {why}",
        facts={"authorization_id": one.id},
    )
