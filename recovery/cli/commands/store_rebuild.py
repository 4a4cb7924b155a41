"""The command `store rebuild`.

Lives here: its options, and what is shown. Must not live here: what is rebuilt
(`recovery.services.stores.rebuild`).
"""

import os
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from recovery.cli.audience import Lack, asked, require_a_way_to_confirm
from recovery.cli.context import Context
from recovery.cli.deliver import StdoutDestination, choose_destination, require_own_stdout
from recovery.cli.documents import shaped
from recovery.cli.options import Command, Options, add_ensure, add_yes
from recovery.cli.outcome import NewFileDocument, outcome_fields, token_place
from recovery.cli.recording import open_ledger
from recovery.cli.secret_input import add_first_secrets, new_password
from recovery.cli.usage import UsageError, required
from recovery.cli.words import Parser, shown
from recovery.discovery.candidate import STORE_NAME
from recovery.engine.folder import EngineFolder
from recovery.engine.users import pid_within
from recovery.errors import ConflictError, ExitCode, RefusedError, StoreBusyError
from recovery.lock_holder import describe_process
from recovery.model.display import displayed, quoted
from recovery.model.ids import Id, parse_id, why_no_id
from recovery.model.password import STAND_IN
from recovery.model.schema import LEVEL_MAX, LEVEL_MIN, versions_of_level
from recovery.new_file import require_free
from recovery.ports import SystemClock, SystemRng
from recovery.remedy import Give, Input, Run
from recovery.services.changes.plan import Manner, Outcome, Proposal
from recovery.services.changes.ports import Intent, Ports, TokenDestination
from recovery.services.session import Session
from recovery.services.shard_mapping import ShardName
from recovery.services.store_facts import StoreFacts
from recovery.services.stores.rebuild.beginning import Base, base_store
from recovery.services.stores.rebuild.known import learn_sqlite, read_known
from recovery.services.stores.rebuild.parts import EngineFacts, Wishes
from recovery.services.stores.rebuild.planner import (
    OPERATION,
    RECORD_IDS_MAX,
    RebuildStore,
    missing,
    read_engine,
)
from recovery.services.stores.rebuild.words import engine_facts


class _Rebuild(Options, frozen=True):
    target: str | None
    engine_path: str | None
    org: str | None
    org_id: str | None
    username: str | None
    password_file: str | None
    token_file: str | None
    token_stdout: bool
    names: list[str]
    name: list[str]
    leave_out: list[str]
    allow_overlaps: bool
    sqlite_path: str | None
    level: int
    damaged: str | None
    dry_run: bool
    yes: bool
    ensure: bool


class RebuildDocument(NewFileDocument, frozen=True, kw_only=True):
    """What --json prints.

    Attributes:
        level: Schema level of the new store; None when it was there already.
    """

    level: int | None = None


def _add_rebuild(command: Parser) -> None:
    command.add_argument("target", metavar="NEW", nargs="?", help="the new file (required)")
    command.add_argument(
        "--engine-path", metavar="DIR", help="the engine's folder, which holds data (required)"
    )
    _add_known(command)
    _add_owner(command)
    command.add_argument(
        "--level",
        type=int,
        default=LEVEL_MAX,
        metavar="N",
        help="make the store for older servers: 20 for InfluxDB 2.3 to 2.7, 18 for 2.1 (default: "
        "21, for InfluxDB 2.8 and later)",
    )
    command.add_argument(
        "--leave-out",
        metavar="BUCKET/SHARD",
        action="append",
        default=[],
        help="give this shard no group, so that it stays on disk and is not queried; may be given "
        "several times (default: none)",
    )
    command.add_argument(
        "--allow-overlaps",
        action="store_true",
        help="map shards of one bucket that hold points of the same time (default: refuse, and "
        "name them)",
    )
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="stop after showing the plan; nothing is written (default: go on and ask)",
    )
    add_yes(command)
    add_ensure(
        command,
        wanted="NEW is there, has all that is on disk, and nothing there is in influxd's way; what "
        "is in its way is taken out of it",
    )


