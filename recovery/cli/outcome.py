"""What is said when a change is over.

Lives here: the last words of every command that changes a store. Must not live here: the plan,
which was shown before (`recovery.cli.audience`).
"""

from collections.abc import Iterator

from recovery.cli.context import Context
from recovery.cli.options import Change
from recovery.cli.store import store_document
from recovery.discovery.search import FoundStore
from recovery.model.display import displayed
from recovery.services.changes.plan import Outcome


def show_outcome(
    outcome: Outcome,
    found: FoundStore,
    options: Change,
    context: Context,
    *,
    is_stdout_taken: bool,
) -> None:
    """Say how a change ended: as JSON, or to a person.

    Args:
        outcome: How it ended.
        found: The store as it was found.
        options: The options of the command.
        context: Where to say it.
        is_stdout_taken: Whether the token is on stdout, where nothing else may be then.
    """
    output = context.output
    for warning in outcome.warnings:
        output.message(f"warning: {warning}")
    if options.json:
        output.document(_document(outcome, found, is_dry_run=options.dry_run))
        return
    say = output.message if is_stdout_taken else output.prose
    for line in _lines(outcome, is_dry_run=options.dry_run):
        say(line)


def _lines(outcome: Outcome, *, is_dry_run: bool) -> Iterator[str]:
    proposal = outcome.proposal
    if is_dry_run:
        yield "Dry run: nothing was written. Leave out --dry-run to do it."
        return
    if not outcome.is_changed:
        # A repair that has nothing to do may leave a lot.
        is_left = bool(proposal.plan.facts.get("left"))
        reason = "There is nothing to mend" if is_left else "The store is already as wanted"
        yield f"{reason}: nothing was written."
        return
    target = displayed(str(proposal.target_path))
    if outcome.backup_path is None:
        yield f"Done: {target} was made and verified; the store itself is as it was."
        return
    yield f"Done: {target} was changed, opened again and verified."
    yield f"Backup: {displayed(str(outcome.backup_path))}"
    if proposal.plan.stops is None:
        yield "Next: start influxd. The backup has all secrets of the store: delete it when done."
    else:
        yield f"Next: {displayed(proposal.plan.stops)}."
        yield "The backup has all secrets of the store: delete it when done."
    if proposal.plan.secret is not None:
        yield f"When done with the token: influx auth delete --id {proposal.plan.subject_id}"


def _document(outcome: Outcome, found: FoundStore, *, is_dry_run: bool) -> dict[str, object]:
    proposal = outcome.proposal
    return {
        **store_document(found, proposal.store),
        "operation": proposal.plan.operation,
        "is_dry_run": is_dry_run,
        "is_changed": outcome.is_changed,
        "target_path": str(proposal.target_path),
        "backup_path": None if outcome.backup_path is None else str(outcome.backup_path),
        "record_ids": list(proposal.plan.record_ids),
        "plan": dict(proposal.plan.facts),
        "warnings": [*proposal.plan.warnings, *outcome.warnings],
    }
