"""Make an authorization with any permissions, and with a token that may be given.

Lives here: `CreateAuthorization`, a planner. Must not live here: which flag means which permissions
(`permission_request`), the order of the steps (`recovery.services.changes.sequence`).

Invariants: one new record and one index entry, in one form. A given token is refused when an index
knows it in any form, when a server could not use it, or when it could be guessed.

Source: InfluxDB v2.9.1 authorization/storage_authorization.go, authorization/service.go
(uniqueAuthToken); spec influxdb-metadata sections 4.6, 5.1 to 5.4, 7.3 and recipe R1.
"""

from typing import Final

import msgspec

from recovery.errors import ConflictError, RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import (
    Authorization,
    new_authorization,
)
from recovery.model.display import displayed
from recovery.model.gojson import UndecodableError, format_time
from recovery.model.ids import IdSource, unused
from recovery.model.organization import Organization
from recovery.model.permission import OperatorLevel, Permission, classify
from recovery.model.token import TokenForm, looks_like_jwt
from recovery.model.user import User
from recovery.ports import Clock, Rng
from recovery.remedy import Input, Omit, Run
from recovery.secret import Secret
from recovery.services.authorizations.choice import described
from recovery.services.authorizations.new_token import (
    FormChoice,
    chosen_form,
    require_active,
    unknown_token,
    warnings_of,
    what_is_wrong,
)
from recovery.services.authorizations.permission_request import PermissionRequest
from recovery.services.authorizations.wording import permitted
from recovery.services.changes.facts import PlanFacts
from recovery.services.changes.plan import Plan
from recovery.services.tenancy.choosing import choose_both, cut_name

TOKEN_LENGTH_MIN: Final = 16
"""With the 64 characters that tokens are made of: 96 bits, which nobody guesses over a network."""
TOKEN_LENGTH_MAX: Final = 4096
"""Longer ones do not fit beside the other headers of a request."""


class CreateAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    """The commands `auth create` and `auth create-operator`.

    Attributes:
        username: Who gets the token; None for the only user.
        organization: The organization it belongs to; None for the only one.
        description: Text of the record; None for "NAME's Recovery Token".
        server_hashes: `use-hashed-tokens` of the server's configuration; None when unknown.
        token: The token that it is to have; None for a new one.
        is_ensured: Whether it is well when the given token has these permissions already.
    """

    operation: str = "auth create"
    username: str | None
    organization: str | None
    description: str | None
    request: PermissionRequest
    form: FormChoice
    server_hashes: bool | None
    token: Secret | None = None
    is_ensured: bool = False
    clock: Clock
    rng: Rng

    def plan(self, store: MetaTx) -> Plan:
        """Choose user, organization, permissions, form, ID and token.

        Raises:
            RefusedError: The user is inactive, the permissions or the form are not possible, or
                the token cannot be used or is there already.
        """
        user, organization = choose_both(store, self.username, self.organization)
        require_active(store, user)
        permissions = self.request.resolve(store, organization=organization, user_id=user.id)
        if self.token is not None:
            require_usable_token(self.token)
            if store.authorizations.is_known(self.token):
                return self._existing(store, self.token, user, organization, permissions)
        form = chosen_form(store, self.form, server_hashes=self.server_hashes)
        token = self.token or unknown_token(store, self.rng)
        authorization = self._record(store, user, organization, permissions, token, form)
        return Plan(
            operation=self.operation,
            steps=self._steps(store, authorization, user, organization, permissions, form),
            facts=_facts(authorization, user, organization, permissions, form),
            record_ids=(authorization.id,),
            warnings=(
                *warnings_of(user, form, server_hashes=self.server_hashes),
                *self.request.warnings(permissions),
            ),
            apply=lambda tx: tx.authorizations.insert(authorization),
            verify=lambda tx: self._what_is_wrong(tx, authorization, token),
            secret=token if self.token is None else None,
            subject_id=authorization.id,
        )

    def _record(
        self,
        store: MetaTx,
        user: User,
        organization: Organization,
        permissions: list[Permission],
        token: Secret,
        form: TokenForm,
    ) -> Authorization:
        """Build the record, in the form in which it will be read again."""
        ids = IdSource(self.clock, self.rng)
        description = self.description
        return new_authorization(
            authorization_id=unused(ids.snowflake, store.authorizations.has_id),
            token=token,
            form=form,
            description=f"{user.name}'s Recovery Token" if description is None else description,
            org_id=organization.id,
            user_id=user.id,
            permissions=permissions,
            now=format_time(self.clock.now()),
        )

    def _what_is_wrong(self, tx: MetaTx, planned: Authorization, token: Secret) -> str | None:
        """Say what would keep a client out, or would not let an operator do everything."""
        problem = what_is_wrong(tx, planned, token)
        if problem is not None or not self.request.is_operator:
            return problem
        status = classify(planned.permissions(), level=tx.level)
        if status.level is not OperatorLevel.FULL:
            return "the new token is not a full operator token"
        return None

    def _steps(
        self,
        store: MetaTx,
        authorization: Authorization,
        user: User,
        organization: Organization,
        permissions: list[Permission],
        form: TokenForm,
    ) -> tuple[str, ...]:
        stored = "itself" if form is TokenForm.RAW else "as a SHA-256 hash"
        index = "index of raw tokens" if form is TokenForm.RAW else "index of hashes"
        owners = f"user {cut_name(user.name)}, organization {cut_name(organization.name)}, active"
        allowed = permitted(store, permissions)
        if self.request.is_operator:
            allowed = f"everything, by all {len(permissions)} permissions of this version"
        elif self.request.is_all_access:
            where = f"organization {cut_name(organization.name)}"
            allowed = f"everything in {where}, by {len(permissions)} permissions"
        steps = [
            f"add API token {authorization.id}: {owners}",
            f"permit: {allowed}",
        ]
        if authorization.description:
            steps.append(f"describe it as {cut_name(authorization.description)}")
        return (*steps, f"store its value {stored}, with one entry in the {index}")

    def _existing(
        self,
        store: MetaTx,
        token: Secret,
        user: User,
        organization: Organization,
        permissions: list[Permission],
    ) -> Plan:
        """Plan nothing when the token has what is wanted, and refuse it otherwise."""
        found = store.authorizations.find(token)
        if found is None:
            raise ConflictError(
                kind="token",
                name="",
                hint=Run("auth verify", "to see why it does not work", {Input.TOKEN_FILE: None}),
            )
        differences = _differences(found, user, organization, permissions)
        if not self.is_ensured or differences:
            more = f", which {' and '.join(differences)}" if self.is_ensured else ""
            raise RefusedError(
                reason="this token exists already: it is that of "
                f"{displayed(described(store, found))}{more}",
                hint=(Run("auth show", "to see it", {Input.ID: found.id}), "give another token"),
            )
        return Plan.nothing(
            self.operation,
            f"nothing: {described(store, found)} has this token and these permissions",
            facts=_facts(found, user, organization, permissions, found.form),
        )


