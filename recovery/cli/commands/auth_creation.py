"""The command that makes an authorization with any permissions.

Lives here: `auth create`, and `auth create-operator` with a given token. Must not live here: what
the permissions are (`recovery.services.authorizations.permission_request`).
"""

import argparse

from recovery.cli.changing import run_planner, token_destination
from recovery.cli.context import Context
from recovery.cli.secret_input import STDIN, read_secret
from recovery.cli.usage import UsageError
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode
from recovery.ports import SystemClock, SystemRng
from recovery.services.authorizations.creation import CreateAuthorization
from recovery.services.authorizations.new_token import FormChoice
from recovery.services.authorizations.permission_request import PermissionRequest


def run_create(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Make an authorization.

    Args:
        arguments: The options of `auth create`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: Options clash.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    if STDIN == arguments.permissions == arguments.token_value_file:
        raise UsageError(
            problem="--permissions and --token-value-file both claim standard input",
            hint="name a file for one of them",
        )
    request = _request(arguments)
    if request.clash is not None:
        raise UsageError(problem=request.clash, hint="type influx-recovery auth create --help")
    return run_creation(
        arguments,
        context,
        operation="auth create",
        description=arguments.description,
        request=request,
    )


def run_creation(
    arguments: argparse.Namespace,
    context: Context,
    *,
    operation: str,
    description: str | None,
    request: PermissionRequest,
) -> ExitCode:
    """Make an authorization with a new token or a given one.

    Args:
        arguments: Whose it is, its form, where its token goes or comes from.
        context: The world around it.
        operation: The command.
        description: Text of the record; None for "NAME's Recovery Token".
        request: What it is to be permitted.

    Returns:
        How it ended.

    Raises:
        UsageError: Options clash.
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    token, destination = None, None
    if arguments.token_value_file is None:
        if arguments.ensure:
            raise UsageError(
                problem="--ensure needs --token-value-file: a new random token is never there "
                "already",
                hint="give the value of the token, or leave --ensure out",
            )
        destination = token_destination(arguments, context)
    else:
        token = read_secret(arguments.token_value_file, what="token")

    def planner(found: FoundStore) -> CreateAuthorization:
        return CreateAuthorization(
            operation=operation,
            username=arguments.username,
            organization=arguments.org,
            description=description,
            request=request,
            form=form_choice(arguments),
            server_hashes=found.files.use_hashed_tokens,
            token=token,
            is_ensured=arguments.ensure,
            clock=SystemClock(),
            rng=SystemRng(),
        )

    return run_planner(arguments, context, planner, destination=destination)


def form_choice(arguments: argparse.Namespace) -> FormChoice:
    """Read how a token is to be stored.

    Args:
        arguments: Its `--hashed` and `--raw`.

    Returns:
        The choice.
    """
    if arguments.hashed:
        return FormChoice.HASHED
    return FormChoice.RAW if arguments.raw else FormChoice.BY_STORE


def _request(arguments: argparse.Namespace) -> PermissionRequest:
    document = None
    if arguments.permissions is not None:
        # No secret, but read the same way; it ends here as bytes again.
        document = read_secret(arguments.permissions, what="list of permissions").reveal().encode()
    return PermissionRequest(
        is_operator=arguments.operator,
        is_all_access=arguments.all_access,
        read_buckets=tuple(arguments.read_bucket),
        write_buckets=tuple(arguments.write_bucket),
        read_types=tuple(arguments.read_types),
        write_types=tuple(arguments.write_types),
        document=document,
    )