def _add_known(command: Parser) -> None:
    command.add_argument(
        "--names",
        metavar="FILE",
        action="append",
        default=[],
        help="take names, IDs, retention and organizations from this: an older copy of the store, "
        "a .backup that influxd left, the folder of an influx backup, or a list with "
        "id,name,retention,shard-group-duration in each line; may be given several times, and the "
        "first that knows a thing is believed (default: nothing is known)",
    )
    command.add_argument(
        "--name",
        metavar="ID=NAME",
        action="append",
        default=[],
        help="call one bucket so; may be given several times (default: as --names knows it, else "
        "recovered-ID)",
    )
    command.add_argument(
        "--from",
        dest="damaged",
        metavar="DAMAGED",
        help="begin with what store salvage gets out of this damaged store (default: begin with "
        "nothing)",
    )
    command.add_argument(
        "--sqlite-path",
        metavar="FILE",
        help="take the organization's ID from this SQLite file, if it has only one (default: "
        "influxd.sqlite beside NEW, if it is there)",
    )


def _add_owner(command: Parser) -> None:
    command.add_argument(
        "--org",
        metavar="NAME",
        help="the organization of buckets that are known in none (default: the only one that is "
        "known, else recovered)",
    )
    command.add_argument(
        "--org-id", metavar="ID", help="its ID, as clients may use it (default: a new one)"
    )
    command.add_argument(
        "--username",
        metavar="NAME",
        help="who owns all of it (default: the only user of --from, else admin)",
    )
    add_first_secrets(command, or_none=False)


def _rebuild(options: _Rebuild, context: Context) -> ExitCode:
    target = Path(required(options.target or options.bolt_path, "NEW", OPERATION)).absolute()
    engine_path = Path(required(options.engine_path, "--engine-path DIR", OPERATION))
    require_own_stdout(is_json=options.json, is_token=options.token_stdout)
    wishes = _wishes(options)
    _require_level(options.level)
    EngineFolder(engine_path)  # refuses another folder, before anything that takes its time
    is_there = options.ensure and target.exists()
    if not is_there:
        require_free(target)
    known = read_known([Path(name) for name in options.names])
    sqlite_path = Path(options.sqlite_path or target.with_name("influxd.sqlite"))
    learn_sqlite(known, sqlite_path, is_named=options.sqlite_path is not None)
    damaged = None if options.damaged is None else Path(options.damaged)
    has_all = damaged is None or os.path.exists(damaged)  # noqa: PTH110 # never raises
    if has_all and not (is_there or options.dry_run):  # else it is refused, before any question
        require_a_way_to_confirm(is_confirmed=options.yes, lacks=_lacks(options, wishes))
    with context.output.waiting("reading the engine") as tell:
        engine = read_engine(engine_path, tell)
    if is_there:
        return _ensured(target, engine, options, context)
    _require_stopped(engine_path)
    clock, rng = SystemClock(), SystemRng()
    with base_store(
        engine_path, damaged=damaged, level=options.level, clock=clock, rng=rng
    ) as base:
        destination = None if options.dry_run else _destination(options, context)
        planner = RebuildStore(
            engine=engine,
            known=known,
            wishes=wishes,
            mends=base.is_salvaged,
            clock=clock,
            rng=rng,
        )
        outcome = _carried_out(base, planner, target, destination, options, context)
    if outcome.is_changed:
        undone = engine.unblocking.carry_out(engine_path)
        outcome = replace(outcome, warnings=(*outcome.warnings, *undone))
    _show(outcome, target, options, context, destination)
    return ExitCode.DONE


REBUILD: Final = Command(
    description="Make the metadata store of a server again when it is lost and the engine's folder "
    "is not: a new file with an owner, an operator token, and for each folder a bucket of the same "
    "ID in which every point is found again. What time each shard is for is read from its files; "
    "the engine's folder is only read, but for what keeps influxd from opening a shard: damaged "
    "files and indexes get .bad behind their names, and missing folders are made. Names, "
    "organizations and retention are not in there: they come from --names and --name, else buckets "
    "are called recovered-ID and keep data forever. "
    "Users, tokens, dashboards, tasks and everything else of the lost store do not come back, but "
    "for what --from gets out of it. Nothing is ever replaced. What contradicts itself is refused "
    "and named.",
    example="store rebuild /root/new.bolt --engine-path /var/lib/influxdb/engine --org myorg",
    options=_Rebuild,
    run=_rebuild,
    add_options=_add_rebuild,
    document=RebuildDocument,
)


