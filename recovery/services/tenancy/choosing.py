"""Which user and which organization a command means.

Lives here: the choice by name, or of the only one. Must not live here: what is done with them.

Invariants: a name is looked for among the records, not only in the index: a store whose index is
broken is one that people need help with. An error lists the names that exist.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Self, TypeVar

import msgspec

from recovery.errors import (
    AmbiguousError,
    ConflictError,
    NotFoundError,
    RecoveryError,
    RefusedError,
    together,
)
from recovery.metastore.transaction import MetaTx
from recovery.model.bucket import Bucket
from recovery.model.display import displayed, is_typeable
from recovery.model.gojson import Json
from recovery.model.ids import Id, parse_id, slip_note
from recovery.model.organization import Organization, index_name
from recovery.model.user import User
from recovery.remedy import Give, Input, Remedy, Run

if TYPE_CHECKING:
    from recovery.model.authorization import Authorization
    from recovery.services.changes.plan import Plan, Planner

USERS: Final = "usersv1"
ORGANIZATIONS: Final = "organizationsv1"

NAMES_SHOWN_MAX: Final = 20
_COMPARED_MAX: Final = 5000
"""Of so many names the nearest is looked for, which takes a tenth of a second."""
USER_LIST: Final = Run("user list", "to see who there is")
ORG_LIST: Final = Run("org list", "to see them")
BUCKET_LIST: Final = Run("bucket list", "to see them")
NAME_LENGTH_MAX: Final = 100
"""A longer name is cut: somebody may have given a token where a name is wanted."""

Named = TypeVar("Named", User, Organization)
Record = TypeVar("Record")


def user_of(store: MetaTx, user_id: Id) -> User:
    """Give the user of an ID; raise `NotFoundError` where there is none."""
    return existing(store.users.get(user_id), "user", user_id, USER_LIST)


def organization_of(store: MetaTx, org_id: Id) -> Organization:
    """Give the organization of an ID; raise `NotFoundError` where there is none."""
    return existing(store.organizations.get(org_id), "organization", org_id, ORG_LIST)


def bucket_of(store: MetaTx, bucket_id: Id) -> Bucket:
    """Give the bucket of an ID; raise `NotFoundError` where there is none."""
    return existing(store.buckets.get(bucket_id), "bucket", bucket_id, BUCKET_LIST)


def existing(record: Record | None, kind: str, record_id: Id, listing: Run) -> Record:
    """Take what was found, or raise `NotFoundError`, which says what lists those that are."""
    if record is None:
        raise NotFoundError(kind=kind, name=record_id, existing=None, hint=listing)
    return record


def require_free(kind: str, name: str, holder: Id | None) -> None:
    """Refuse, by `ConflictError`, a name that somebody has."""
    if holder is not None:
        raise ConflictError(kind=kind, name=shown_name(name), hint="choose another name")


def differing(record: object, **wanted: "Json | None") -> dict[str, Json]:
    """Give the fields of a record that are to be changed; one that is wanted as None is kept."""
    return {
        name: value
        for name, value in wanted.items()
        if value is not None and value != getattr(record, name)
    }


def edit_steps(what: str, changes: dict[str, Json]) -> tuple[str, ...]:
    """Say what an edit does: the record with its name, and its fields that get another value."""
    name, description = changes.get("name"), changes.get("description")
    steps = []
    if name is not None:
        steps.append(f"rename {what} to {cut_name(str(name))}")
    if description is not None:
        text = cut_name(str(description))
        steps.append(f"describe {what} as {text}" if text else f"describe {what} no longer")
    return tuple(steps)


def choose_user(tx: MetaTx, name: str | None) -> User:
    """Choose a user.

    Args:
        name: The name, exactly, or the ID; None for the only user.

    Raises:
        NotFoundError: No user has this name; the error lists those that exist.
        RefusedError: There is no user at all.
    """
    users = list(tx.users.walk([]))
    wanted = users if name is None else [user for user in users if user.name == name]
    if name is not None and len(wanted) > 1:
        indexed = tx.users.indexed_id(name)
        wanted = [user for user in wanted if user.id == indexed] or wanted
    wanted = _with_id(name, wanted, users)
    return _only("user", Input.USER, name, wanted, users, _way_to_both(tx))


def choose_both(
    tx: MetaTx, user: str | None, organization: str | None
) -> tuple[User, Organization]:
    """Choose a user and an organization; an error says at once what is wrong with both.

    Raises as `choose_user` and `choose_organization`, or both as `SeveralError`.
    """
    users: list[User] = []
    organizations: list[Organization] = []
    gathered(
        (
            lambda: users.append(choose_user(tx, user)),
            lambda: organizations.append(choose_organization(tx, organization)),
        )
    )
    return users[0], organizations[0]


def gathered(choices: Iterable[Callable[[], Record]]) -> list[Record]:
    """Make several choices; raise, as one error, what is wrong with all of them."""
    found: list[Record] = []
    lacks: list[RecoveryError] = []
    for choose in choices:
        try:
            found.append(choose())
        except (NotFoundError, AmbiguousError) as lack:
            lacks.append(lack)
    if lacks:
        raise together(lacks)
    return found


class UserChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which user a command means.

    Attributes:
        name: Its name, or None when the ID is given.
        user_id: Its ID, or None when the name is given.
    """

    name: str | None
    user_id: Id | None

    def choose(self, store: MetaTx) -> User:
        """Find the user; raise `NotFoundError` or `AmbiguousError`."""
        if self.user_id is None:
            return choose_user(store, self.name)
        return user_of(store, self.user_id)


