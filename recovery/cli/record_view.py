"""One authorization, for a person and for a program.

Lives here: the lines and the document that show it. Must not live here: what is in it
(`recovery.services.authorizations.details`).

Invariants: names are escaped. A token or hash shows only where the details carry it, which they do
when that was asked for in words.
"""

from collections.abc import Iterator
from typing import Any, Self

import msgspec

from recovery.cli.deliver import stored_text
from recovery.cli.documents import shaped
from recovery.model.display import displayed
from recovery.model.permission import OperatorLevel
from recovery.model.standing import Answer
from recovery.model.token import TokenForm
from recovery.services.authorizations.details import Details


class ShownAuthorization(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization as --json shows it; `Details` says what the fields are.

    Attributes:
        token: What is stored of the token if that was asked for, else how it is stored.
        lacks: What it lacks of a full one, as "read:remotes".
        permissions: As the API has them; None when they cannot be decoded.
    """

    id: str
    description: str
    status: str
    user_id: str | None
    user: str | None
    user_status: str | None
    organization_id: str | None
    organization: str | None
    token: str | None
    token_form: TokenForm
    operator: OperatorLevel
    lacks: tuple[str, ...]
    answer: Answer
    is_usable: bool
    because: tuple[str, ...]
    permissions: tuple[dict[str, Any], ...] | None
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, details: Details) -> Self:
        """Show an authorization."""
        permissions = details.permissions
        return shaped(
            details,
            cls,
            token=token_text(details),
            operator=details.operator.level,
            lacks=[f"{action}:{kind}" for action, kind in details.operator.lacks],
            permissions=None if permissions is None else [one.to_json() for one in permissions],
        )


def details_lines(details: Details) -> Iterator[str]:
    """Describe an authorization for a person, in escaped lines."""
    yield f"Authorization  {details.id}"
    yield f"Description    {displayed(details.description) or 'none'}"
    yield f"User           {_name(details.user, details.user_id)}{_user_status(details)}"
    yield f"Organization   {_name(details.organization, details.organization_id)}"
    yield f"Status         {displayed(details.status)}"
    yield f"Usable         {'yes' if details.is_usable else f'no: {details.because[0]}'}"
    yield f"Token          {displayed(token_text(details) or 'none')}{_how_to_see(details)}"
    yield f"Operator       {str(details.operator) or 'no'}"
    yield f"Created        {displayed(details.created_at) or 'unknown'}"
    yield f"Updated        {displayed(details.updated_at) or 'unknown'}"
    if details.permissions is None:
        yield "Permissions    cannot be decoded"
        return
    if details.operator.level == "full":
        count = len(details.permissions)
        yield f"Permissions    {count}: everything on this server (--json has all)"
        return
    yield f"Permissions    {len(details.permissions)}"
    for permission in details.permissions:
        yield f"  {displayed(str(permission))}"


def token_text(details: Details) -> str | None:
    """Say what is stored of the token when that was asked for, else how; None for nothing."""
    if details.token_form is TokenForm.NONE:
        return None
    if details.stored is not None:
        return stored_text(details.stored)
    return f"REDACTED ({details.token_form.value})"


def _how_to_see(details: Details) -> str:
    """Say how a token can be seen, as runbooks for influxd do, or that it is none."""
    if details.token_form is not TokenForm.RAW:
        return "" if details.stored is None else ", a hash and no token: nothing gives it back"
    return "; --show-tokens shows it, which the ledger records" if details.stored is None else ""


def _name(name: str | None, record_id: str | None) -> str:
    if name is not None:
        return f"{displayed(name)} ({record_id})"
    return f"missing {record_id}" if record_id else "none"


def _user_status(details: Details) -> str:
    if details.user_status in {None, "active"}:
        return ""
    return f", {displayed(details.user_status or '') or 'no status'}"
