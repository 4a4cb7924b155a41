"""The commands that make a new file of what is in a store.

Lives here: `store compact` and `store salvage`. Must not live here: how the files are made
(`recovery.services.stores.salvage`).
"""

import argparse
from pathlib import Path

from recovery.cli.context import Context
from recovery.cli.listing import plural
from recovery.cli.store import find_store
from recovery.cli.usage import UsageError, required
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.ports import SystemClock, SystemRng
from recovery.services.stores.salvage import Prospect, compact, salvage

PAGE_SIZES = tuple(1 << exponent for exponent in range(9, 25))
"""512 bytes to 16 MiB, as the engine allows them."""
FIRST_PAGE = 2
"""The pages before it are the metas."""


def run_compact(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Copy the store into a new, packed file.

    Args:
        arguments: The options of `store compact`.
        context: The world around it.

    Returns:
        How it ended.

    Raises:
        UsageError: The new file is not named.
        RecoveryError: It could not be made; nothing is left of it.
    """
    target = Path(required(arguments.target, "TARGET", "store compact")).absolute()
    found = find_store(arguments, context)
    facts, prospect = compact(found.path, target, clock=SystemClock(), rng=SystemRng())
    output = context.output
    if arguments.json:
        output.document(
            {
                **_store_document(found),
                "target_path": str(target),
                "source_size_bytes": facts.source_size_bytes,
                "size_bytes": facts.size_bytes,
                "bucket_count": facts.bucket_count,
                "key_count": facts.key_count,
                "verdict": _prospect_document(prospect),
            }
        )
        return ExitCode.DONE
    output.prose(f"Store: {displayed(str(found.named_path))} ({found.reason})")
    output.prose(
        f"New file: {displayed(str(target))}, {facts.size_bytes:,} bytes instead of "
        f"{facts.source_size_bytes:,}, with {plural(facts.key_count, 'key')} in "
        f"{plural(facts.bucket_count, 'bolt bucket')}"
    )
    output.prose(_prospect_text(prospect))
    output.prose("The store is as it was, and still has what was deleted.")
    return ExitCode.DONE


def run_salvage(arguments: argparse.Namespace, context: Context) -> ExitCode:
    """Get out of a damaged store what can be read.

    Args:
        arguments: The options of `store salvage`.
        context: The world around it.

    Returns:
        `DONE` when nothing is known to be missing, `FINDINGS` when something is, `DAMAGED` when
        there was nothing to be got.

    Raises:
        UsageError: The new file is not named.
        RecoveryError: It could not be made; nothing is left of it.
    """
    target = Path(required(arguments.target, "TARGET", "store salvage")).absolute()
    _require_sensible(arguments.page_size, arguments.root_page)
    found = find_store(arguments, context)
    facts, prospect = salvage(
        found.path,
        target,
        page_size_bytes=arguments.page_size,
        root_pgid=arguments.root_page,
        use_older=arguments.use_older,
        clock=SystemClock(),
        rng=SystemRng(),
    )
    output = context.output
    if arguments.json:
        output.document(
            {
                **_store_document(found),
                "target_path": str(target) if facts.is_written else None,
                "is_complete": facts.is_complete,
                "method": facts.method,
                "bucket_count": facts.bucket_count,
                "key_count": facts.key_count,
                "stale_key_count": facts.stale_key_count,
                "report": list(facts.sentences),
                "verdict": None if prospect is None else _prospect_document(prospect),
            }
        )
    else:
        output.prose(f"Store: {displayed(str(found.named_path))} ({found.reason})")
        for sentence in facts.sentences:
            output.prose(f"  - {sentence}")
        if prospect is not None:
            output.prose(f"New file: {displayed(str(target))}")
            output.prose(_prospect_text(prospect))
    if not facts.is_written:
        return ExitCode.DAMAGED
    return ExitCode.DONE if facts.is_complete else ExitCode.FINDINGS


def _require_sensible(page_size: int | None, root_page: int | None) -> None:
    """Refuse numbers that no bolt file can have.

    Raises:
        UsageError: One of them is such a number.
    """
    hint = "type influx-recovery store salvage --help"
    if page_size is not None and page_size not in PAGE_SIZES:
        raise UsageError(problem=f"no bolt file has pages of {page_size} bytes", hint=hint)
    if root_page is not None and not FIRST_PAGE <= root_page < 1 << 64:
        raise UsageError(problem=f"no content can begin at page {root_page}", hint=hint)


def _store_document(found: FoundStore) -> dict[str, object]:
    store = {"path": str(found.named_path), "real_path": str(found.path), "reason": found.reason}
    return {"store": store}


def _prospect_text(prospect: Prospect) -> str:
    if prospect.finding_count is None:
        return f"Verdict: {prospect.sentence}"
    return f"Verdict: {prospect.sentence}; store check has {_findings(prospect.finding_count)}"


def _findings(count: int) -> str:
    return "no finding" if not count else plural(count, "finding")


def _prospect_document(prospect: Prospect) -> dict[str, object]:
    return {"sentence": prospect.sentence, "finding_count": prospect.finding_count}