class Whose(msgspec.Struct, frozen=True):
    """Of which user and which organization records are wanted; None for all."""

    user_id: Id | None
    org_id: Id | None

    @classmethod
    def named(cls, tx: MetaTx, *, user: str | None, organization: str | None) -> Self:
        """Choose both, by name or ID. Raises as `choose_user` and `choose_organization`."""
        user_id, org_id = gathered(
            (
                lambda: None if user is None else choose_user(tx, user).id,
                lambda: None if organization is None else choose_organization(tx, organization).id,
            )
        )
        return cls(user_id, org_id)

    def wants(self, one: "Authorization") -> bool:
        """Tell whether an authorization is theirs."""
        return (self.user_id is None or one.user_id == self.user_id) and (
            self.org_id is None or one.org_id == self.org_id
        )


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A command on a record that has to be found by name in the store first.

    Attributes:
        choose: Finds the record, and makes the command on it.
    """

    operation: str
    choose: "Callable[[MetaTx], Planner]"

    def plan(self, store: MetaTx) -> "Plan":
        """Find the record, and plan. Raises what both raise."""
        return self.choose(store).plan(store)


def choose_bucket(tx: MetaTx, name: str, organization: Organization) -> Bucket:
    """Choose a bucket of an organization by its name, which goes first, or its ID."""
    existing = [one for one in tx.buckets.walk([]) if one.org_id == organization.id]
    wanted_id = parse_id(name)
    named = (one for one in existing if one.name == name)
    found = next(named, None) or next((one for one in existing if one.id == wanted_id), None)
    if found is None:
        raise NotFoundError(
            kind="bucket",
            name=shown_name(name),
            existing=shown_names([one.name for one in existing], like=name),
            hint=BUCKET_LIST,
        )
    return found


def find_bucket(tx: MetaTx, name: str, organization: str | None) -> Bucket:
    """Choose a bucket, whose organization need not be named where only one bucket is called so.

    Raises:
        RecoveryError: There is none, or several; the error lists those that exist.
    """
    if organization is None:
        wanted = (name, parse_id(name))
        found = [one for one in tx.buckets.walk([]) if one.name == name or one.id in wanted]
        if len(found) == 1:
            return found[0]
    return choose_bucket(tx, name, choose_organization(tx, organization))


def choose_organization(tx: MetaTx, name: str | None) -> Organization:
    """Choose an organization.

    Args:
        name: The name; white space around it does not count, as on the server. Or the ID; None for
            the only organization.

    Raises:
        NotFoundError: No organization has this name; the error lists those that exist.
        RefusedError: There is no organization at all.
    """
    found = list(tx.organizations.walk([]))
    wanted = found
    if name is not None:
        wanted = [one for one in found if index_name(one.name) == index_name(name)]
        wanted = _with_id(name, wanted, found)
    return _only("organization", Input.ORGANIZATION, name, wanted, found, _way_to_both(tx))


def _with_id(text: str | None, named: list[Named], existing: list[Named]) -> list[Named]:
    """Add what a text is the ID of to what has it as its name.

    The name of one may be the ID of another: then both are meant, and none is chosen.
    """
    wanted_id = None if text is None else parse_id(text)
    if wanted_id is None:
        return named
    return named + [one for one in existing if one.id == wanted_id and one not in named]


def _way_to_both(tx: MetaTx) -> Remedy:
    """Say what helps where there is no user or no organization.

    Setup is open only while there is neither; a salvaged store can have lost one of the two.
    """
    owner, owned = _only_name(tx.users.walk([])), _only_name(tx.organizations.walk([]))
    if tx.table(USERS).is_empty and tx.table(ORGANIZATIONS).is_empty:
        return Run("setup", "to set it up", {Input.STORE: tx.path})
    if tx.table(USERS).is_empty:
        values = {Input.USER: None, Input.ORGANIZATION: owned}
        return Run("user create", "to make a user who owns it", values)
    return Run("org create", "to make one", {Input.ORGANIZATION: None, Input.USER: owner})


def _only_name(found: Iterable[User | Organization]) -> str | None:
    """Name the only one that there is, by its ID where the name cannot be typed."""
    first = list(itertools.islice(found, 2))
    if len(first) != 1:
        return None
    return first[0].name if _is_plain(first[0].name) and first[0].name else first[0].id


def _only(  # what is asked for, what there is, and what to do without
    kind: str,
    what: Input,
    name: str | None,
    wanted: list[Named],
    existing: list[Named],
    without: Remedy,
) -> Named:
    """Take the only one that is wanted, or say why there is none."""
    if len(wanted) == 1:
        return wanted[0]
    if not existing:
        raise RefusedError(
            reason=f"the store has no {kind}",
            hint=without,
        )
    if wanted:
        candidates = [f"{shown_name(one.name)} ({one.id})" for one in wanted]
        raise AmbiguousError(
            kind=kind,
            candidates=candidates,
            name=None if name is None else shown_name(name),
            hint=Give(what, "name one" if name is None else "name one by its ID"),
        )
    raise NotFoundError(
        kind=kind,
        name=shown_name(name or ""),
        note=slip_note(name or ""),
        existing=_first(map(_recognisable, _nearest_first(existing, name or ""))),
        hint=Give(what, "name one of these in the same letters, or by its ID,")
        if any(not _is_plain(one.name) for one in existing)
        else Give(what, "name one of these, in the same letters,"),
    )


def _recognisable(one: User | Organization) -> str:
    """Show a name, with the ID beside it where it may not be what it looks like."""
    return shown_name(one.name) if _is_plain(one.name) else f"{shown_name(one.name)} ({one.id})"


def _is_plain(name: str) -> bool:
    return name.isascii() and is_typeable(name)


def cut_name(name: str) -> str:
    """Return a name as it may stand in a plan, which is escaped as a whole when it is shown."""
    if len(name) <= NAME_LENGTH_MAX:
        return name
    return f"{name[: NAME_LENGTH_MAX // 2]}… ({len(name)} characters)"


def shown_name(name: str) -> str:
    """Return a name as it may stand in an error: escaped, and not longer than a name is."""
    return displayed(cut_name(name))


def shown_names(names: Iterable[str], *, like: str) -> list[str]:
    """Return names as they may stand in an error, those nearest to what was typed first."""
    return _first(map(shown_name, _alike(list(dict.fromkeys(names)), like, str)))


def _nearest_first(existing: list[Named], name: str) -> list[Named]:
    return _alike(existing, name, lambda one: one.name)


def _alike(found: list[Record], typed: str, name_of: Callable[[Record], str]) -> list[Record]:
    """Put first what was probably meant; of very many that would take too long."""
    if len(found) > _COMPARED_MAX:
        return found
    import difflib  # noqa: PLC0415 # only for a mistake

    names = {name_of(one).casefold() for one in found}
    near = difflib.get_close_matches(typed.casefold(), names)
    return sorted(
        found,
        key=lambda one: (
            near.index(name) if (name := name_of(one).casefold()) in near else len(near)
        ),
    )


def _first(names: Iterable[str]) -> list[str]:
    """Keep the first names; a store may have thousands."""
    listed = list(names)
    rest = len(listed) - NAMES_SHOWN_MAX
    return [*listed[:NAMES_SHOWN_MAX], f"and {rest} more"] if rest > 0 else listed