class _Audience:
    """Shows the plan and asks at the terminal."""

    def __init__(self, context: Context, options: _Rebuild, base: Base) -> None:
        is_result = options.dry_run and not options.json
        self._say = context.output.prose if is_result else context.output.message
        self._options = options
        self._base = base

    def show_plan(self, proposal: Proposal) -> None:
        """Show what will be written, and where."""
        target = displayed(str(proposal.target_path))
        level = proposal.store.level
        self._say(f"New store: {target}, at schema level {level}, {versions_of_level(level)}")
        if level == LEVEL_MAX:  # nothing on disk tells which server was here
            self._say("Older servers refuse it: --level 20 makes one for InfluxDB 2.3 and later.")
        self._say("")
        for note in self._base.notes:
            self._say(f"Salvaged: {displayed(note)}")
        self._say(f"Plan of {OPERATION}:")
        for step in proposal.plan.steps:
            self._say(f"  - {displayed(step)}")
        for warning in proposal.plan.warnings:
            self._say(f"  ! {displayed(warning)}")
        self._say("")

    def confirm(self, proposal: Proposal) -> bool:
        """Ask for a yes, unless it was given on the command line."""
        if self._options.yes:
            return True
        question = f"Type yes to make {displayed(str(proposal.target_path))}: "
        return asked(question)


def _carried_out(
    base: Base,
    planner: RebuildStore,
    target: Path,
    destination: TokenDestination | None,
    options: _Rebuild,
    context: Context,
) -> Outcome:
    manner = Manner(is_dry_run=options.dry_run, output_path=target, reason=options.reason)
    ports = Ports(
        audience=_Audience(context, options, base),
        recorder=open_ledger(options, context, target),
        destination=destination,
        waiting=context.output.waiting,
        shield=context.progress.shield,
    )
    with Session.open(base.path) as session:
        wishes = planner.wishes
        if wishes.has_password and not options.dry_run:
            if options.password_file is None:
                rehearsed = replace(planner, wishes=wishes.with_password(STAND_IN))
                session.make_ready(session.propose(rehearsed, manner), ports)
            password = new_password(None, options.password_file, context.output)
            planner = replace(planner, wishes=wishes.with_password(password))
        return session.carry_out(session.propose(planner, manner), ports)


def _wishes(options: _Rebuild) -> Wishes:
    org_id = None if options.org_id is None else parse_id(options.org_id)
    if options.org_id is not None and org_id is None:
        raise UsageError(
            problem=f"the value of --org-id is no ID{why_no_id(options.org_id)}",
            hint="give that of the organization, as influx org list showed it, or leave it out",
        )
    return Wishes(
        organization=options.org,
        organization_id=org_id,
        username=options.username,
        has_password=options.damaged is None or options.password_file is not None,
        names=dict(_named(text) for text in options.name),
        left_out=frozenset(_shard(text) for text in options.leave_out),
        allows_overlaps=options.allow_overlaps,
    )


def _named(text: str) -> tuple[Id, str]:
    word, _, name = text.partition("=")
    bucket_id = parse_id(word)
    if bucket_id is None or not name:
        raise UsageError(
            problem=f"--name {shown(text, is_stray=True)} is no ID of a bucket with its name",
            hint="write it as --name 0123456789abcdef=NAME",
        )
    return bucket_id, name


def _shard(text: str) -> ShardName:
    word, _, number = text.partition("/")
    bucket_id = parse_id(word)
    if bucket_id is None or not (number.isascii() and number.isdigit()):
        raise UsageError(
            problem=f"--leave-out {shown(text, is_stray=True)} is no shard of a bucket",
            hint="write it as --leave-out 0123456789abcdef/12",
        )
    return ShardName(bucket_id=bucket_id, shard_id=int(number))


def _require_level(level: int) -> None:
    if not LEVEL_MIN <= level <= LEVEL_MAX:
        raise UsageError(
            problem=f"--level {level} is none of a release of InfluxDB 2.x",
            hint=f"give a number from {LEVEL_MIN} to {LEVEL_MAX}",
        )


def _require_stopped(engine_path: Path) -> None:
    pid = pid_within(engine_path)
    if pid is not None:
        process = describe_process(pid)
        raise StoreBusyError(
            path=displayed(str(engine_path)),
            holder=f"{process.name} has files in it open",
            hint=process.way_to_stop,
        )


def _lacks(options: _Rebuild, wishes: Wishes) -> list[Lack]:
    """Say what was not said and a person is needed for."""
    asks_password = wishes.has_password and options.password_file is None
    has_place = options.token_stdout or options.token_file is not None
    lacks = ((Lack.PASSWORD, asks_password), (Lack.TOKEN_PLACE, not has_place))
    return [lack for lack, is_so in lacks if is_so]


