"""Records that a person names.

Lives here: which authorization and which user a command means, as options and as values. Must not
live here: what an ID is (`recovery.model.ids`), and whether there is such a record.
"""

from collections.abc import Sequence
from typing import Final

from recovery.cli.usage import UsageError, missing, required
from recovery.cli.words import REPEATED_MAX, Parser, shown
from recovery.model.ids import ID_FORM, Id, parse_id, slip_in_id, why_no_id
from recovery.services.authorizations.selection import Selection
from recovery.services.tenancy.choosing import UserChoice

_LIST_HINT: Final = "type influx-recovery {} to see the IDs"


def add_id(command: Parser) -> None:
    """Add which authorization is meant."""
    command.add_argument("id", metavar="ID", help="the authorization, 16 hex digits")


def add_ids(command: Parser, *, note: str = "") -> None:
    """Add which authorizations are meant, as the field `id`; the note, if any, stands behind it."""
    text = f"an authorization, 16 hex digits; there may be several {note}".rstrip()
    command.add_argument("id", nargs="*", metavar="ID", help=text)


def add_all_but(command: Parser) -> None:
    """Add which authorizations are not meant, of all."""
    command.add_argument(
        "--all-but",
        nargs="+",
        action="extend",
        default=[],
        metavar="ID",
        help="all authorizations but these (this or ID is required)",
    )


def selection(ids: Sequence[str], spared: Sequence[str], command: str) -> Selection:
    """Say which authorizations are meant, none never being all; `UsageError` for what is no ID."""
    if bool(ids) == bool(spared):
        if not ids:
            raise missing("ID or --all-but ID", command)
        raise UsageError(
            problem="IDs and --all-but cannot be given together",
            hint=f"leave them or --all-but out, or type influx-recovery {command} --help",
        )
    return Selection(ids=authorization_ids(ids) or None, spared=authorization_ids(spared))


def authorization_ids(texts: Sequence[str], *, listed_by: str = "auth list") -> tuple[Id, ...]:
    """Read several, as `authorization_id`; the error names all that are none."""
    others = [_named(text) for text in texts if parse_id(text) is None]
    if len(others) > 1:
        raise UsageError(
            problem=f"{' and '.join(others)} are no IDs, which have {ID_FORM}",
            hint=_LIST_HINT.format(listed_by),
        )
    return tuple(authorization_id(text, listed_by=listed_by) for text in texts)


def authorization_id(text: str, *, listed_by: str = "auth list") -> Id:
    """Read the ID of an authorization that was typed; raise `UsageError` for what is none.

    Args:
        listed_by: The command that lists those that can be meant.
    """
    hint = _LIST_HINT.format(listed_by)
    if len(text) > REPEATED_MAX and listed_by == "auth list":
        hint = f"type influx-recovery auth verify to see the ID of a token, or {hint}"
    return _typed_id(text, _named(text), hint=hint)


def new_id(text: str | None) -> Id | None:
    """Read the ID that something new is to have; None for any. Raises as `authorization_id`."""
    if text is None:
        return None
    return _typed_id(text, "the value of --id", hint="leave it out for a new ID")


def _named(text: str) -> str:
    """Repeat what is no ID, unless it is not like one: it may be a password."""
    return shown(text, is_stray=slip_in_id(text) is None, is_near=False)


def _typed_id(text: str, named: str, *, hint: str) -> Id:
    found = parse_id(text)
    if found is None:
        raise UsageError(problem=f"{named} is no ID{why_no_id(text)}", hint=hint)
    return found


def add_user_choice(command: Parser, *, note: str = "this or --id is required") -> None:
    """Add which user is meant; the note says what there is without it."""
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--username", metavar="NAME", help=f"the user, by name ({note})")
    by_id = note.replace("--id", "--username")
    choice.add_argument("--id", metavar="ID", help=f"the user, by ID ({by_id})")


def user_choice(name: str | None, id_text: str | None, command: str) -> UserChoice:
    """Say which user a command means; raise `UsageError` for none, which is never guessed."""
    if id_text is not None:
        user_id = parse_id(id_text)
        return UserChoice(name=id_text if user_id is None else None, user_id=user_id)
    name = required(name, "--username NAME or --id ID", command)
    return UserChoice(name=name, user_id=None)
