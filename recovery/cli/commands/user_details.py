"""The commands that look at one user.

Lives here: `user show` and `user verify-password`. Must not live here: what is said of a user
(`recovery.services.tenancy.user_details`).
"""

from collections.abc import Iterator
from typing import Final

from recovery.cli.choices import add_user_choice, user_choice
from recovery.cli.commands.user_listing import role_text
from recovery.cli.context import Context
from recovery.cli.documents import StoreDocument
from recovery.cli.hints import Named, named_with
from recovery.cli.options import Command, Reading
from recovery.cli.output import Output
from recovery.cli.secret_input import add_password_file, ask_secret, read_secret
from recovery.cli.store import find_store, read_session, show_header, store_of
from recovery.cli.way_in import and_then
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.model.standing import Answer, told
from recovery.secret import Secret
from recovery.services.session import Session
from recovery.services.tenancy.user_details import (
    ANOTHER,
    PasswordReport,
    UserDetails,
    describe_user,
    verify_password,
)


class _Show(Reading, frozen=True):
    username: str | None
    id: str | None


class UserDocument(StoreDocument, frozen=True, kw_only=True):
    """What --json prints of a user."""

    user: UserDetails


class PasswordDocument(StoreDocument, frozen=True, kw_only=True):
    """What --json prints of a password that was tried."""

    password: PasswordReport


def _show(options: _Show, context: Context) -> ExitCode:
    choice = user_choice(options.username, options.id, "user show")
    found = find_store(options, context)
    with read_session(found, options, context.output) as session, session.view() as view:
        details = describe_user(view.tx, choice.choose(view.tx))
        if options.json:
            store = store_of(found, view.facts)
            context.output.document(UserDocument(store=store, user=details))
            return ExitCode.DONE
        show_header(found, view.facts, context.output)
    for line in _details_lines(details, named_with(options.bolt_path, options.ledger)):
        context.output.prose(line)
    return ExitCode.DONE


SHOW: Final = Command(
    description="Show one user: its roles in organizations, its tokens without the secrets, and "
    "whether it can sign in, and if not, why. Nothing is changed. It cannot show the password.",
    example="user show --username admin",
    options=_Show,
    run=_show,
    add_options=add_user_choice,
    document=UserDocument,
)


_SIGN_INS: Final = {
    Answer.POWERLESS: "works (204), and shows nothing",
    Answer.FORBIDDEN: "works (204), and everything behind it is refused (403)",
    Answer.UNAUTHORIZED: "refused (401)",
}


def _details_lines(details: UserDetails, named: Named) -> Iterator[str]:
    yield f"User {displayed(details.name)}, {details.id}"
    yield f"Status: {displayed(details.status) or 'not set'}"
    if details.can_sign_in:
        yield "Sign-in: possible, with the password"
    else:
        yield f"Sign-in: {_SIGN_INS[details.answer]}: {'; '.join(details.because)}"
        yield f"Next: {and_then(details.because, named, user_id=details.id, name=details.name)}"
    roles = [role_text(membership) for membership in details.memberships]
    if details.is_instance_owner:
        roles.append("the instance (owner)")
    yield f"Roles: {', '.join(roles) or 'none'}"
    for token in details.tokens:
        yield f"Token: {token.id} ({displayed(token.status)}) {displayed(token.description)}"
    if not details.tokens:
        yield "Tokens: none"


class _VerifyPassword(Reading, frozen=True):
    username: str | None
    id: str | None
    password_file: str | None


def _add_verify_password(command: Parser) -> None:
    add_user_choice(command)
    add_password_file(command, asked="at the terminal")


def _verify_password(options: _VerifyPassword, context: Context) -> ExitCode:
    choice = user_choice(options.username, options.id, "user verify-password")
    found = find_store(options, context)
    output = context.output
    if options.password_file is None:  # a person is asked only for a user who is there
        with Session.open(found.path, is_live=options.live) as session, session.view() as view:
            choice.choose(view.tx)
    password = _password(options, output)  # for as long as somebody types, the store is not held
    with read_session(found, options, context.output) as session, session.view() as view:
        report = verify_password(view.tx, choice.choose(view.tx), password)
        if options.json:
            store = store_of(found, view.facts)
            output.document(PasswordDocument(store=store, password=report))
        else:
            show_header(found, view.facts, output)
            word = "is" if report.matches else "is not"
            output.prose(f"This {word} the password of user {displayed(report.user)}.")
            if report.can_sign_in:
                output.prose("The user gets in with it.")
            else:
                others = [one for one in report.because if one != ANOTHER]  # said just above
                because = f": {'; '.join(map(told, others))}" if others else ""
                output.prose(f"The user does not get in with it{because}.")
    return ExitCode.DONE if report.can_sign_in else ExitCode.REFUSED


def _password(options: _VerifyPassword, output: Output) -> Secret:
    if options.password_file is not None:
        return read_secret(options.password_file, what="password", output=output)
    return ask_secret("Password: ", what="password", output=output)


VERIFY_PASSWORD: Final = Command(
    description="Say whether a password is that of a user, and whether the user can sign in with "
    "it. Exit code 0 when it can, 7 when not. Nothing is changed.",
    example="user verify-password --username admin",
    options=_VerifyPassword,
    run=_verify_password,
    add_options=_add_verify_password,
    document=PasswordDocument,
)
