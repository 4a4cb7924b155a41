"""Who can reach what: users, by tokens and roles.

Lives here: what a permission list reaches, in a few grants and a few words, and `Reach`. Must not
live here: whether a token works (`recovery.model.standing`), and pictures
(`recovery.services.reach_picture`).

Invariants: nothing of a token's value is read. What many tokens share is worked out once.

Source: InfluxDB v2.9.1 authz.go (matchesV1), http/config.go (operators); spec influxdb-metadata
sections 8.2 to 8.4.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum, unique
from typing import Final, Protocol

import msgspec

from recovery.drawing.svg import shortened
from recovery.metastore.transaction import MetaTx
from recovery.model.display import displayed, plural
from recovery.model.gojson import UndecodableError
from recovery.model.ids import Id
from recovery.model.mapping import INSTANCE, MEMBER, ORGS, OWNER
from recovery.model.permission import (
    ACTIONS,
    Permission,
    all_access_permissions,
    classify,
    decode_permissions,
)
from recovery.services.access import Rights, rights
from recovery.services.authorizations.listing import list_authorizations
from recovery.services.session import View

WAYS_APART_MAX: Final = 40
"""Up to so many ways are told one by one; more are bundled by owner and rights."""
_KNOWN_LISTS_MAX: Final = 10_000
WORDS_COLUMNS_MAX: Final = 60
"""What a name may take where what is reached is told, in columns of a terminal."""
NAME_COLUMNS_MAX: Final = 32
"""What a name may take in the few words for a token, in columns of a terminal."""


@unique
class Target(StrEnum):
    """What kind of thing is reached."""

    EVERYTHING = "everything"
    ORGANIZATION = "organization"
    ALL_BUCKETS = "all buckets"
    BUCKET = "bucket"
    OTHER = "other"


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody may read or write.

    Attributes:
        organization_id: Of or in which organization; None for all.
        organization: Its name; None for all, or when there is no such organization.
        id: The bucket; None for what is no bucket.
        name: The bucket's name, or resource types; "" for what needs no name.
        actions: "read", "write", or both.
    """

    target: Target
    organization_id: Id | None = None
    organization: str | None = None
    id: Id | None = None
    name: str = ""
    actions: tuple[str, ...] = ACTIONS

    @property
    def key(self) -> tuple[str, ...]:
        """What is reached, whatever may be done with it."""
        return (self.target, self.organization_id or "", self.id or "", self.name)

    @property
    def words(self) -> str:
        """What is reached, in words; names in it are escaped, and long ones are cut."""
        where = shortened(
            self.organization or self.organization_id or "all organizations", WORDS_COLUMNS_MAX
        )
        if self.target is Target.OTHER and self.organization_id is None and "/" in self.name:
            return self.name
        match self.target:
            case Target.EVERYTHING:
                return "everything"
            case Target.ORGANIZATION:
                return f"everything in {where}"
            case Target.ALL_BUCKETS:
                return f"all buckets of {where}"
            case Target.BUCKET:
                return f"{where} / {shortened(self.name, WORDS_COLUMNS_MAX)}"
            case _:
                return f"{self.name} of {where}"

    @property
    def action_words(self) -> str:
        """What may be done, in words."""
        return " and ".join(self.actions)


class Names:
    """Names of organizations and buckets, for those who have IDs."""

    def __init__(self, tx: MetaTx) -> None:
        """Read them all."""
        self.level: Final = tx.level
        self.organizations: Final = {one.id: one.name for one in tx.organizations.walk([])}
        self.buckets: Final = {one.id: (one.name, one.org_id) for one in tx.buckets.walk([])}


