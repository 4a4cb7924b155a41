"""The commands that make authorizations.

Lives here: `auth create`, with an option for each permission, and `auth create-operator`. Must not
live here: what the permissions are (`recovery.services.authorizations.permission_request`), and
what is decided (`creation` beside it).

Source: `influx auth create` of influx-cli 2.7, and 2.1 for its older names.
"""

from typing import Final, NamedTuple

import msgspec

from recovery.cli.audience import Lack
from recovery.cli.changing import run_planner
from recovery.cli.confirm import has_terminal
from recovery.cli.context import Context
from recovery.cli.deliver import TableDestination, choose_destination, require_own_stdout
from recovery.cli.options import Change, Command, add_ensure, add_form, add_only
from recovery.cli.secret_input import STDIN, read_secret
from recovery.cli.usage import UsageError
from recovery.cli.words import Parser
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode
from recovery.metastore.transaction import MetaTx
from recovery.model.resource_types import ACTIONS, ALL_TYPES, TYPES_2_1, TYPES_2_2, WORDS
from recovery.ports import SystemClock, SystemRng
from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest
from recovery.services.authorizations.request_body import RequestBody
from recovery.services.changes.plan import Plan, Planner
from recovery.services.changes.ports import TokenDestination

OTHER_NAMES: Final = {"users": "user", "dbrp": "dbrps"}
"""Singular and plural that `influx` had at another time."""


class _NewToken(Change, frozen=True):
    username: str | None
    org: str | None
    form: FormChoice
    token_file: str | None
    token_stdout: bool
    token_value_file: str | None
    ensure: bool


def _add_owner(command: Parser, *names: str) -> None:
    """Add whose the token is, with the name or names that the user's option has."""
    add_only(command, *names, what="user who gets the token", only="the only user")
    add_only(command, "--org", what="organization that the token belongs to")


def _add_new_token(command: Parser) -> None:
    """Add in which form the token is stored, where it goes, or where its value comes from."""
    add_form(command)
    place = command.add_mutually_exclusive_group()
    place.add_argument(
        "--token-file",
        metavar="PATH",
        help="write the token to this new file, mode 0600, never overwriting one (default: show "
        "it on the terminal)",
    )
    place.add_argument(
        "--token-stdout",
        action="store_true",
        help="print the token, and nothing else, on standard output, or behind the word recovery "
        "the row that influxd prints (default: show it on the terminal)",
    )
    place.add_argument(
        "--token-value-file",
        metavar="FILE",
        help="give the token the value in this file, or on standard input for -, so that clients "
        "that have it go on working; at least 16 characters, not present in the store (default: a "
        "new random token)",
    )
    add_ensure(command, wanted="the value given is a token with just these rights already")


class _CreateOperator(_NewToken, frozen=True):
    description: str | None


def _add_create_operator(command: Parser) -> None:
    _add_owner(command, "--username")
    command.add_argument(
        "--description",
        metavar="TEXT",
        help="text that the server shows for the token (default: NAME's Recovery Token)",
    )
    _add_new_token(command)


def _create_operator(options: _CreateOperator, context: Context) -> ExitCode:
    return _run_creation(
        options,
        context,
        operation="auth create-operator",
        description=options.description,
        request=PermissionRequest(is_operator=True),
    )


CREATE_OPERATOR: Final = Command(
    description="Make a new operator token, one that may do everything on this server, without "
    "having any token. influxd must be stopped: the store is locked from the first read until the "
    "result has been verified. Shows the plan, asks, copies the store to a backup beside it, "
    "commits in one transaction, reads the new token back by the server's own rule, and hands it "
    "over exactly once. It cannot show that token again, cannot reveal an existing token that is "
    "hashed, and does not change any other record.",
    example="auth create-operator --org myorg --username admin",
    options=_CreateOperator,
    run=_create_operator,
    add_options=_add_create_operator,
)


class _Create(_NewToken, frozen=True):
    description: str | None
    operator: bool
    all_access: bool
    read_bucket: tuple[str, ...]
    write_bucket: tuple[str, ...]
    read_types: tuple[str, ...]
    write_types: tuple[str, ...]
    permissions: str | None


def _add_create(command: Parser) -> None:
    _add_owner(command, "--user", "--username")
    command.add_argument(
        "--description",
        metavar="TEXT",
        help="text that the server shows for the token (default: empty)",
    )
    _add_permissions(command)
    _add_new_token(command)


def _add_permissions(command: Parser) -> None:
    group = command.add_argument_group("permissions")
    group.add_argument(
        "--operator", action="store_true", help="everything on this server; nothing besides"
    )
    group.add_argument(
        "--all-access",
        action="store_true",
        help="everything in the organization; nothing besides",
    )
    for action in ACTIONS:
        group.add_argument(
            f"--{action}-bucket",
            action="append",
            default=[],
            metavar="ID|NAME",
            help=f"{action} this bucket of the organization; may be repeated",
        )
    for kind in ALL_TYPES:
        for action in ACTIONS:
            names = [f"--{action}-{kind}"]
            if kind in OTHER_NAMES:
                names.append(f"--{action}-{OTHER_NAMES[kind]}")
            group.add_argument(
                *names,
                dest=f"{action}_types",
                action="append_const",
                const=kind,
                default=[],
                help=f"{action} all {WORDS.get(kind, kind)}{_scope(kind)}{_since(kind)}",
            )
    group.add_argument(
        "--permissions",
        metavar="FILE",
        help="the permissions in this JSON file, as POST /api/v2/authorizations takes them: the "
        "array, or the whole body of the request, whose description, orgID and userID count too; "
        "- for standard input; added to those named by options",
    )


