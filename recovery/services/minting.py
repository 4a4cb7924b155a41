"""Make an operator token.

Lives here: `MintOperator`, a planner for `run_change`. Must not live here: the order of the steps,
which is in `recovery.services.change`.

Source: spec influxdb-metadata sections 5.1, 5.2, 5.4, 7.3, 8.3 and recipe R1.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from recovery.errors import RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    Authorization,
    decode_authorization,
    encode_authorization,
)
from recovery.model.gojson import format_time
from recovery.model.ids import DRAWS_MAX, IdSource, unused
from recovery.model.organization import Organization
from recovery.model.permission import (
    OperatorLevel,
    classify,
    operator_permissions,
)
from recovery.model.token import (
    LEVEL_HASHED,
    TokenForm,
    form_to_write,
    hash_token,
    new_token,
)
from recovery.model.user import User
from recovery.ports import Clock, Rng
from recovery.secret import Secret
from recovery.services.change import Plan
from recovery.services.choosing import choose_organization, choose_user, cut_name, shown_name

OPERATION: Final = "auth create-operator"


@unique
class FormChoice(StrEnum):
    """In which form a new token is to be stored."""

    BY_STORE = "by store"
    HASHED = "hashed"
    RAW = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class MintOperator:
    """The command `auth create-operator`.

    Attributes:
        username: Who gets the token; None for the only user.
        organization: The organization it belongs to; None for the only one.
        description: Text of the record; None for "NAME's Recovery Token".
        form: How to store it.
        server_hashes: `use-hashed-tokens` of the server's configuration; None when unknown.
        clock: The time.
        rng: Cryptographic randomness.
    """

    username: str | None
    organization: str | None
    description: str | None
    form: FormChoice
    server_hashes: bool | None
    clock: Clock
    rng: Rng

    @property
    def operation(self) -> str:
        """The command."""
        return OPERATION

    @property
    def has_secret(self) -> bool:
        """There is a token to deliver."""
        return True

    def plan(self, store: MetaTx) -> Plan:
        """Choose user, organization, form, ID and token.

        Args:
            store: The store, as it is.

        Returns:
            One new record and one index entry.

        Raises:
            NotFoundError: No such user or organization; the error lists those that exist.
            AmbiguousError: None was named and there is more than one.
            RefusedError: The user is inactive, or a hash is not possible at this level.
            StoreDamagedError: The file is damaged, or lacks a bucket.
        """
        user = choose_user(store, self.username)
        organization = choose_organization(store, self.organization)
        _require_active(user)
        form = self._form(store)
        token = _unknown_token(store, self.rng)
        authorization = self._record(store, user, organization, token, form)
        return Plan(
            operation=OPERATION,
            steps=_steps(authorization, user, organization, form),
            facts=_facts(authorization, user, organization, form),
            record_ids=(authorization.id,),
            warnings=_warnings(user, form, server_hashes=self.server_hashes),
            apply=lambda tx: tx.authorizations.insert(authorization),
            verify=lambda tx: _what_is_wrong(tx, authorization, token),
            secret=token,
            subject_id=authorization.id,
        )

    def _form(self, store: MetaTx) -> TokenForm:
        """Decide how to store the token."""
        match self.form:
            case FormChoice.RAW:
                return TokenForm.RAW
            case FormChoice.HASHED if store.level < LEVEL_HASHED:
                raise RefusedError(
                    reason=f"the store is at level {store.level}, whose servers know no hashed "
                    f"tokens (they came with level {LEVEL_HASHED}, InfluxDB 2.8)",
                    hint="leave --hashed out",
                )
            case FormChoice.HASHED:
                return TokenForm.SHA256
            case FormChoice.BY_STORE:
                return form_to_write(
                    store.level,
                    has_hashed=store.authorizations.has_hashed,
                    server_hashes=self.server_hashes,
                )

    def _record(
        self,
        store: MetaTx,
        user: User,
        organization: Organization,
        token: Secret,
        form: TokenForm,
    ) -> Authorization:
        """Build the record, in the form in which it will be read again."""
        is_raw = form is TokenForm.RAW
        ids = IdSource(self.clock, self.rng)
        description = self.description
        document = encode_authorization(
            authorization_id=unused(ids.snowflake, store.authorizations.has_id),
            token=token if is_raw else None,
            hashed_token=None if is_raw else hash_token(token),
            description=f"{user.name}'s Recovery Token" if description is None else description,
            org_id=organization.id,
            user_id=user.id,
            permissions=operator_permissions(store.level),
            now=format_time(self.clock.now()),
        )
        return decode_authorization(document)


def _require_active(user: User) -> None:
    if user.is_inactive:
        raise RefusedError(
            reason=f"user {shown_name(user.name)} is inactive, and the server refuses every token "
            "of an inactive user with 403",
            hint="name an active user with --username NAME; user list shows who is",
        )


def _unknown_token(store: MetaTx, rng: Rng) -> Secret:
    """Draw a token that no index knows in any form."""
    for _ in range(DRAWS_MAX):
        token = new_token(rng)
        if not store.authorizations.is_known(token):
            return token
    raise RefusedError(
        reason=f"{DRAWS_MAX} random tokens were all known to the store, so they are not random",
        hint="find out why the random generator of this system repeats itself",
    )


def _steps(
    authorization: Authorization, user: User, organization: Organization, form: TokenForm
) -> tuple[str, ...]:
    stored = "itself" if form is TokenForm.RAW else "as a SHA-256 hash"
    index = "authorizationindexv1" if form is TokenForm.RAW else "authorizationhashedindexv1"
    count = len(authorization.permissions())
    what = (
        f"add one authorization to authorizationsv1: user {cut_name(user.name)}, organization "
        f"{cut_name(organization.name)}, active, {count} permissions (every one that an operator "
        "of this version has)"
    )
    return (
        what,
        f"describe it as {cut_name(authorization.description)}",
        f"store its token {stored}, with one entry in {index}",
    )


def _facts(
    authorization: Authorization, user: User, organization: Organization, form: TokenForm
) -> dict[str, bool | int | str]:
    return {
        "authorization_id": authorization.id,
        "user_id": user.id,
        "user": user.name,
        "organization_id": organization.id,
        "organization": organization.name,
        "description": authorization.description,
        "token_form": form.value,
        "permission_count": len(authorization.permissions()),
    }


def _warnings(user: User, form: TokenForm, *, server_hashes: bool | None) -> tuple[str, ...]:
    warnings = []
    if not user.is_active:
        warnings.append(
            f"user {cut_name(user.name)} has no status, as influxd recovery leaves it: the token "
            "works on /api/v2, and is refused on the 1.x endpoints /write and /query"
        )
    if form is TokenForm.RAW and server_hashes:
        warnings.append("this server hashes tokens: at its next start it will hash this one too")
    return tuple(warnings)


def _what_is_wrong(tx: MetaTx, planned: Authorization, token: Secret) -> str | None:
    """Look for the token as a server does, and say what would keep a client out."""
    found = tx.authorizations.find(token)
    if found is None:
        return "a server would not find the new token"
    if found.id != planned.id or found.document != planned.document:
        return "a server would find another record for the new token"
    user = tx.users.get(found.user_id) if found.user_id is not None else None
    if user is None or user.is_inactive or not found.is_active:
        return "a server would refuse the new token, because it or its user is not active"
    status = classify(found.permissions(), level=tx.level)
    if status.level is not OperatorLevel.FULL:
        return "the new token is not a full operator token"
    return None