def _destination(options: _Rebuild, context: Context) -> TokenDestination:
    return choose_destination(
        token_file=options.token_file, is_stdout=options.token_stdout, stdout=context.stdout
    )


def _ensured(target: Path, engine: EngineFacts, options: _Rebuild, context: Context) -> ExitCode:
    """Succeed when the store that is there has all that is on disk, with nothing in the way."""
    with Session.open(target) as session, session.view() as view:
        lacking, facts = list(missing(view.tx, engine)), view.facts
    if lacking:
        raise ConflictError(
            kind="store",
            name=f"{displayed(str(target))} ({'; '.join(lacking)})",
            hint=(
                Run(
                    "store repair",
                    "to bring in what it lacks",
                    {Input.STORE: str(target), Input.ONLY: "I37,I40"},
                ),
                "name another file",
            ),
        )
    undone = _unblocked(engine, facts, options, context)
    for warning in undone:
        context.output.message(f"warning: {warning}")
    if options.json:
        context.output.document(
            RebuildDocument(
                operation=OPERATION,
                is_dry_run=options.dry_run,
                target_path=target,
                backup_path=None,
                token_path=None,
                record_ids=(),
                plan=engine_facts(engine.unblocking),
                warnings=undone,
            )
        )
    else:
        context.output.prose(
            f"{displayed(str(target))} is there and has all that is on disk: it was left as it is."
        )
    return ExitCode.DONE


def _unblocked(
    engine: EngineFacts, facts: StoreFacts, options: _Rebuild, context: Context
) -> tuple[str, ...]:
    """Take what is in influxd's way out of it, as the rebuild did or would have done.

    The ledger knows of it before it is done, and of which buckets.

    Returns:
        What could not be done and what does it.
    """
    path, steps = Path(engine.path), list(engine.unblocking.steps)
    if not steps:
        return ()
    if not options.dry_run:
        require_a_way_to_confirm(is_confirmed=options.yes)
        _require_stopped(path)
    is_result = options.dry_run and not options.json
    say = context.output.prose if is_result else context.output.message
    for step in steps:
        say(f"  - {displayed(step)}")
    if options.dry_run:
        return ()
    if not (options.yes or asked(f"Type yes to do this in {displayed(engine.path)}: ")):
        raise RefusedError(
            reason="the plan was not confirmed", hint=Give(Input.CONFIRMATION, "say yes")
        )
    open_ledger(options, context, facts.real_path).note(
        Intent(
            operation=OPERATION,
            store_path=facts.real_path,
            device=facts.device,
            inode=facts.inode,
            record_ids=engine.unblocking.bucket_ids[:RECORD_IDS_MAX],
            backup_path=None,
            reason=options.reason,
        )
    )
    return tuple(engine.unblocking.carry_out(path))


def _show(
    outcome: Outcome,
    target: Path,
    options: _Rebuild,
    context: Context,
    destination: TokenDestination | None,
) -> None:
    output, plan = context.output, outcome.proposal.plan
    for warning in outcome.warnings:
        output.message(f"warning: {warning}")
    if options.json:
        output.document(
            shaped(
                outcome,
                RebuildDocument,
                level=outcome.proposal.store.level,
                **outcome_fields(outcome, is_dry_run=options.dry_run, destination=destination),
            )
        )
        return
    is_aside = isinstance(destination, StdoutDestination)
    say = output.message if is_aside else output.prose
    if options.dry_run:
        say("Dry run: nothing was written. Leave out --dry-run to do it.")
        return
    shown = displayed(str(target))
    say(f"Done: {shown} was made and verified.")
    for line in token_place(destination):
        say(line)
    place = Path(options.engine_path or "").absolute().with_name(STORE_NAME)
    if place != target:
        say("Next: keep the lost store elsewhere, if it is there, and put this one in its place:")
        move = f"  mv {quoted(str(target))} {quoted(str(place))}"
        output.message_lines([move]) if is_aside else output.line(move)
    say(
        f"{'Next: ' if place == target else 'Then '}see that influxd may write it (ls -l), start "
        f"{versions_of_level(outcome.proposal.store.level)}, and rename what you recognise."
    )
    say(f"When done with the token: influx auth delete --id {plan.subject_id}")
