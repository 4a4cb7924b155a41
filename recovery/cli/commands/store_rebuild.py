"""The commands that make a new file of what is in a store.

Lives here: `store compact` and `store salvage`. Must not live here: how the files are made
(`recovery.services.stores.salvage`).
"""

from pathlib import Path
from typing import Final

from recovery.cli.context import Context
from recovery.cli.listing import plural
from recovery.cli.options import Command, Options
from recovery.cli.store import find_store
from recovery.cli.usage import UsageError, required
from recovery.cli.words import Parser
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode
from recovery.model.display import displayed
from recovery.ports import SystemClock, SystemRng
from recovery.services.stores.salvage import Prospect, compact, salvage

PAGE_SIZES = tuple(1 << exponent for exponent in range(9, 25))
"""512 bytes to 16 MiB, as the engine allows them."""
FIRST_PAGE = 2
"""The pages before it are the metas."""


class _Compact(Options, frozen=True):
    target: str | None


def _add_compact(command: Parser) -> None:
    command.add_argument("target", metavar="TARGET", nargs="?", help="the new file (required)")


def _compact(options: _Compact, context: Context) -> ExitCode:
    target = Path(required(options.target, "TARGET", "store compact")).absolute()
    found = find_store(options, context)
    facts, prospect = compact(found.path, target, clock=SystemClock(), rng=SystemRng())
    output = context.output
    if options.json:
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


COMPACT: Final = Command(
    description="Copy the content of the store into a new file that holds no freed page: it is "
    "smaller, and deleted records and tokens are gone from it. They are not gone from the old "
    "file, nor from the disk that it was on. The store itself is not changed; put the new file in "
    "its place with influxd stopped.",
    options=_Compact,
    run=_compact,
    add_options=_add_compact,
)


class _Salvage(Options, frozen=True):
    target: str | None
    use_older: bool
    page_size: int | None
    root_page: int | None


def _add_salvage(command: Parser) -> None:
    command.add_argument("target", metavar="TARGET", nargs="?", help="the new file (required)")
    command.add_argument(
        "--use-older",
        action="store_true",
        help="fill what is missing with what the older snapshot in the file has; deleted tokens "
        "and former passwords may come back by that (default: leave it missing)",
    )
    command.add_argument(
        "--page-size",
        type=int,
        metavar="BYTES",
        help="size of the pages (default: what the file says, or its pages show)",
    )
    command.add_argument(
        "--root-page",
        type=int,
        metavar="NUMBER",
        help="page that the content begins at (default: found by searching)",
    )


def _salvage(options: _Salvage, context: Context) -> ExitCode:
    target = Path(required(options.target, "TARGET", "store salvage")).absolute()
    _require_sensible(options.page_size, options.root_page)
    found = find_store(options, context)
    facts, prospect = salvage(
        found.path,
        target,
        page_size_bytes=options.page_size,
        root_pgid=options.root_page,
        use_older=options.use_older,
        clock=SystemClock(),
        rng=SystemRng(),
    )
    output = context.output
    if options.json:
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


SALVAGE: Final = Command(
    description="Read a damaged store page by page, trusting nothing in it, and write what belongs "
    "together into a new file. Says what was taken from where and what is missing, and whether "
    "influxd would start on the result. The damaged file is not changed. It cannot bring back what "
    "is on no page any more. Exit code 0 when nothing is known to be missing or doubtful, 1 when "
    "something is, 5 when no file could be made.",
    options=_Salvage,
    run=_salvage,
    add_options=_add_salvage,
)


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
