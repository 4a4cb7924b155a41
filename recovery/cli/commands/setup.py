"""The command that makes a new store.

Lives here: `setup`. Must not live here: what is in the store (`recovery.services.stores.setup`).
"""

import argparse
import re
from pathlib import Path

from recovery.cli.context import Context
from recovery.cli.deliver import choose_destination
from recovery.cli.recording import open_ledger
from recovery.cli.secret_input import ask_new_secret, read_secret
from recovery.cli.usage import UsageError, required
from recovery.errors import ExitCode
from recovery.model.bucket import DAY_NS, HOUR_NS
from recovery.model.display import displayed
from recovery.model.token import new_token
from recovery.ports import SystemClock, SystemRng
from recovery.secret import Secret
from recovery.services.changes.sequence import TokenDestination
from recovery.services.stores.setup import Setup, SetupPorts, SetupResult, make_store

UNITS_NS = {"h": HOUR_NS, "d": DAY_NS, "w": 7 * DAY_NS}
_RETENTION = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[hdw])\Z")


def run_setup(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Make a new store.

    Args:
        arguments: The options of `setup`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: Something required is missing, or options clash.
        RecoveryError: It was refused or it failed; the error says whether anything was made.
    """
    path = Path(required(arguments.bolt_path, "--bolt-path FILE", "setup"))
    wanted = Setup(
        username=required(arguments.username, "--username NAME", "setup"),
        password=None,
        organization=required(arguments.org, "--org NAME", "setup"),
        bucket=required(arguments.bucket, "--bucket NAME", "setup"),
        retention_ns=retention_ns(arguments.retention),
        token=None,
    )
    destination = _destination(arguments, context)
    made = make_store(
        path,
        wanted.with_secrets(
            password=_password(arguments),
            token=None if destination is None else new_token(SystemRng()),
        ),
        recorder=open_ledger(arguments, context),
        destination=destination,
        shield=context.progress.shield,
        reason=arguments.reason,
        ports=SetupPorts(clock=SystemClock(), rng=SystemRng()),
    )
    _show(made, arguments, context)
    return ExitCode.DONE


def retention_ns(text: str) -> int:
    """Read a retention.

    Args:
        text: Such as "72h", "30d", "8w" or "0".

    Returns:
        It in nanoseconds; 0 for ever.

    Raises:
        UsageError: It is none.
    """
    found = _RETENTION.match(text)
    if found is not None and int(found["count"]):
        return int(found["count"]) * UNITS_NS[found["unit"]]
    if text in {"0", "0h", "0d", "0w"}:
        return 0
    raise UsageError(
        problem=f"--retention {displayed(text)} is no time of at least one hour",
        hint="use something like 72h, 30d or 8w, or 0 for ever",
    )


def _password(arguments: argparse.Namespace) -> Secret | None:
    if arguments.no_password:
        return None
    if arguments.password_file is not None:
        return read_secret(arguments.password_file, what="password")
    return ask_new_secret("password")


def _destination(arguments: argparse.Namespace, context: Context) -> TokenDestination | None:
    if arguments.no_token:
        return None
    if arguments.json and arguments.token_stdout:
        raise UsageError(
            problem="--json and --token-stdout both claim standard output",
            hint="use --token-file PATH with --json",
        )
    return choose_destination(
        token_file=arguments.token_file,
        is_stdout=arguments.token_stdout,
        stdout=context.stdout,
    )


def _show(made: SetupResult, arguments: argparse.Namespace, context: Context) -> None:
    output = context.output
    if arguments.json:
        output.document(
            {
                "operation": "setup",
                "is_changed": True,
                "target_path": str(made.path),
                "user_id": made.user_id,
                "organization_id": made.organization_id,
                "bucket_id": made.bucket_id,
                "authorization_id": made.authorization_id,
            }
        )
        return
    say = output.message if arguments.token_stdout else output.prose
    say(f"Done: {displayed(str(made.path))} was made and verified.")
    say("Next: give the file to the user that influxd runs as (chown), and start influxd.")
