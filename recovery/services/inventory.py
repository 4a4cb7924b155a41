"""Who and what is in a store.

Lives here: listings of users, organizations and authorizations, joined and classified. Must not
live here: tables, JSON text, changes.

Invariants: records stream; no list of all authorizations is ever held. A record that cannot be
decoded becomes a `Problem` and the rest is still listed. No row holds a token unless `show_tokens`
was asked for, and then as a `Secret`.

Source: spec influxdb-metadata sections 4.2 to 4.6, 5.4 and 8.4.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from recovery.secret import Secret
    from recovery.services.store_facts import StoreFacts

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A record that could not be listed.

    Attributes:
        bucket: Where it is, such as "authorizationsv1".
        id: Its key when that is an ID, else None: other keys may be secrets.
        problem: What is wrong, as a clause.
    """

    bucket: str
    id: str | None
    problem: str


class Listing(Generic[Row]):
    """Rows to walk through once, and the problems met on the way.

    Attributes:
        rows: The rows, in the order of their IDs.
        problems: Complete only when all rows have been walked.
    """

    def __init__(self, rows: Iterator[Row], problems: list[Problem]) -> None:
        self.rows = rows
        self.problems = problems


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """A user's role in an organization.

    Attributes:
        organization_id: The organization.
        organization: Its name; None when there is no such record.
        role: "owner" or "member".
    """

    organization_id: str
    organization: str | None
    role: str


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """One user.

    Attributes:
        id: 16 hex digits.
        name: As stored, not escaped.
        status: "active", "inactive", or "" as `influxd recovery user create` leaves it.
        has_password: Whether a password is set.
        memberships: Organizations that it owns or is a member of.
        is_instance_owner: Whether it owns the instance (servers from 2.4 on).
    """

    id: str
    name: str
    status: str
    has_password: bool
    memberships: tuple[Membership, ...]
    is_instance_owner: bool


class OrganizationRow(msgspec.Struct, frozen=True, kw_only=True):
    """One organization.

    Attributes:
        id: 16 hex digits.
        name: As stored, not escaped.
        description: As stored.
        created_at: RFC 3339, as stored; "" when absent.
        updated_at: RFC 3339, as stored; "" when absent.
        owner_names: Users who own it, by name, or by ID where the user is missing.
        member_names: Users who are members, the same way.
    """

    id: str
    name: str
    description: str
    created_at: str
    updated_at: str
    owner_names: tuple[str, ...]
    member_names: tuple[str, ...]


@unique
class TokenState(StrEnum):
    """In which form an authorization has its token."""

    RAW = "raw"
    SHA256 = "sha256"
    SHA512 = "sha512"
    UNKNOWN_HASH = "unknown hash"
    BOTH = "both"
    NONE = "none"


@unique
class OperatorState(StrEnum):
    """What kind of operator token it is, by section 8.4."""

    FULL = "full"
    PARTIAL = "partial"
    NO = "no"


class AuthorizationRow(msgspec.Struct, frozen=True, kw_only=True):
    """One authorization, with the names that its IDs stand for.

    Attributes:
        id: 16 hex digits.
        description: As stored, not escaped.
        status: "active" or "inactive", as stored.
        user_id: 16 hex digits, or "" when the record has none.
        user: Name of the user; None when there is no such user.
        organization_id: 16 hex digits.
        organization: Name; None when there is no such organization.
        token_state: In which form the token is stored.
        operator: Whether it is an operator token.
        lacks: For a partial operator, the missing permissions as "read:remotes", in server order.
        is_usable: Whether a server would let a client in with it.
        unusable_because: Why not, as a clause; None when it is usable.
        permissions: The stored JSON array, for passing on as it is.
        permission_count: Number of permissions.
        created_at: RFC 3339 as stored; "" when absent.
        updated_at: RFC 3339 as stored; "" when absent.
        secret: The stored token or else hash; None unless asked for.
    """

    id: str
    description: str
    status: str
    user_id: str
    user: str | None
    organization_id: str
    organization: str | None
    token_state: TokenState
    operator: OperatorState
    lacks: tuple[str, ...]
    is_usable: bool
    unusable_because: str | None
    permissions: msgspec.Raw
    permission_count: int
    created_at: str
    updated_at: str
    secret: "Secret | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationFilter:
    """Which authorizations are wanted.

    Attributes:
        operators_only: Only full and partial operators.
        user: Only those of the user with this name.
        organization: Only those of the organization with this name.
    """

    operators_only: bool = False
    user: str | None = None
    organization: str | None = None


class Inventory:
    """The records of one open store.

    Attributes:
        facts: The store itself.
    """

    facts: "StoreFacts"

    def users(self) -> Listing[UserRow]:
        """List all users."""
        raise NotImplementedError

    def organizations(self) -> Listing[OrganizationRow]:
        """List all organizations."""
        raise NotImplementedError

    def authorizations(
        self, wanted: AuthorizationFilter, *, show_tokens: bool
    ) -> Listing[AuthorizationRow]:
        """List authorizations.

        Args:
            wanted: Which ones.
            show_tokens: Whether rows carry what is stored of the token.

        Returns:
            The rows.

        Raises:
            NotFoundError: No user or organization has the name asked for; the error lists those
                that exist. Raised here, before the first row.
            StoreDamagedError: The file is damaged (also while walking).
        """
        raise NotImplementedError


@contextmanager
def open_inventory(path: Path, *, lock_timeout_s: float = 1.0) -> Iterator[Inventory]:
    """Open a store for reading, under a shared lock; nothing at all is changed.

    Args:
        path: The store.
        lock_timeout_s: How long to try for the lock, in seconds.

    Yields:
        Its records.

    Raises:
        RecoveryError: It cannot be opened; the error says what it is instead.
    """
    raise NotImplementedError
    yield
