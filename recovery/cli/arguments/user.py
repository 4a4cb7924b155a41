"""What can be typed after `user`.

Lives here: the words, options and help of the commands on users. Must not live here: what they do,
which is in `recovery.cli.commands.user` and `user_changes`.
"""

from recovery.cli.arguments.shared import add_command, add_manner, add_noun
from recovery.cli.words import Choices, Parser


def add_user(nouns: Choices) -> None:
    """Add the noun `user` and its commands.

    Args:
        nouns: The nouns of the program.
    """
    verbs = add_noun(
        nouns,
        "user",
        summary="list, show, make and change users and their passwords",
        description="Users of the store: the names and passwords that people sign in with.",
    )
    _add_list(verbs)
    _add_show(verbs)
    _add_create(verbs)
    _add_update(verbs)
    _add_rename(verbs)
    _add_status(verbs)
    _add_delete(verbs)
    _add_verify_password(verbs)


def _add_list(verbs: Choices) -> None:
    add_command(
        verbs,
        "user list",
        run="user:run_list",
        summary="list every user, with status and organizations",
        description="List every user of the store with its status and the organizations that it "
        "belongs to. The file is opened for reading only and nothing is changed. It cannot show a "
        "password: the store holds only hashes of them, and those are never printed.",
    )


def _add_show(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "user show",
        run="user:run_show",
        summary="say all about one user: roles, tokens, and whether it can sign in",
        description="Show one user: its roles in organizations, its tokens without the secrets, "
        "and whether it can sign in, and if not, why. Nothing is changed. It cannot show the "
        "password.",
    )
    _add_choice(command)


def _add_create(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "user create",
        run="user_changes:run_create",
        summary="make a user who can really sign in",
        description="Make an active user with a password and a role in an organization. The "
        "password is asked for twice, unless a file holds it. It cannot give the user a token; "
        "auth create does that.",
    )
    command.add_argument("--username", metavar="NAME", help="name of the new user (required)")
    _add_password(command, or_none=True)
    role = command.add_mutually_exclusive_group()
    role.add_argument(
        "--owner-of",
        metavar="ORG",
        help="make the user an owner of this organization (default: a member of the only one)",
    )
    role.add_argument(
        "--member-of",
        metavar="ORG",
        help="make the user a member of this organization (default: of the only one)",
    )
    role.add_argument(
        "--no-org",
        action="store_true",
        help="give the user no role; it will see nothing after signing in (default: a member of "
        "the only organization)",
    )
    _add_ensure(command, "a user that is there, active, with this password and role")
    add_manner(command)


def _add_update(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "user update",
        run="user_changes:run_update",
        summary="set the password of a user",
        description="Set the password of a user. It is asked for twice, unless a file holds it. "
        "The user has to be named: none is ever guessed. It cannot recover the old password.",
    )
    _add_choice(command)
    _add_password(command, or_none=False)
    command.add_argument(
        "--activate",
        action="store_true",
        help="set the status of the user to active too (default: leave it)",
    )
    _add_ensure(command, "a user who has this password")
    add_manner(command)


def _add_rename(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "user rename",
        run="user_changes:run_rename",
        summary="give a user another name",
        description="Give a user another name to sign in with. Password, roles and tokens stay.",
    )
    _add_choice(command)
    command.add_argument("--new-name", metavar="NAME", help="the new name (required)")
    add_manner(command)


def _add_status(verbs: Choices) -> None:
    for verb, effect in (
        ("activate", "let a user in again"),
        ("deactivate", "keep a user out, with all its tokens"),
    ):
        command = add_command(
            verbs,
            f"user {verb}",
            run=f"user_changes:run_{verb}",
            summary=effect,
            description=f"Set the status of a user, to {effect}. Its password, roles and tokens "
            "stay as they are. It cannot end a session of a running server; a restart does.",
        )
        _add_choice(command)
        add_manner(command)


def _add_delete(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "user delete",
        run="user_changes:run_delete",
        summary="delete a user with its password and roles",
        description="Delete a user with its password and all its roles. Its tokens are listed and "
        "stay, as they would on a server, unless --with-tokens is given. It cannot delete what "
        "the user has made: dashboards, tasks and buckets stay.",
    )
    _add_choice(command)
    command.add_argument(
        "--with-tokens",
        action="store_true",
        help="delete the authorizations of the user too (default: they stay, and answer 403)",
    )
    add_manner(command)


def _add_verify_password(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "user verify-password",
        run="user:run_verify_password",
        summary="try a password without a server",
        description="Say whether a password is that of a user, and whether the user can sign in "
        "with it. Exit code 0 when it can, 1 when not. Nothing is changed.",
    )
    _add_choice(command)
    command.add_argument(
        "--password-file",
        metavar="FILE",
        help="read the password from this file, - for standard input (default: it is asked for)",
    )


def _add_choice(command: Parser) -> None:
    choice = command.add_mutually_exclusive_group()
    choice.add_argument(
        "--username", metavar="NAME", help="the user, by name (this or --id is required)"
    )
    choice.add_argument("--id", metavar="ID", help="the user, by ID (this or --username)")


def _add_password(command: Parser, *, or_none: bool) -> None:
    source = command.add_mutually_exclusive_group()
    source.add_argument(
        "--password-file",
        metavar="FILE",
        help="read the password from this file, - for standard input (default: it is asked for "
        "twice at the terminal)",
    )
    source.add_argument(
        "--password",
        metavar="TEXT",
        help="the password itself, for old runbooks; everybody on this machine can see it in the "
        "list of processes (default: it is asked for twice at the terminal)",
    )
    if or_none:
        source.add_argument(
            "--no-password",
            action="store_true",
            help="make a user who cannot sign in, only own tokens (default: it is asked for)",
        )


def _add_ensure(command: Parser, what: str) -> None:
    command.add_argument(
        "--ensure",
        action="store_true",
        help=f"take {what} for done, and change nothing (default: refuse, or do it again)",
    )