def require_usable_token(token: Secret) -> None:
    """Raise `RefusedError` for a token that clients could not use, or that others could guess."""
    reason = problem_of_token(token)
    if reason is not None:
        raise RefusedError(
            reason=f"the given token cannot be used: {reason}",
            hint=("give another one", Omit((Input.TOKEN_VALUE,), "for a new random token")),
        )


def problem_of_token(token: Secret) -> str | None:
    """Say why clients could not use a token, or why others could guess it.

    Returns:
        That it is too short or too long, looks like a JSON web token, is a hash, or has characters
        that a header of HTTP does not carry; None when it is well.
    """
    text = token.reveal()
    reason = None
    if len(text) < TOKEN_LENGTH_MIN:
        reason = f"it has {len(text)} characters, and less than {TOKEN_LENGTH_MIN} can be guessed"
    elif len(text) > TOKEN_LENGTH_MAX:
        reason = f"it has {len(text)} characters, and more than {TOKEN_LENGTH_MAX} cannot be sent"
    elif not text.isascii() or not text.isprintable() or " " in text:
        reason = "it has blanks or other characters that cannot be sent in an HTTP header"
    elif text.startswith("$influxdb2-"):
        reason = "it is the hash of a token, and a client needs the token itself"
    elif looks_like_jwt(token):
        reason = "it looks like a JSON web token, which the server never looks up"
    return reason


def _differences(
    found: Authorization,
    user: User,
    organization: Organization,
    permissions: list[Permission],
) -> list[str]:
    """Say in what an authorization differs from what is wanted."""
    differences = []
    if not found.is_active:
        differences.append("is inactive")
    if found.user_id != user.id:
        differences.append("belongs to another user")
    if found.org_id != organization.id:
        differences.append("belongs to another organization")
    try:
        if set(found.permissions()) != set(permissions):
            differences.append("has other permissions")
    except UndecodableError:
        differences.append("has permissions that cannot be understood")
    return differences


def _facts(
    authorization: Authorization,
    user: User,
    organization: Organization,
    permissions: list[Permission],
    form: TokenForm,
) -> PlanFacts:
    return {
        "authorization_id": authorization.id,
        "user_id": user.id,
        "user": user.name,
        "organization_id": organization.id,
        "organization": organization.name,
        "description": authorization.description,
        "token_form": form.value,
        "permission_count": len(permissions),
        "permissions": [str(permission) for permission in permissions],
    }
