"""What a new token is to be permitted, as it was asked for.

Lives here: `PermissionRequest`, which knows the flags of `influx auth create`, and its resolution
into the permissions that a server would store. Must not live here: argparse, and the record.

Invariants: the sets are those that the server, the `influx` command and the user interface send:
typed permissions are bound to the organization, except those on organizations and users, which are
global. What a server of the store's level would refuse is refused.

Source: influx-cli clients/auth/auth.go (Create); InfluxDB v2.9.1 http/authorization (validation),
auth.go (Valid); spec influxdb-metadata sections 8.1, 8.3, 10.3 and 11.2.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec

from recovery.errors import NotFoundError, RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import Bucket
from recovery.model.gojson import (
    Fields,
    UndecodableError,
    decode_fields,
    fold,
    id_field,
    text_field,
)
from recovery.model.ids import Id, parse_id
from recovery.model.organization import Organization, index_name
from recovery.model.permission import (
    ACTIONS,
    INSTANCE,
    Permission,
    all_access_permissions,
    decode_permissions,
    operator_permissions,
    raw_entries,
    types_of_level,
)
from recovery.remedy import Give, Input
from recovery.services.tenancy.choosing import gathered, shown_name, shown_names

GLOBAL_TYPES: Final = frozenset({"orgs", "users"})
"""Types that no organization holds."""
WIDE_SHOWN_MAX: Final = 4
HOW_TO_WRITE: Final = (
    'write it as for POST /api/v2/authorizations: [{"action":"read","resource":{"type":"buckets",'
    '"name":"BUCKET","orgID":"ID"}}]'
)


class PermissionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. Everything but the first two adds up.

    Attributes:
        read_buckets: IDs or names of buckets to be read.
        write_buckets: IDs or names of buckets to be written.
        document: The JSON array of permissions as `POST /api/v2/authorizations` takes it, or None.
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

    def resolve(self, tx: MetaTx, *, organization: Organization, user_id: Id) -> list[Permission]:
        """Work out the permissions.

        Returns:
            The permissions, each once: buckets, then types, then those of the document.

        Raises:
            RefusedError: It is impossible, or a server of this level would refuse it.
            NotFoundError: A bucket does not exist in the organization.
        """
        if self.clash is not None:
            raise RefusedError(reason=self.clash, hint="ask for one of them only")
        org_id = organization.id
        if self.is_operator:
            return operator_permissions(tx.level)
        if self.is_all_access:
            return all_access_permissions(tx.level, org_id=org_id, user_id=user_id)
        found = self._bucket_permissions(tx, org_id)
        found += self._typed_permissions(tx.level, org_id)
        if self.document is not None:
            found += _from_document(self.document, tx=tx, organization=organization)
        return list(dict.fromkeys(found))

    def warnings(self, permissions: Iterable[Permission]) -> tuple[str, ...]:
        """Warn of a permission of the document that names no organization, and so counts in all."""
        if self.document is None:
            return ()
        named = {*self.read_types, *self.write_types}
        wide = [str(one) for one in permissions if one.is_global and one.type not in named]
        if not wide:
            return ()
        shown = ", ".join(wide[:WIDE_SHOWN_MAX]) + (", ..." if len(wide) > WIDE_SHOWN_MAX else "")
        sentence = (
            f"{shown}: no orgID is named, so this holds in every organization of the server, also "
            "in those to come"
        )
        return (sentence,)

    def _bucket_permissions(self, tx: MetaTx, org_id: Id) -> list[Permission]:
        if not (self.read_buckets or self.write_buckets):
            return []
        buckets = [bucket for bucket in tx.buckets.walk([]) if bucket.org_id == org_id]
        wanted = (("read", self.read_buckets), ("write", self.write_buckets))
        chosen = iter(
            gathered(partial(_bucket, name, buckets) for _, names in wanted for name in names)
        )
        return [
            Permission(action=action, type="buckets", id=next(chosen).id, org_id=org_id)
            for action, names in wanted
            for _ in names
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


def telegrafs_of(tx: MetaTx, org_id: Id | None) -> Iterator[tuple[Id, str]]:
    """List the Telegraf configurations of an organization: ID and name; not what is unreadable."""
    for document in (found for _, found in tx.table("telegrafv1").items()):
        with suppress(UndecodableError):
            fields = decode_fields(document)
            record_id, owner = id_field(fields, "id"), id_field(fields, "orgID")
            if record_id is not None and owner is not None and owner == org_id:
                yield record_id, text_field(fields, "name")


def refusal_of(permissions: Iterable[Permission], *, level: int, org_id: Id | None) -> str | None:
    """Say why a server would not take a permission list.

    Args:
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


def _from_document(document: bytes, *, tx: MetaTx, organization: Organization) -> list[Permission]:
    """Read the array of a file, with buckets by name as the API takes them."""
    try:
        entries = [
            _resolved(entry, tx=tx, organization=organization) for entry in raw_entries(document)
        ]
        permissions = decode_permissions(msgspec.json.encode(entries))
    except UndecodableError as error:
        raise RefusedError(
            reason=f"the permissions cannot be understood ({error.problem})", hint=HOW_TO_WRITE
        ) from None
    if not permissions:
        raise RefusedError(reason="the list of permissions is empty", hint=HOW_TO_WRITE)
    reason = refusal_of(permissions, level=tx.level, org_id=organization.id)
    if reason is not None:
        raise RefusedError(reason=reason, hint=HOW_TO_WRITE)
    return permissions


def _resolved(entry: bytes, *, tx: MetaTx, organization: Organization) -> dict[str, msgspec.Raw]:
    """Put IDs in the place of names; whatever cannot be is refused, so that nothing is widened.

    Source: InfluxDB v2.9.1 authz.go, Resource; the server itself drops the names that it is sent.
    """
    fields = decode_fields(entry)
    _require_known(fields, {"action", "resource"}, "permission")
    resource = decode_fields(bytes(fields.get("resource", b"{}")))
    _require_known(resource, {"type", "id", fold("orgID"), "name", "org"}, "resource")
    org_name = text_field(resource, "org")
    if org_name and index_name(org_name) != index_name(organization.name):
        raise UndecodableError(problem="a resource is of another organization than the token")
    wanted = {
        "type": text_field(resource, "type"),
        "id": id_field(resource, "id"),
        "orgID": id_field(resource, "orgID") or (organization.id if org_name else None),
    }
    name = text_field(resource, "name")
    if name and wanted["id"] is None:
        if wanted["type"] != "buckets":
            raise UndecodableError(problem="a resource other than a bucket is named without its id")
        buckets = [one for one in tx.buckets.walk([]) if one.org_id == organization.id]
        wanted |= {"id": _bucket(name, buckets).id, "orgID": organization.id}
    given = {key: value for key, value in wanted.items() if value is not None}
    return {
        "action": fields.get("action", msgspec.Raw(b'""')),
        "resource": msgspec.Raw(msgspec.json.encode(given)),
    }


def _require_known(fields: Fields, known: set[str], what: str) -> None:
    """Refuse a field that may be there to narrow something down, and would be overlooked."""
    if not fields.keys() <= known:
        raise UndecodableError(problem=f"a {what} has a field that is not known here")


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
    raise NotFoundError(
        kind="bucket",
        name=shown_name(wanted),
        existing=shown_names([bucket.name for bucket in buckets], like=wanted),
        hint=(
            "name a bucket of the organization that the token belongs to",
            Give(Input.ORGANIZATION, "choose another organization"),
        ),
    )
