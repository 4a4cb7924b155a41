"""The command that makes a new store.

Lives here: `setup`. Must not live here: what is in the store (`recovery.services.stores.setup`).
"""

import os
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from recovery.cli.audience import Lack, require_a_way_to_confirm
from recovery.cli.changing import run_planner
from recovery.cli.context import Context
from recovery.cli.deliver import choose_destination, require_own_stdout
from recovery.cli.documents import shaped
from recovery.cli.options import Change, Command, Options, add_yes
from recovery.cli.outcome import NewFileDocument, outcome_fields, token_place
from recovery.cli.recording import open_ledger
from recovery.cli.secret_input import add_first_secrets, new_password
from recovery.cli.usage import UsageError, required
from recovery.cli.words import Parser, shown
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode
from recovery.model.bucket import HOUR_NS, parse_duration
from recovery.model.display import displayed, quoted
from recovery.model.password import STAND_IN
from recovery.model.token import new_token
from recovery.new_file import require_free
from recovery.ports import SystemClock, SystemRng
from recovery.secret import Secret
from recovery.services.changes.plan import Manner, Outcome, Proposal
from recovery.services.changes.ports import Ports, TokenDestination
from recovery.services.changes.sequence import carry_out, make_ready
from recovery.services.stores.first_setup import Setup, SetUpStore, first_setup
from recovery.services.stores.setup import proposed_setup

RETENTION: Final = "--retention"


class _Setup(Options, frozen=True):
    username: str | None
    org: str | None
    bucket: str | None
    retention: str
    password_file: str | None
    no_password: bool
    token_file: str | None
    token_stdout: bool
    no_token: bool
    yes: bool


def _add_setup(command: Parser) -> None:
    command.add_argument("--username", metavar="NAME", help="the first user (required)")
    command.add_argument("--org", metavar="NAME", help="the first organization (required)")
    command.add_argument("--bucket", metavar="NAME", help="the first bucket (required)")
    command.add_argument(
        "--retention",
        metavar="TIME",
        default="0",
        help="how long data stay in it, such as 72h, 30d or 8w; 0 is forever (default: 0)",
    )
    add_first_secrets(command, or_none=True)
    add_yes(command)


def _setup(options: _Setup, context: Context) -> ExitCode:
    path = Path(required(options.bolt_path, "--bolt-path FILE", "setup"))
    wanted = Setup(
        username=required(options.username, "--username NAME", "setup"),
        password=None,
        organization=required(options.org, "--org NAME", "setup"),
        bucket=required(options.bucket, "--bucket NAME", "setup"),
        retention_ns=retention_ns(options.retention),
        token=None,
    )
    if os.path.isfile(path) and path.stat().st_size:  # noqa: PTH113 # never raises
        return _set_up_there(wanted, options, context)
    require_free(path)
    require_a_way_to_confirm(is_confirmed=True, lacks=_lacks(options))
    destination = _destination(options, context)
    ports = Ports(
        audience=_Commander(),
        recorder=open_ledger(options, context, path),
        destination=destination,
        shield=context.progress.shield,
    )
    if destination is not None:
        wanted = replace(wanted, token=new_token(SystemRng()))
    manner = Manner(reason=options.reason)
    if Lack.PASSWORD in _lacks(options):
        with proposed_setup(path, _planner(wanted, STAND_IN), manner) as rehearsed:
            make_ready(rehearsed, ports)
    planner = _planner(wanted, _password(options, context))
    with proposed_setup(path, planner, manner) as proposal:
        outcome = carry_out(proposal, ports)
    for warning in outcome.warnings:
        context.output.message(f"warning: {warning}")
    _show(outcome, path.absolute(), destination, options, context)
    return ExitCode.DONE


