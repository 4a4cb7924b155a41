"""What is said when a change is over.

Lives here: the last words of every command that changes a store. Must not live here: the plan,
which was shown before (`recovery.cli.audience`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

from recovery.cli.context import Context
from recovery.cli.deliver import StdoutDestination, path_of
from recovery.cli.documents import Document, Store, shaped
from recovery.cli.hints import command_line, named_with
from recovery.cli.options import Change, Options
from recovery.cli.output import ID_AND_NAME
from recovery.cli.store import NAMED_BY, absolute, store_of
from recovery.cli.vocabulary import PROGRAM
from recovery.discovery.candidate import STORE_NAME
from recovery.discovery.search import FoundStore
from recovery.model.display import displayed, quoted
from recovery.remedy import Run
from recovery.services.changes.facts import PlanFacts
from recovery.services.changes.plan import Outcome, Stop
from recovery.services.changes.ports import TokenDestination

REPAIR: Final = "store repair"
NAMED_IN_ITS_TABLE: Final[Mapping[str, Literal["user", "organization"]]] = {
    "org create": "organization", "user create": "user", "user update": "user"
}  # fmt: skip
"""Where plans have the name that `influxd recovery` prints behind the ID after these commands."""
RECORDS_NAMED: Final = 4
"""IDs that a sentence holds; --json has all."""


class NewFileDocument(Document, frozen=True, kw_only=True):
    """What --json prints after a change that makes a store of its own.

    Attributes:
        is_dry_run: Whether it stopped after the plan.
        target_path: The file that was made or changed, or would have been.
        backup_path: The backup; None when there is none.
        token_path: The new file with the token; None when it went elsewhere, or there is none.
        record_ids: Records that were made, changed or removed.
        warnings: What a person should know.
    """

    operation: str
    is_dry_run: bool
    target_path: Path
    backup_path: Path | None
    token_path: Path | None
    record_ids: tuple[str, ...]
    plan: PlanFacts
    warnings: tuple[str, ...]


class ChangeDocument(NewFileDocument, frozen=True, kw_only=True):
    """What --json prints after a change of a store.

    Attributes:
        is_needed: Whether there was anything to do; False where all was as wanted.
    """

    is_needed: bool
    store: Store


def outcome_fields(
    outcome: Outcome, *, is_dry_run: bool, destination: TokenDestination | None
) -> dict[str, object]:
    """Take what documents say of how a change ended, as fields of a `NewFileDocument`."""
    plan = outcome.proposal.plan
    return {
        "operation": plan.operation,
        "is_dry_run": is_dry_run,
        "is_needed": plan.is_needed,
        "is_changed": outcome.is_changed,
        "target_path": absolute(outcome.proposal.target_path),
        "backup_path": outcome.backup_path,
        "token_path": path_of(destination) if outcome.is_changed else None,
        "record_ids": plan.record_ids,
        "plan": plan.facts,
        "warnings": (*plan.warnings, *outcome.warnings),
    }


def show_outcome(
    outcome: Outcome,
    found: FoundStore,
    options: Change,
    context: Context,
    *,
    destination: TokenDestination | None,
) -> None:
    """Say how a change ended: as JSON, or to a person.

    Args:
        destination: Where the token went; nothing else may be on stdout when it went there.
    """
    output = context.output
    for warning in outcome.warnings:
        output.message(f"warning: {warning}")
    if options.json:
        output.document(
            shaped(
                outcome,
                ChangeDocument,
                store=store_of(found, outcome.proposal.store),
                **outcome_fields(outcome, is_dry_run=options.dry_run, destination=destination),
            )
        )
        return
    plan = outcome.proposal.plan
    subject = NAMED_IN_ITS_TABLE.get(plan.operation) if output.is_drop_in else None
    is_aside = subject is not None or isinstance(destination, StdoutDestination)
    say = output.message if is_aside else output.prose
    for line in _lines(outcome, found, options):
        say(line)
    if outcome.is_changed:
        if plan.secret is not None:
            for line in token_place(destination):
                say(line)
        for way in plan.afterwards:
            say(_afterwards(way, options))
    if subject is not None and not options.dry_run:
        output.drop_in(ID_AND_NAME, [(plan.record_ids[0], displayed(str(plan.facts[subject])))])


def token_place(destination: TokenDestination | None) -> Iterator[str]:
    """Say in which file a new token is; nothing where it was shown otherwise."""
    place = path_of(destination)
    if place is not None:
        yield f"Token: in {displayed(str(place))}, readable for its owner alone"


def start_line(found: FoundStore) -> str:
    """Say how a store comes into use on which influxd starts.

    What a server finds by itself has its name, and the engine or the SQLite file beside it.
    """
    files = (found.files.engine_path, found.files.sqlite_path)
    is_usual = found.named_path.name == STORE_NAME and any(one and one.exists() for one in files)
    if is_usual or found.reason != NAMED_BY:
        return "Next: start influxd."
    path = quoted(str(absolute(found.named_path)))
    return (
        f"Next: start influxd, if it opens this file; if not, give it --bolt-path {path}, or copy "
        f"this file over its store ({PROGRAM} store find to see where that is)."
    )


def _lines(outcome: Outcome, found: FoundStore, options: Change) -> Iterator[str]:
    proposal = outcome.proposal
    if options.dry_run and proposal.plan.is_needed:
        yield "Dry run: nothing was written. Leave out --dry-run to do it."
        return
    if not outcome.is_changed:
        # A repair that has nothing to do may leave a lot.
        is_repair = proposal.plan.operation == REPAIR
        reason = "There is nothing to mend" if is_repair else "The store is already as wanted"
        yield f"{reason}: nothing was written."
        if is_repair and proposal.plan.stops is not None:
            yield from not_yet(proposal.plan.stops, options)
        return
    target = displayed(str(proposal.target_path))
    if outcome.backup_path is None:
        records = proposal.plan.record_ids
        about = f", with {', '.join(records)}" if 0 < len(records) <= RECORDS_NAMED else ""
        yield f"Done: {target} was made and verified{about}; the store itself is as it was."
        return
    yield f"Done: {target} was changed, opened again and verified."
    yield f"Backup: {displayed(str(outcome.backup_path))}"
    of_backup = "The backup has all secrets of the store: delete it when done."
    if proposal.plan.stops is None:
        yield f"{start_line(found)} {of_backup}"
    else:
        yield from not_yet(proposal.plan.stops, options)
        yield of_backup
    if proposal.plan.secret is not None and not proposal.plan.afterwards:
        yield f"When done with the token: influx auth delete --id {proposal.plan.subject_id}"


def not_yet(stop: Stop, options: Options) -> Iterator[str]:
    """Say that influxd will not start on what was made, and what to type about it."""
    yield f"Do not start influxd yet: {displayed(stop.sentence)}."
    named = named_with(options.bolt_path, options.ledger)
    yield f"Next: {command_line(stop.way.operation, {**named, **stop.way.values})}"


def _afterwards(way: str | Run, options: Change) -> str:
    """Say what remains to be done, as it can be typed."""
    if isinstance(way, str):
        return way
    named = named_with(options.output or options.bolt_path, options.ledger)
    line = command_line(way.operation, {**named, **way.values})
    return f"{way.purpose[:1].upper()}{way.purpose[1:]}: {line}"
