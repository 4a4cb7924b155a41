"""One authorization, for a person and for a program.

Lives here: the lines and the document that show it. Must not live here: what is in it
(`recovery.services.authorizations.details`).

Invariants: names are escaped. A token or hash shows only where the details carry it, which they do
when that was asked for in words.
"""

from collections.abc import Iterator

from recovery.cli.deliver import stored_text
from recovery.model.display import displayed
from recovery.model.token import TokenForm
from recovery.services.authorizations.details import Details


def details_document(details: Details) -> dict[str, object]:
    """Describe an authorization for a program.

    Args:
        details: The authorization.

    Returns:
        An object of a JSON document.
    """
    permissions = details.permissions
    return {
        "id": details.id,
        "description": details.description,
        "status": details.status,
        "user_id": details.user_id,
        "user": details.user,
        "user_status": details.user_status,
        "organization_id": details.organization_id,
        "organization": details.organization,
        "token": token_text(details),
        "token_form": details.token_form.value,
        "operator": details.operator.level.value,
        "lacks": [f"{action}:{kind}" for action, kind in details.operator.lacks],
        "answer": details.answer.value,
        "is_usable": details.is_usable,
        "unusable_because": details.unusable_because,
        "permissions": None if permissions is None else [one.to_json() for one in permissions],
        "created_at": details.created_at,
        "updated_at": details.updated_at,
    }


def details_lines(details: Details) -> Iterator[str]:
    """Describe an authorization for a person.

    Args:
        details: The authorization.

    Yields:
        Lines, escaped.
    """
    yield f"Authorization  {details.id}"
    yield f"Description    {displayed(details.description) or 'none'}"
    yield f"User           {_name(details.user, details.user_id)}{_user_status(details)}"
    yield f"Organization   {_name(details.organization, details.organization_id)}"
    yield f"Status         {displayed(details.status)}"
    yield f"Usable         {'yes' if details.is_usable else f'no: {details.unusable_because}'}"
    yield f"Token          {displayed(token_text(details) or 'none')}"
    yield f"Operator       {str(details.operator) or 'no'}"
    yield f"Created        {displayed(details.created_at) or 'unknown'}"
    yield f"Updated        {displayed(details.updated_at) or 'unknown'}"
    if details.permissions is None:
        yield "Permissions    cannot be decoded"
        return
    yield f"Permissions    {len(details.permissions)}"
    for permission in details.permissions:
        yield f"  {displayed(str(permission))}"


def token_text(details: Details) -> str | None:
    """Say what is stored of the token, or only how.

    Args:
        details: The authorization.

    Returns:
        What is stored when that was asked for, else its form; None when nothing is stored.
    """
    if details.token_form is TokenForm.NONE:
        return None
    if details.stored is not None:
        return stored_text(details.stored)
    return f"REDACTED ({details.token_form.value})"


def _name(name: str | None, record_id: str | None) -> str:
    if name is not None:
        return f"{displayed(name)} ({record_id})"
    return f"missing {record_id}" if record_id else "none"


def _user_status(details: Details) -> str:
    if details.user_status in {None, "active"}:
        return ""
    return f", {displayed(details.user_status or '') or 'no status'}"
