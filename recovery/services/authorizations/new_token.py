"""What making any new authorization takes: whom, in which form, with which token, and the proof.

Lives here: the pieces of `creation`. Must not live here: what
the authorization permits, and a plan.

Source: InfluxDB v2.9.1 authorization/service.go (uniqueAuthToken), storage_authorization.go; spec
influxdb-metadata sections 5.1, 5.2, 5.4 and 7.3.
"""

from enum import StrEnum, unique

from recovery.errors import RefusedError
from recovery.metastore.transaction import MetaTx
from recovery.model.authorization import Authorization
from recovery.model.ids import DRAWS_MAX
from recovery.model.token import LEVEL_HASHED, TokenForm, form_to_write, new_token
from recovery.model.user import User
from recovery.ports import Rng
from recovery.remedy import Give, Input, Omit, Remedy, Run
from recovery.secret import Secret
from recovery.services.access import standing_of
from recovery.services.tenancy.choosing import cut_name, shown_name


@unique
class FormChoice(StrEnum):
    """In which form a new token is to be stored."""

    BY_STORE = "by store"
    HASHED = "hashed"
    RAW = "raw"


def require_active(tx: MetaTx, user: User) -> None:
    """Refuse, by `RefusedError`, a user whose tokens no server takes."""
    if not user.is_inactive:
        return
    hint: Remedy
    if any(not one.is_inactive for one in tx.users.walk([])):
        hint = (Give(Input.USER, "name an active user"), Run("user list", "to see who is active"))
    else:
        hint = Run("user activate", "to let the user in again", {Input.ID: user.id})
    raise RefusedError(
        reason=f"user {shown_name(user.name)} is inactive, and the server refuses every token "
        "of an inactive user with 403",
        hint=hint,
    )


def chosen_form(store: MetaTx, choice: FormChoice, *, server_hashes: bool | None) -> TokenForm:
    """Decide between `TokenForm.RAW` and `SHA256`; `RefusedError` for a hash below level 21."""
    match choice:
        case FormChoice.RAW:
            return TokenForm.RAW
        case FormChoice.HASHED if store.level < LEVEL_HASHED:
            raise RefusedError(
                reason=f"the store is at level {store.level}, whose servers know no hashed tokens "
                f"(they came with level {LEVEL_HASHED}, InfluxDB 2.8)",
                hint=Omit((Input.HASHED,)),
            )
        case FormChoice.HASHED:
            return TokenForm.SHA256
        case FormChoice.BY_STORE:
            return form_to_write(
                store.level,
                has_hashed=store.authorizations.has_hashed,
                server_hashes=server_hashes,
            )


def unknown_token(store: MetaTx, rng: Rng) -> Secret:
    """Draw a token that no index knows; raise `RefusedError` after as many tries as the server."""
    for _ in range(DRAWS_MAX):
        token = new_token(rng)
        if not store.authorizations.is_known(token):
            return token
    raise RefusedError(
        reason=f"{DRAWS_MAX} random tokens were all known to the store, so they are not random",
        hint="find out why the random generator of this system repeats itself",
    )


def warnings_of(user: User, form: TokenForm, *, server_hashes: bool | None) -> tuple[str, ...]:
    """Say what is odd about a new token that will work all the same.

    Args:
        server_hashes: `use-hashed-tokens` of the server's configuration; None when unknown.

    Returns:
        Warnings as sentences, not escaped.
    """
    warnings = []
    if not user.is_active:
        warnings.append(
            f"user {cut_name(user.name)} has no status, as influxd recovery leaves it: the token "
            "works on /api/v2, and is refused on the 1.x endpoints /write and /query"
        )
    if form is TokenForm.RAW and server_hashes:
        warnings.append("this server hashes tokens: at its next start it will hash this one too")
    return tuple(warnings)


def what_is_wrong(tx: MetaTx, planned: Authorization, token: Secret) -> str | None:
    """Look for a token as a server does; say what would keep a client out, or None."""
    found = tx.authorizations.find(token)
    if found is None:
        return "a server would not find the new token"
    if found.id != planned.id or found.document != planned.document:
        return "a server would find another record for the new token"
    standing = standing_of(tx, found)
    return None if standing.is_usable else f"a server would refuse it, because {standing.reason}"