def _set_up_there(wanted: Setup, options: _Setup, context: Context) -> ExitCode:
    """Set up a store that a server has made and nobody has set up: a change as any other."""
    if options.no_token:
        raise UsageError(
            problem="--no-token is for a new file, and this store is there", hint="leave it out"
        )
    destination = _destination(options, context)
    lacks = _lacks(options)
    wanted = replace(wanted, token=new_token(SystemRng()))

    def with_password(found: FoundStore) -> SetUpStore:
        return _planner(
            wanted, _password(options, context), server_hashes=found.files.use_hashed_tokens
        )

    common = {name: getattr(options, name) for name in Options.__struct_fields__}
    return run_planner(
        Change(**common, output=None, dry_run=False, yes=options.yes),
        context,
        with_password,
        destination=destination,
        rehearsed=_planner(wanted, STAND_IN) if Lack.PASSWORD in lacks else None,
        lacks=lacks,
    )


def _planner(
    wanted: Setup, password: Secret | None, *, server_hashes: bool | None = None
) -> SetUpStore:
    return first_setup(
        replace(wanted, password=password),
        server_hashes=server_hashes,
        clock=SystemClock(),
        rng=SystemRng(),
    )


def _lacks(options: _Setup) -> list[Lack]:
    """Say what was not said and a person is needed for."""
    asks_password = not options.no_password and options.password_file is None
    has_place = options.no_token or options.token_stdout or options.token_file is not None
    lacks = ((Lack.PASSWORD, asks_password), (Lack.TOKEN_PLACE, not has_place))
    return [lack for lack, is_so in lacks if is_so]


SETUP: Final = Command(
    description="Make a new store for InfluxDB 2.8 or later with a user, an organization, a bucket "
    "and an operator token, before the first start of the server. "
    "A store that is there is set up in place, after a question, when a server has made it and "
    "nobody has set it up yet; any other is left alone.",
    example="setup --bolt-path /srv/influxd.bolt --username admin --org myorg --bucket sensors",
    options=_Setup,
    run=_setup,
    add_options=_add_setup,
    document=NewFileDocument,
    needs_path=True,
)


class _Commander:
    """Whoever said all on the command line: nothing that is there can come to harm."""

    def show_plan(self, _: Proposal) -> None:
        """Show nothing."""

    def confirm(self, _: Proposal) -> bool:
        """Say yes."""
        return True


def retention_ns(text: str, option: str = RETENTION) -> int:
    """Read a time, as "72h", "1d12h", "8w" or "0", in nanoseconds, 0 forever; or `UsageError`."""
    time_ns = parse_duration(text) if text else None
    is_endless = time_ns == 0 and not any(map(str.isdigit, text))
    if time_ns is not None and not (0 < time_ns < HOUR_NS or (is_endless and option != RETENTION)):
        return time_ns
    raise UsageError(
        problem=f"{option} {shown(text, is_stray=True)} is no time of at least one hour",
        hint="use something like 72h, 30d or 8w"
        + (", or 0 to keep data without end" if option == RETENTION else ""),
    )


def _password(options: _Setup, context: Context) -> Secret | None:
    if options.no_password:
        return None
    return new_password(None, options.password_file, context.output)


def _destination(options: _Setup, context: Context) -> TokenDestination | None:
    if options.no_token:
        return None
    require_own_stdout(is_json=options.json, is_token=options.token_stdout)
    return choose_destination(
        token_file=options.token_file,
        is_stdout=options.token_stdout,
        stdout=context.stdout,
    )


def _show(
    outcome: Outcome,
    path: Path,
    destination: TokenDestination | None,
    options: _Setup,
    context: Context,
) -> None:
    output = context.output
    if options.json:
        output.document(
            shaped(
                outcome,
                NewFileDocument,
                **outcome_fields(outcome, is_dry_run=False, destination=destination),
            )
        )
        return
    say = output.message if options.token_stdout else output.prose
    say(f"Done: {displayed(str(path))} was made and verified.")
    for line in token_place(destination):
        say(line)
    say(
        "Next: give the file to the user that influxd runs as "
        f"(chown USER {quoted(str(path))}), and start influxd."
    )
