"""What a new token is to be permitted, as it was asked for.

Lives here: `PermissionRequest`, which knows the flags of `influx auth create`, and its resolution
into the permissions that a server would store. Must not live here: argparse, and the record.

Invariants: the sets are those that the server, the `influx` command and the user interface send:
typed permissions are bound to the organization, except those on organizations and users, which are
global. What a server of the store's level would refuse is refused.

Source: influx-cli clients/auth/auth.go (Create); InfluxDB v2.9.1 http/authorization (validation),
auth.go (Valid); spec influxdb-metadata sections 8.1, 8.3, 10.3 and 11.2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from recovery.errors import NotFoundError, RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import Bucket
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id, parse_id
from recovery.model.permission import (
    ACTIONS,
    INSTANCE,
    Permission,
    all_access_permissions,
    decode_permissions,
    operator_permissions,
    types_of_level,
)
from recovery.remedy import Give, Input
from recovery.services.tenancy.choosing import NAMES_SHOWN_MAX, shown_name

GLOBAL_TYPES: Final = frozenset({"orgs", "users"})
"""Types that no organization holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionRequest:
    """What was asked for. Everything but the first two adds up.

    Attributes:
        is_operator: Everything on this server.
        is_all_access: Everything in the organization of the token.
        read_buckets: IDs or names of buckets to be read.
        write_buckets: IDs or names of buckets to be written.
        read_types: Resource types to be read.
        write_types: Resource types to be written.
        document: A JSON array as `POST /api/v2/authorizations` takes it, or None.
    """

    is_operator: bool = False
    is_all_access: bool = False
    read_buckets: tuple[str, ...] = ()
    write_buckets: tuple[str, ...] = ()
    read_types: tuple[str, ...] = ()
    write_types: tuple[str, ...] = ()
    document: bytes | None = None

    @property
    def clash(self) -> str | None:
        """What is impossible about it in any store, as a clause; None when nothing is."""
        has_single = bool(
            self.read_buckets
            or self.write_buckets
            or self.read_types
            or self.write_types
            or self.document is not None
        )
        if self.is_operator and self.is_all_access:
            return "an operator's permissions and all access cannot be given together"
        if self.is_operator and has_single:
            return "an operator may do everything, which cannot be combined with other permissions"
        if self.is_all_access and has_single:
            return (
                "all access permits everything in the organization and cannot be combined with "
                "other permissions"
            )
        if not (self.is_operator or self.is_all_access or has_single):
            return "a token without any permission is of no use, and no permission was named"
        return None

    def resolve(self, tx: MetaTx, *, org_id: Id, user_id: Id) -> list[Permission]:
        """Work out the permissions.

        Args:
            tx: The records, for the names of buckets.
            org_id: The organization of the token.
            user_id: The user of the token.

        Returns:
            The permissions, each once: buckets, then types, then those of the document.

        Raises:
            RefusedError: It is impossible, or a server of this level would refuse it.
            NotFoundError: A bucket does not exist in the organization.
            StoreDamagedError: The file is damaged.
        """
        if self.clash is not None:
            raise RefusedError(reason=self.clash, hint="ask for one of them only")
        if self.is_operator:
            return operator_permissions(tx.level)
        if self.is_all_access:
            return all_access_permissions(tx.level, org_id=org_id, user_id=user_id)
        found = self._bucket_permissions(tx, org_id)
        found += self._typed_permissions(tx.level, org_id)
        if self.document is not None:
            found += _from_document(self.document, level=tx.level, org_id=org_id)
        return list(dict.fromkeys(found))

    def _bucket_permissions(self, tx: MetaTx, org_id: Id) -> list[Permission]:
        if not (self.read_buckets or self.write_buckets):
            return []
        buckets = [bucket for bucket in tx.buckets.walk([]) if bucket.org_id == org_id]
        return [
            Permission(action=action, type="buckets", id=_bucket(wanted, buckets).id, org_id=org_id)
            for action, names in (("read", self.read_buckets), ("write", self.write_buckets))
            for wanted in names
        ]

    def _typed_permissions(self, level: int, org_id: Id) -> list[Permission]:
        wanted = {"read": self.read_types, "write": self.write_types}
        known = types_of_level(level)
        for kind in (*self.read_types, *self.write_types):
            _require_type(kind, level)
        return [
            Permission(action=action, type=kind, org_id=None if kind in GLOBAL_TYPES else org_id)
            for kind in known
            for action in ACTIONS
            if kind in wanted[action]
        ]


def refusal_of(permissions: Iterable[Permission], *, level: int, org_id: Id | None) -> str | None:
    """Say why a server would not take a permission list.

    Args:
        permissions: The list.
        level: The schema level.
        org_id: The organization of the authorization.

    Returns:
        The reason as a clause without anything of the list but known words; None when it would.
    """
    known = types_of_level(level)
    for permission in permissions:
        if permission.action not in ACTIONS:
            return "a permission has an action that is neither read nor write"
        if permission.type == INSTANCE:
            return "a permission is for the instance, which servers keep for sessions"
        if permission.type not in known:
            return f"a permission is for a resource type that servers of level {level} do not know"
        if permission.org_id is not None and permission.org_id != org_id:
            return (
                f"a permission is for organization {permission.org_id}, and a token can only "
                "permit what is in its own or what no organization is named for"
            )
    return None


def _from_document(document: bytes, *, level: int, org_id: Id) -> list[Permission]:
    """Read the array of a file."""
    hint = (
        'write it as for POST /api/v2/authorizations: [{"action":"read","resource":{"type":'
        '"buckets"}}]'
    )
    try:
        permissions = decode_permissions(document)
    except UndecodableError as error:
        raise RefusedError(
            reason=f"the permissions cannot be understood ({error.problem})", hint=hint
        ) from None
    if not permissions:
        raise RefusedError(reason="the list of permissions is empty", hint=hint)
    reason = refusal_of(permissions, level=level, org_id=org_id)
    if reason is not None:
        raise RefusedError(reason=reason, hint=hint)
    return permissions


def _require_type(kind: str, level: int) -> None:
    if kind not in types_of_level(level):
        raise RefusedError(
            reason=f"the servers that open a store of level {level} know no resource type {kind}",
            hint="leave that permission out",
        )


def _bucket(wanted: str, buckets: list[Bucket]) -> Bucket:
    """Find a bucket by its ID, which goes first, or its name."""
    wanted_id = parse_id(wanted)
    for bucket in buckets:
        if bucket.id == wanted_id:
            return bucket
    for bucket in buckets:
        if bucket.name == wanted:
            return bucket
    existing = [shown_name(bucket.name) for bucket in buckets[:NAMES_SHOWN_MAX]]
    if len(buckets) > NAMES_SHOWN_MAX:
        existing.append("and more")
    raise NotFoundError(
        kind="bucket",
        name=shown_name(wanted),
        existing=existing,
        hint=(
            "name a bucket of the organization that the token belongs to",
            Give(Input.ORGANIZATION, "choose another organization"),
        ),
    )
