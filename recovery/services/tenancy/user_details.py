"""What there is to know about one user: can this user get in, and with what.

Lives here: `describe_user`, `verify_password`. Must not live here: changes.

Source: InfluxDB v2.9.1 tenant/service_user.go (ComparePassword), http/session_handler.go; spec
influxdb-metadata sections 4.2, 4.5, 5.4, 5.5 and I6 to I9.
"""

import msgspec

from recovery.metastore.transaction import MetaTx
from recovery.model.mapping import INSTANCE, ORGS
from recovery.model.password import PASSWORD_SIZE_BYTES_MAX, is_password_hash, password_matches
from recovery.model.user import User
from recovery.secret import Secret


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


class OwnToken(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization of a user.

    Attributes:
        id: 16 hex digits.
        description: As stored, not escaped.
        status: As stored.
    """

    id: str
    description: str
    status: str


class UserDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One user with all that belongs to it.

    Attributes:
        id: 16 hex digits.
        name: As stored, not escaped.
        status: "active", "inactive", or "" as `influxd recovery user create` leaves it.
        can_sign_in: Whether this user gets in with the right password and sees anything.
        cannot_because: Why not, as clauses; empty when it can.
        memberships: Its roles in organizations.
        is_instance_owner: Whether it owns the instance.
        tokens: Its authorizations.
    """

    id: str
    name: str
    status: str
    can_sign_in: bool
    cannot_because: tuple[str, ...]
    memberships: tuple[Membership, ...]
    is_instance_owner: bool
    tokens: tuple[OwnToken, ...]


def describe_user(tx: MetaTx, user: User) -> UserDetails:
    """Collect what there is to know about a user.

    Args:
        tx: The records.
        user: The user.

    Returns:
        The details.

    Raises:
        StoreDamagedError: The file is damaged.
    """
    roles = [one for one in tx.mappings.walk([]) if one.user_id == user.id]
    memberships = []
    for role in roles:
        if role.resource_type == ORGS:
            organization = tx.organizations.get(role.resource_id)
            memberships.append(
                Membership(
                    organization_id=role.resource_id,
                    organization=organization.name if organization else None,
                    role=role.user_type,
                )
            )
    is_instance_owner = any(role.resource_type == INSTANCE for role in roles)
    reasons = sign_in_obstacles(tx, user, has_role=bool(memberships) or is_instance_owner)
    return UserDetails(
        id=user.id,
        name=user.name,
        status=user.status,
        can_sign_in=not reasons,
        cannot_because=tuple(reasons),
        memberships=tuple(memberships),
        is_instance_owner=is_instance_owner,
        tokens=tuple(
            OwnToken(id=one.id, description=one.description, status=one.status)
            for one in tx.authorizations.walk([])
            if one.user_id == user.id
        ),
    )


def sign_in_obstacles(tx: MetaTx, user: User, *, has_role: bool) -> list[str]:
    """Say what keeps a user out who types the right password.

    Args:
        tx: The records.
        user: The user.
        has_role: Whether it has a role in an organization or in the instance.

    Returns:
        Clauses; none when nothing does.

    Raises:
        StoreDamagedError: The file is damaged.
    """
    reasons = []
    if user.is_inactive:
        reasons.append("it is inactive")
    if tx.users.indexed_id(user.name) != user.id:
        reasons.append("the index of names does not lead to it")
    stored = tx.passwords.get(user.id)
    if stored is None:
        reasons.append("it has no password")
    elif not is_password_hash(stored):
        reasons.append("what is stored as its password is no bcrypt hash")
    if not has_role:
        reasons.append("it has no role in any organization, so it would see nothing")
    return reasons


class PasswordReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a server would say to a password.

    Attributes:
        user_id: 16 hex digits.
        user: Name, not escaped.
        matches: Whether it is the password of the user.
        can_sign_in: Whether the user gets in with it and sees anything.
        because: Why not, as clauses; empty when it can.
    """

    user_id: str
    user: str
    matches: bool
    can_sign_in: bool
    because: tuple[str, ...]


def verify_password(tx: MetaTx, user: User, password: Secret) -> PasswordReport:
    """Try a password as a sign-in does. Nothing is written.

    Args:
        tx: The records.
        user: The user.
        password: What somebody would type.

    Returns:
        What a server would say.

    Raises:
        StoreDamagedError: The file is damaged.
    """
    details = describe_user(tx, user)
    stored = tx.passwords.get(user.id)
    matches = stored is not None and password_matches(password, stored)
    because = list(details.cannot_because)
    if stored is not None and not matches:
        because.insert(0, "it is not the password of this user")
    if matches and password.length_bytes > PASSWORD_SIZE_BYTES_MAX:
        because.append("servers from 2.7.6 on refuse a password of more than 72 bytes")
    return PasswordReport(
        user_id=user.id,
        user=user.name,
        matches=matches,
        can_sign_in=matches and not because,
        because=tuple(because),
    )