class Reaching:
    """Finds out what permission lists reach, each different list once."""

    def __init__(self, names: Names) -> None:
        """Get ready for the lists of one state of a store."""
        self._names = names
        self._known: dict[bytes, tuple[Grant, ...] | None] = {}
        self._last: tuple[msgspec.Raw | None, tuple[Grant, ...] | None] = (None, None)

    def of_raw(self, permissions: msgspec.Raw) -> tuple[Grant, ...] | None:
        """As `of_list`, for the list of a row; rows with the same list follow one another."""
        if self._last[0] is not permissions:
            self._last = (permissions, self.of_list(bytes(permissions)))
        return self._last[1]

    def of_list(self, permissions: bytes) -> tuple[Grant, ...] | None:
        """Say what a stored list reaches; None when no server can decode it."""
        if permissions not in self._known:
            if len(self._known) >= _KNOWN_LISTS_MAX:
                self._known.clear()
            try:
                found = tuple(self.of(decode_permissions(permissions)))
            except UndecodableError:
                self._known[permissions] = None
            else:
                self._known[permissions] = found
        return self._known[permissions]

    def of(self, permissions: Iterable[Permission]) -> Iterator[Grant]:
        """Say what permissions reach, in few grants: an operator's or an administrator's is one."""
        held = list(permissions)
        if classify(held, level=self._names.level).is_operator:
            yield Grant(target=Target.EVERYTHING)
            return
        for org_id in dict.fromkeys(one.org_id for one in held if one.org_id is not None):
            if self._is_all_access(held, org_id):
                yield self._grant(Target.ORGANIZATION, org_id)
                held = [one for one in held if not self._is_of(one, org_id)]
        yield from self._bucket_grants(one for one in held if one.type == "buckets")
        yield from self._other_grants(one for one in held if one.type != "buckets")

    def _is_all_access(self, held: list[Permission], org_id: Id) -> bool:
        """Tell whether a list has all that an all-access token has, whoever its user is."""
        wanted = {
            (one.action, one.type)
            for one in all_access_permissions(self._names.level, org_id=org_id, user_id=org_id)
            if one.org_id == org_id
        }
        have = {
            (one.action, one.type)
            for one in held
            if one.id is None and one.org_id in {None, org_id}
        }
        return wanted <= have

    @staticmethod
    def _is_of(one: Permission, org_id: Id) -> bool:
        """Tell whether all access to an organization includes a permission, or implies it."""
        return org_id in {one.org_id, one.id} or (one.type, one.org_id) == ("users", None)

    def _bucket_grants(self, permissions: Iterable[Permission]) -> Iterator[Grant]:
        actions: dict[tuple[Id | None, Id | None], set[str]] = {}
        for one in permissions:
            org_id = one.org_id
            if org_id is None and one.id is not None and one.id in self._names.buckets:
                org_id = self._names.buckets[one.id][1]
            actions.setdefault((org_id, one.id), set()).add(one.action)
        for (org_id, bucket_id), found in actions.items():
            target = Target.ALL_BUCKETS if bucket_id is None else Target.BUCKET
            name = ""
            if bucket_id is not None:
                name = self._names.buckets.get(bucket_id, (f"missing bucket {bucket_id}", ""))[0]
            yield self._grant(target, org_id, bucket_id, name, found)

    def _other_grants(self, permissions: Iterable[Permission]) -> Iterator[Grant]:
        kinds: dict[tuple[Id | None, str], set[str]] = {}
        for one in permissions:
            is_org = one.type == ORGS and one.id is not None
            single = "" if one.id is None or is_org else f"/{one.id}"
            key = (one.id if is_org else one.org_id, f"{one.type}{single}")
            kinds.setdefault(key, set()).add(one.action)
        alike: dict[tuple[Id | None, frozenset[str]], list[str]] = {}
        for (org_id, kind), actions in kinds.items():
            alike.setdefault((org_id, frozenset(actions)), []).append(kind)
        for (org_id, found), names in alike.items():
            yield self._grant(Target.OTHER, org_id, None, ", ".join(names), found)

    def _grant(
        self,
        target: Target,
        org_id: Id | None,
        resource_id: Id | None = None,
        name: str = "",
        actions: Iterable[str] = ACTIONS,
    ) -> Grant:
        found = set(actions)
        return Grant(
            target=target,
            organization_id=org_id,
            organization=None if org_id is None else self._names.organizations.get(org_id),
            id=resource_id,
            name=name,
            actions=tuple(one for one in ACTIONS if one in found),
        )


def may_do(grants: tuple[Grant, ...] | None, permission_count: int) -> str:
    """Say in a few words what a token may do, where no operator is concerned.

    Args:
        grants: What it reaches; None when that cannot be decoded.

    Returns:
        Such as "all access", "read/write · telemetry", "read · 3 buckets", "12 permissions"; names
        are escaped, and long ones are cut.
    """
    if not grants:
        return "cannot be read" if grants is None else "nothing"
    kinds = {one.target for one in grants}
    if kinds == {Target.ORGANIZATION}:
        return "all access"
    if kinds <= {Target.BUCKET, Target.ALL_BUCKETS}:
        return _buckets_in_words(grants)
    return plural(permission_count, "permission")


