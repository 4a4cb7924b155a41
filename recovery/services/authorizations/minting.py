"""Make an operator token.

Lives here: `MintOperator`, a planner for `run_change`. Must not live here: the order of the steps,
which is in `recovery.services.changes.sequence`.

Source: spec influxdb-metadata sections 5.1, 5.2, 5.4, 7.3, 8.3 and recipe R1.
"""

from dataclasses import dataclass
from typing import Final

from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    Authorization,
    decode_authorization,
    encode_authorization,
)
from recovery.model.gojson import format_time
from recovery.model.ids import IdSource, unused
from recovery.model.organization import Organization
from recovery.model.permission import (
    OperatorLevel,
    classify,
    operator_permissions,
)
from recovery.model.token import TokenForm, hash_token
from recovery.model.user import User
from recovery.ports import Clock, Rng
from recovery.secret import Secret
from recovery.services.authorizations.new_token import (
    FormChoice,
    chosen_form,
    require_active,
    unknown_token,
    warnings_of,
    what_is_wrong,
)
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import choose_organization, choose_user, cut_name

OPERATION: Final = "auth create-operator"


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
        require_active(store, user)
        form = chosen_form(store, self.form, server_hashes=self.server_hashes)
        token = unknown_token(store, self.rng)
        authorization = self._record(store, user, organization, token, form)
        return Plan(
            operation=OPERATION,
            steps=_steps(authorization, user, organization, form),
            facts=_facts(authorization, user, organization, form),
            record_ids=(authorization.id,),
            warnings=warnings_of(user, form, server_hashes=self.server_hashes),
            apply=lambda tx: tx.authorizations.insert(authorization),
            verify=lambda tx: _what_is_wrong(tx, authorization, token),
            secret=token,
            subject_id=authorization.id,
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


def _what_is_wrong(tx: MetaTx, planned: Authorization, token: Secret) -> str | None:
    """Say what would keep a client out, or would not let it do everything."""
    problem = what_is_wrong(tx, planned, token)
    if problem is not None:
        return problem
    status = classify(planned.permissions(), level=tx.level)
    if status.level is not OperatorLevel.FULL:
        return "the new token is not a full operator token"
    return None