def _scope(kind: str) -> str:
    return " of the server" if kind in {"orgs", "users"} else " of the organization"


def _since(kind: str) -> str:
    if kind in TYPES_2_1:
        return "; needs a store of InfluxDB 2.1 or later"
    return "; needs a store of InfluxDB 2.2 or later" if kind in TYPES_2_2 else ""


def _create(options: _Create, context: Context) -> ExitCode:
    if STDIN == options.permissions == options.token_value_file:
        raise UsageError(
            problem="--permissions and --token-value-file both claim standard input",
            hint="name a file for one of them",
        )
    body = _body(options)
    request = PermissionRequest(
        is_operator=options.operator,
        is_all_access=options.all_access,
        read_buckets=options.read_bucket,
        write_buckets=options.write_bucket,
        read_types=options.read_types,
        write_types=options.write_types,
        document=None if body is None else body.permissions,
    )
    if request.clash is not None:
        raise UsageError(
            problem=request.clash,
            hint="type influx-recovery auth create --help, which lists what can be permitted",
        )
    if body is not None:
        options = msgspec.structs.replace(
            options,
            username=_one_of("--user", options.username, "userID", body.user_id),
            org=_one_of("--org", options.org, "orgID", body.org_id),
            description=_one_of(
                "--description", options.description, "description", body.description
            ),
        )
    return _run_creation(
        options,
        context,
        operation="auth create",
        description=options.description or "",
        request=request,
    )


def _body(options: _Create) -> RequestBody | None:
    if options.permissions is None:
        return None
    # No secret, but read the same way; it ends here as bytes again.
    text = read_secret(options.permissions, what="list of permissions", output=None, is_line=False)
    return RequestBody.of(text.reveal().encode())


def _one_of(option: str, given: str | None, field: str, said: str | None) -> str | None:
    """Take what an option or the file says; both may only say the same."""
    if given is not None and said is not None and given != said:
        raise UsageError(
            problem=f"{option} and {field} in the file of --permissions say it twice",
            hint=f"leave one of the two out; nothing but {option} is needed",
        )
    return said if given is None else given


CREATE: Final = Command(
    description="Make a new authorization with the permissions named, as influx auth create does "
    "on a running server. influxd must be stopped. Shows the plan, asks, copies the store to a "
    "backup beside it, commits in one transaction, reads the new token back by the server's own "
    "rule, and hands it over exactly once. With --token-value-file the token gets a value that "
    "clients have already. It cannot give permissions on a single dashboard or task by name: use "
    "--permissions for those, with their IDs.",
    example="auth create --org myorg --user admin --read-buckets --description grafana",
    options=_Create,
    run=_create,
    add_options=_add_create,
)


def _run_creation(
    options: _NewToken,
    context: Context,
    *,
    operation: str,
    description: str | None,
    request: PermissionRequest,
) -> ExitCode:
    """Make an authorization with a new token or a given one.

    A description of None becomes "NAME's Recovery Token".
    """
    token, destination, table = None, None, None
    if options.token_value_file is None:
        if options.ensure:
            raise UsageError(
                problem="--ensure needs --token-value-file: a new random token is never there "
                "already",
                hint="give the value of the token, or leave --ensure out",
            )
        destination = _destination(options, context)
        if destination is not None and options.token_stdout and context.output.is_drop_in:
            destination = table = TableDestination(context.stdout)
    else:
        token = read_secret(options.token_value_file, what="token", output=context.output)

    def planner(found: FoundStore) -> Planner:
        creation = CreateAuthorization(
            operation=operation,
            username=options.username,
            organization=options.org,
            description=description,
            request=request,
            form=options.form,
            server_hashes=found.files.use_hashed_tokens,
            token=token,
            is_ensured=options.ensure,
            clock=SystemClock(),
            rng=SystemRng(),
        )
        return creation if table is None else _Followed(creation, table)

    return run_planner(
        options,
        context,
        planner,
        destination=destination,
        lacks=() if token is not None or _has_place(options) else (Lack.TOKEN_PLACE,),
    )


class _Followed(NamedTuple):
    """A planner whose facts a table has beside the token."""

    creation: CreateAuthorization
    table: TableDestination

    @property
    def operation(self) -> str:
        return self.creation.operation

    def plan(self, store: MetaTx) -> Plan:
        """Plan it, and keep the facts."""
        plan = self.creation.plan(store)
        self.table.facts = plan.facts
        return plan


def _destination(options: _NewToken, context: Context) -> TokenDestination | None:
    """Choose the one place of a new token, not opened yet; None where there is none or dry run."""
    require_own_stdout(is_json=options.json, is_token=options.token_stdout)
    is_without_place = not _has_place(options) and (options.dry_run or not has_terminal())
    if is_without_place:
        return None
    chosen = choose_destination(
        token_file=options.token_file,
        is_stdout=options.token_stdout,
        stdout=context.stdout,
    )
    return None if options.dry_run else chosen


def _has_place(options: _NewToken) -> bool:
    return options.token_file is not None or options.token_stdout
