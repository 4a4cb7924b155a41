"""How every command that changes a store is run.

Lives here: `run_planner` and `planned`, between the options of a command and a session. Must not
live here: the order of the steps (`recovery.services.changes.sequence`), and what a command writes
(its planner).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from recovery.cli.audience import Lack, PlanAudience, require_a_way_to_confirm
from recovery.cli.context import Context
from recovery.cli.options import Change, NewPassword, OptionalPassword
from recovery.cli.outcome import REPAIR, show_outcome
from recovery.cli.recording import open_ledger
from recovery.cli.secret_input import new_password
from recovery.cli.store import find_store
from recovery.discovery.candidate import Files
from recovery.discovery.search import FoundStore
from recovery.errors import (
    AmbiguousError,
    ExitCode,
    NotFoundError,
    RefusedError,
    SeveralError,
    together,
)
from recovery.model.display import displayed, quoted
from recovery.model.password import STAND_IN
from recovery.ports import SystemClock, SystemRng
from recovery.secret import Secret
from recovery.services.changes.plan import Manner, Planner, Proposal
from recovery.services.changes.ports import Ports, TokenDestination
from recovery.services.session import Session

ChangeT = TypeVar("ChangeT", bound=Change)


def planned(make_planner: Callable[[ChangeT], Planner]) -> Callable[[ChangeT, Context], ExitCode]:
    """Make the run of a command of which its options say all."""

    def run(options: ChangeT, context: Context) -> ExitCode:
        planner = make_planner(options)
        return run_planner(options, context, lambda _: planner)

    return run


def run_planner(
    options: Change,
    context: Context,
    make_planner: Callable[[FoundStore], Planner],
    *,
    destination: TokenDestination | None = None,
    rehearsed: Planner | None = None,
    lacks: Iterable[Lack] = (),
    added_bytes: int = 0,
    needs_schema: bool = True,
) -> ExitCode:
    """Find the store, show the plan, ask, change the store, and say how it ended.

    Args:
        make_planner: Makes the command, once it is known which store it is for.
        destination: Where a new token goes; None for a command that makes none.
        rehearsed: The same command with a stand-in for a secret that `make_planner` will ask for:
            all that needs no answer is found out before.
        lacks: What was not said and a person is needed for, besides the yes.
        added_bytes: About how much the change adds to the store, where that may be much.
        needs_schema: As in `Session.open`; False where the planner itself asks for that.

    Returns:
        `DONE`, or of a repair `FINDINGS` where influxd will not start on what it leaves.
    """
    found = find_store(options, context)
    if found.is_backup:
        raise RefusedError(
            reason=f"{displayed(str(found.path))} is a backup, and backups are only read",
            hint=f"{copying(found.path)}, and name what that makes with --bolt-path",
        )
    manner = Manner(
        is_dry_run=options.dry_run,
        output_path=None if options.output is None else Path(options.output),
        reason=options.reason,
        is_confirmed=options.yes,
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
        waiting=context.output.waiting,
        shield=context.progress.shield,
    )
    waiting = context.output.waiting
    with Session.open(
        found.path, write=manner.is_in_place, reads_packed=False, needs_schema=needs_schema
    ) as session:

        def propose(planner: Planner) -> Proposal:
            with waiting("checking the store and planning the change"), _all_said(options, lacks):
                return session.propose(
                    _forewarned(planner, session, found.files, added_bytes), manner
                )

        if rehearsed is not None:
            session.make_ready(propose(rehearsed), ports)
        outcome = session.carry_out(propose(make_planner(found)), ports)
    show_outcome(outcome, found, options, context, destination=destination)
    plan = outcome.proposal.plan
    is_short = plan.operation == REPAIR and plan.stops is not None
    return ExitCode.FINDINGS if is_short else ExitCode.DONE


def run_with_password(
    options: NewPassword,
    context: Context,
    make_planner: Callable[[Secret | None], Planner],
    *,
    is_planned: bool = False,
) -> ExitCode:
    """As `run_planner`, for a command with a new password: what it takes to get that comes first.

    Args:
        is_planned: Whether the plan says what is odd about the password.
    """
    without = isinstance(options, OptionalPassword) and options.no_password

    def with_password(_: FoundStore) -> Planner:
        if without:
            return make_planner(None)
        typed = (options.password, options.password_file)
        return make_planner(new_password(*typed, context.output, is_planned=is_planned))

    is_asked = not without and options.password is options.password_file is None
    return run_planner(
        options,
        context,
        with_password,
        rehearsed=make_planner(STAND_IN) if is_asked else None,
        lacks=(Lack.PASSWORD,) if is_asked else (),
    )


@contextmanager
def _all_said(options: Change, lacks: Iterable[Lack]) -> Iterator[None]:
    """Refuse what nobody is there for, together with what is wrong with the names."""
    wanted = [one for one in lacks if one is Lack.PASSWORD or not options.dry_run]
    is_confirmed = options.yes or options.dry_run
    try:
        yield
    except (NotFoundError, AmbiguousError, SeveralError) as error:
        try:
            require_a_way_to_confirm(is_confirmed=is_confirmed, lacks=wanted)
        except RefusedError as lack:
            raise together([*getattr(error, "errors", (error,)), lack]) from None
        raise
    require_a_way_to_confirm(is_confirmed=is_confirmed, lacks=wanted)


def copying(path: Path) -> str:
    """Say how a backup becomes a store of its own."""
    from recovery.metastore.packing import (  # noqa: PLC0415 # only for a refusal
        HEAD_BYTES,
        packing_of,
        unpacking_command,
    )

    with path.open("rb") as file:
        packing = packing_of(file.read(HEAD_BYTES))
    if packing is not None:
        return f"unpack it: {unpacking_command(path, packing)}"
    return f"make a copy of it: cp -n {quoted(str(path))} {quoted(f'{path}.copy')}"


def _forewarned(planner: Planner, session: Session, files: Files, added_bytes: int) -> Planner:
    """Let a plan say so when influxd will not start afterwards, or when it cannot be made."""
    from recovery.services.doctor.forewarning import (  # noqa: PLC0415 # 15 ms, when a store is open
        EXAMINED_BYTES_MAX,
        Forewarned,
    )

    if planner.operation == REPAIR:
        return planner  # which looks by itself at what it leaves
    is_examined = session.store.file.size_bytes + added_bytes <= EXAMINED_BYTES_MAX
    if not is_examined and not session.facts().missing_buckets:
        return planner
    return Forewarned(
        planner, files=files, is_examined=is_examined, clock=SystemClock(), rng=SystemRng()
    )
