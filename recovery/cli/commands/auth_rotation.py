"""The command that replaces tokens after they have leaked.

Lives here: `auth rotate`. Must not live here: what it writes
(`recovery.services.authorizations.rotation`).
"""

from typing import Final

from recovery.cli.changing import run_planner
from recovery.cli.choices import add_ids, authorization_ids
from recovery.cli.context import Context
from recovery.cli.deliver import choose_file
from recovery.cli.options import Change, Command, add_form
from recovery.cli.usage import UsageError, required
from recovery.cli.words import Parser
from recovery.errors import ExitCode
from recovery.ports import SystemClock, SystemRng
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.rotation import RotateTokens
from recovery.services.authorizations.selection import Selection

HELP: Final = "type influx-recovery auth rotate --help"


class _Rotate(Change, frozen=True):
    id: tuple[str, ...]
    user: str | None
    org: str | None
    all: bool
    spared: tuple[str, ...]
    keep_inactive: bool
    form: FormChoice
    token_file: str | None


def _add_rotate(command: Parser) -> None:
    add_ids(command, note="(this, --all, --user or --org is required)")
    command.add_argument(
        "--user", metavar="NAME", help="those of this user (default: those that are named)"
    )
    command.add_argument(
        "--org", metavar="NAME", help="those of this organization (default: those that are named)"
    )
    command.add_argument(
        "--all", action="store_true", help="all of them (this or ID, --user or --org is required)"
    )
    command.add_argument(
        "--except",
        dest="spared",
        nargs="+",
        action="extend",
        default=[],
        metavar="ID",
        help="but not these, with --all, --user or --org (default: spare none)",
    )
    command.add_argument(
        "--keep-inactive",
        action="store_true",
        help="set the old ones inactive (default: delete them)",
    )
    add_form(command)
    command.add_argument(
        "--token-file",
        metavar="PATH",
        help="write the new tokens to this new file, mode 0600, as CSV with the columns id, "
        "description and token; needed but for --dry-run",
    )


def _rotate(options: _Rotate, context: Context) -> ExitCode:
    chosen = _selection(options)
    destination = None
    if options.token_file is not None or not options.dry_run:
        destination = choose_file(required(options.token_file, "--token-file PATH", "auth rotate"))
    return run_planner(
        options,
        context,
        lambda found: RotateTokens(
            selection=chosen,
            keeps_inactive=options.keep_inactive,
            form=options.form,
            server_hashes=found.files.use_hashed_tokens,
            clock=SystemClock(),
            rng=SystemRng(),
        ),
        destination=destination,
    )


def _selection(options: _Rotate) -> Selection:
    is_filtered = options.all or options.user is not None or options.org is not None
    problem = None
    if bool(options.id) == is_filtered:
        problem = "IDs cannot be given with --all, --user or --org"
        if not is_filtered:
            problem = "nothing says which tokens: give IDs, or --user, --org or --all"
    elif options.all and (options.user is not None or options.org is not None):
        problem = "--all cannot be given with --user or --org"
    elif options.spared and not is_filtered:
        problem = "--except goes with --all, --user or --org"
    if problem is not None:
        lacks_file = options.token_file is None and not options.dry_run
        more = ", and no --token-file PATH says where the new ones go" if lacks_file else ""
        raise UsageError(problem=f"{problem}{more}", hint=HELP)
    return Selection(
        ids=authorization_ids(options.id) or None,
        spared=authorization_ids(options.spared),
        user=options.user,
        organization=options.org,
    )


ROTATE: Final = Command(
    description="Replace tokens that have leaked. Each authorization that is chosen gets a "
    "successor with a new ID and a new token, and the same rights, owner, status and description; "
    "the old one is deleted. All of it is one transaction with one backup, and the new tokens are "
    "written to one new file, in which room for them is reserved before anything is changed. "
    "influxd must be stopped. User names and passwords of 1.x clients are not touched (v1-auth "
    "set-password), nor are passwords of users. The backup, older copies and freed pages of the "
    "file still hold the old tokens or their hashes.",
    example="auth rotate --user admin --token-file /root/new.tokens",
    options=_Rotate,
    run=_rotate,
    add_options=_add_rotate,
)