def _buckets_in_words(grants: tuple[Grant, ...]) -> str:
    if len({one.actions for one in grants}) > 1:
        read, write = (sum(action in one.actions for one in grants) for action in ACTIONS)
        return f"read · {read}, write · {write} buckets"
    doing = "/".join(grants[0].actions)
    if len(grants) > 1:
        return f"{doing} · {len(grants)} buckets"
    only = grants[0]
    is_one = only.target is Target.BUCKET
    return f"{doing} · {shortened(only.name, NAME_COLUMNS_MAX) if is_one else 'all buckets'}"


class _Numbers:
    """Numbers different grants, so that those that are alike are found at once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Grant, ...], int] = {}
        self._last: tuple[tuple[Grant, ...] | None, int] = (None, -1)

    def of(self, grants: tuple[Grant, ...]) -> int:
        """Give the number; it costs nothing for the grants of the token before."""
        if self._last[0] is not grants:
            self._last = (grants, self._known.setdefault(grants, len(self._known)))
        return self._last[1]


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How one user reaches something: by a token or a role, or by several alike.

    Attributes:
        user_id: The user; "" for a token without one.
        user: Its name; None when there is no such user.
        token_id: The token, or the first of several; None for a role.
        label: The description of the token, or the role: "owner of main".
        count: How many tokens alike it stands for.
        grants: What it reaches; empty when that cannot be read.
        is_usable: Whether it works now.
        because: Why not, as clauses.
    """

    user_id: str
    user: str | None
    token_id: Id | None
    label: str
    count: int = 1
    grants: tuple[Grant, ...]
    is_operator: bool
    is_usable: bool
    because: tuple[str, ...] = ()


class ReachUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user of the map.

    Attributes:
        can_sign_in: Whether a sign-in with the right password works.
    """

    id: Id
    name: str
    can_sign_in: bool


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """Who can reach what.

    Attributes:
        users: All users, or those who are asked for.
        ways: Their ways, by user: roles first, then tokens. Tokens of deleted users come last.
    """

    users: tuple[ReachUser, ...]
    ways: tuple[Way, ...]
    token_count: int

    @property
    def sentence(self) -> str:
        """Say it in a sentence; names are escaped."""
        whole = dict.fromkeys(
            displayed(way.user or "a deleted user")
            for way in self.ways
            if way.is_operator and way.is_usable
        )
        dead = sum(way.count for way in self.ways if not way.is_usable)
        who = f"{_listed(list(whole))} can reach everything" if whole else "nobody reaches all"
        broken = f"; {dead} of the ways {'does' if dead == 1 else 'do'} not work" if dead else ""
        counts = f"{plural(len(self.users), 'user')}, {plural(self.token_count, 'token')}"
        return f"{counts}: {who}{broken}"


NAMES_SHOWN_MAX: Final = 5


def _listed(names: list[str]) -> str:
    shown = names[:NAMES_SHOWN_MAX]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


class _Token(Protocol):
    """What is known of a token."""

    @property
    def id(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def user(self) -> str | None: ...
    @property
    def is_usable(self) -> bool: ...
    @property
    def because(self) -> tuple[str, ...]: ...


Reaches = tuple[_Token, tuple[Grant, ...]]
"""A token, and what it reaches."""


def reach_of(view: View) -> Reach:
    """Find out who can reach what."""
    reaching = Reaching(Names(view.tx))
    rows = list_authorizations(view.tx).rows
    return reach_by(
        view.tx,
        ((row, reaching.of_raw(row.permissions) or ()) for row in rows),
        rights(view.tx),
    )


def reach_by(
    tx: MetaTx,
    tokens: Iterable[Reaches],
    known_rights: Rights,
    *,
    user: str | None = None,
    bucket: str | None = None,
    apart_max: int = WAYS_APART_MAX,
) -> Reach:
    """As `reach_of`, where all tokens have been read already.

    Args:
        tokens: All of them; the same grants are the same object where that is possible.
        known_rights: What users see after a sign-in.
        bucket: Only ways that reach a bucket of this exact name or ID, by whatever means; None for
            all.
        apart_max: More ways than that are bundled by owner, rights and whether they work.
    """
    names = Names(tx)
    wants = _wanting(names, bucket)
    users = tuple(_users(tx, user, known_rights))
    known = {one.id for one in users}
    ways = [way for way in _role_ways(tx, names, users) if wants(way.grants)]
    numbers = _Numbers()
    bundles: dict[tuple[str, int, bool], list[Way]] = {}
    counts: Counter[tuple[str, int, bool]] = Counter()
    token_count = 0
    for row, grants in tokens:
        if row.user_id not in known and (user is not None or row.user is not None):
            continue
        if not wants(grants):
            continue
        token_count += 1
        key = (row.user_id, numbers.of(grants), row.is_usable)
        counts[key] += 1
        if token_count <= apart_max or key not in bundles:
            bundles.setdefault(key, []).append(_way(row, grants))
    is_apart = token_count <= apart_max
    for key, bundle in bundles.items():
        ways += bundle if is_apart else [_bundled(bundle[0], counts[key])]
    order = {one.id: place for place, one in enumerate(users)}
    ways.sort(key=lambda way: (order.get(Id(way.user_id), len(order)), way.token_id is not None))
    if bucket is not None:
        reaching_users = {way.user_id for way in ways}
        users = tuple(one for one in users if one.id in reaching_users)
    return Reach(users=users, ways=tuple(ways), token_count=token_count)


def _bundled(way: Way, count: int) -> Way:
    if count == 1:
        return way
    return msgspec.structs.replace(way, label=f"{count} tokens alike", count=count)


def _wanting(names: Names, bucket: str | None) -> Callable[[tuple[Grant, ...]], bool]:
    """Return what tells whether grants reach a bucket."""
    if bucket is None:
        return lambda _: True
    found = {
        (bucket_id, org_id)
        for bucket_id, (name, org_id) in names.buckets.items()
        if bucket in {bucket_id, name}
    }

    def wants(grants: tuple[Grant, ...]) -> bool:
        for one in grants:
            if one.target is Target.EVERYTHING or (
                one.target is Target.ALL_BUCKETS and one.organization_id is None
            ):
                return True
            for bucket_id, org_id in found:
                if one.id == bucket_id or (
                    one.target in {Target.ORGANIZATION, Target.ALL_BUCKETS}
                    and one.organization_id == org_id
                ):
                    return True
        return False

    return wants


def _users(tx: MetaTx, wanted: str | None, known: Rights) -> Iterator[ReachUser]:
    for user in tx.users.walk([]):
        if wanted is None or wanted in {user.id, user.name}:
            can_sign_in = known.sign_in(tx, user).is_usable
            yield ReachUser(id=user.id, name=user.name, can_sign_in=can_sign_in)


def _role_ways(tx: MetaTx, names: Names, users: tuple[ReachUser, ...]) -> Iterator[Way]:
    known = {one.id: one for one in users}
    for mapping in tx.mappings.walk([]):
        user = known.get(mapping.user_id)
        if user is None or mapping.resource_type not in {ORGS, INSTANCE}:
            continue
        role, name = mapping.user_type, "the instance"
        grant = Grant(target=Target.EVERYTHING)
        if mapping.resource_type == ORGS:
            organization = names.organizations.get(mapping.resource_id)
            name = displayed(organization or f"missing organization {mapping.resource_id}")
            grant = Grant(
                target=Target.ORGANIZATION,
                organization_id=mapping.resource_id,
                organization=organization,
                actions=("read",) if role == MEMBER else ACTIONS,
            )
        yield Way(
            user_id=user.id,
            user=user.name,
            token_id=None,
            label=f"{role} of {name}",
            grants=(grant,),
            is_operator=mapping.resource_type == INSTANCE and role == OWNER,
            is_usable=user.can_sign_in,
            because=() if user.can_sign_in else ("the user does not get in",),
        )


def _way(row: _Token, grants: tuple[Grant, ...]) -> Way:
    return Way(
        user_id=row.user_id,
        user=row.user,
        token_id=Id(row.id),
        label=row.description,
        grants=grants,
        is_operator=any(one.target is Target.EVERYTHING for one in grants),
        is_usable=row.is_usable,
        because=row.because,
    )
