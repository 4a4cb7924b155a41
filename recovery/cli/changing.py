"""How every command that changes a store is run.

Lives here: `run_planner`, between the options of a command and a session. Must not live here:
the order of the steps (`recovery.services.changes.sequence`), and what a command writes (its
planner).
"""

from collections.abc import Callable
from pathlib import Path

from recovery.cli.audience import PlanAudience, require_a_way_to_confirm
from recovery.cli.context import Context
from recovery.cli.options import Change
from recovery.cli.outcome import show_outcome
from recovery.cli.recording import open_ledger
from recovery.cli.store import find_store, open_session
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode, RefusedError
from recovery.model.display import displayed
from recovery.ports import SystemClock, SystemRng
from recovery.services.changes.plan import Manner, Planner
from recovery.services.changes.ports import Ports, TokenDestination
from recovery.services.session import View


def run_planner(
    options: Change,
    context: Context,
    make_planner: Callable[[FoundStore], Planner],
    *,
    destination: TokenDestination | None = None,
    require: Callable[[View], object] | None = None,
) -> ExitCode:
    """Find the store, show the plan, ask, change the store, and say how it ended.

    Args:
        options: The options of the command.
        context: The world around the command.
        make_planner: Makes the command, once it is known which store it is for.
        destination: Where a new token goes; None for a command that makes none.
        require: Looks whether what was named is there, before `make_planner` asks for a secret.

    Returns:
        How it ended.

    Raises:
        RecoveryError: It was refused or it failed; the error says whether anything was changed.
    """
    if not options.dry_run:
        require_a_way_to_confirm(is_confirmed=options.yes)
    found = find_store(options, context)
    if found.is_backup:
        raise RefusedError(
            reason=f"{displayed(str(found.path))} is a backup, and backups are only read",
            hint="make a copy of it (unpack it with gunzip), and name that with --bolt-path",
        )
    manner = Manner(
        is_dry_run=options.dry_run,
        output_path=None if options.output is None else Path(options.output),
        reason=options.reason,
    )
    ports = Ports(
        audience=PlanAudience(
            context.output,
            found=found,
            is_confirmed=options.yes,
            is_result=options.dry_run and not options.json,
        ),
        recorder=open_ledger(options, context, found.path),
        destination=destination,
        shield=context.progress.shield,
    )
    with open_session(found, write=manner.is_in_place, reads_packed=False) as session:
        if require is not None:
            with session.view() as view:
                require(view)
        planner = _forewarned(make_planner(found), session.store.file.size_bytes)
        outcome = session.carry_out(session.propose(planner, manner), ports)
    show_outcome(outcome, found, options, context, destination=destination)
    return ExitCode.DONE


def _forewarned(planner: Planner, size_bytes: int) -> Planner:
    """Let a plan say so when influxd will not start afterwards."""
    from recovery.services.doctor.forewarning import (  # noqa: PLC0415 # 15 ms, when a store is open
        EXAMINED_BYTES_MAX,
        Forewarned,
    )

    if size_bytes > EXAMINED_BYTES_MAX:
        return planner
    return Forewarned(planner, clock=SystemClock(), rng=SystemRng())
