"""What can be typed to move authorizations between stores.

Lives here: options of `auth export` and `auth import`. Must not live here: what they do.
"""

from recovery.cli.arguments.shared import add_command, add_manner
from recovery.cli.arguments.tokens import add_ensure, add_form
from recovery.cli.words import Choices


def add_transfer(verbs: Choices) -> None:
    """Add both commands.

    Args:
        verbs: The commands of `auth`.
    """
    _add_export(verbs)
    _add_import(verbs)


def _add_export(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "auth export",
        run="auth_transfer:run_export",
        summary="write authorizations into a new file, for auth import",
        description="Write authorizations into a new file of mode 0600, a JSON object a line: the "
        "record as it is stored, and the names of its user, organization and buckets. The store is "
        "opened for reading only and nothing in it is changed. Without --with-tokens the file "
        "holds no secret, and cannot be imported. It cannot turn a hash back into a token.",
    )
    command.add_argument("file", metavar="FILE", help="the new file; none is overwritten")
    command.add_argument(
        "--with-tokens",
        action="store_true",
        help="put the tokens and hashes into the file, as they are stored; this is recorded in the "
        "ledger (default: leave them out)",
    )
    command.add_argument(
        "--operators",
        action="store_true",
        help="only operator tokens, full and partial (default: all authorizations)",
    )
    command.add_argument("--user", metavar="NAME", help="only those of this user (default: all)")
    command.add_argument(
        "--org", metavar="NAME", help="only those of this organization (default: all)"
    )


def _add_import(verbs: Choices) -> None:
    command = add_command(
        verbs,
        "auth import",
        run="auth_transfer:run_import",
        summary="bring exported authorizations into a store, so that old tokens work again",
        description="Add the authorizations of a file made by auth export --with-tokens, all of "
        "them in one transaction or none, so that a restored or rebuilt server accepts the tokens "
        "that clients have. influxd must be stopped. Every conflict is listed before anything is "
        "written. It makes no users, organizations or buckets: those must be there, with the same "
        "IDs, or with the same names and --match-by-name.",
    )
    command.add_argument("file", metavar="FILE", help="the file, or - for standard input")
    command.add_argument(
        "--match-by-name",
        action="store_true",
        help="take the users, organizations and buckets of the same names, as on a server that was "
        "set up anew (default: those with the same IDs)",
    )
    add_ensure(command, wanted="an authorization is there already with the same rights")
    add_form(command)
    add_manner(command)
