"""The commands that make a new file of what is in a store.

Lives here: `store compact` and `store salvage`. Must not live here: how the files are made
(`recovery.services.stores.salvage`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec.structs import replace

from recovery.cli.context import Context
from recovery.cli.documents import StorePathDocument, shaped
from recovery.cli.hints import command_line
from recovery.cli.options import Command, Options
from recovery.cli.store import find_store, store_path_of
from recovery.cli.usage import UsageError, required
from recovery.cli.words import Parser
from recovery.discovery.search import FoundStore
from recovery.errors import ExitCode
from recovery.metastore.packed import is_packed
from recovery.model.display import displayed, plural, quoted
from recovery.model.recognition import RecordKind
from recovery.ports import SystemClock, SystemRng
from recovery.remedy import Input
from recovery.services.stores.salvage import (
    LeftAside,
    Prospect,
    SalvageFacts,
    compact,
    salvage,
)
from recovery.system_advice import SEE_COPIES, made_again

PAGE_SIZES = tuple(1 << exponent for exponent in range(9, 25))
"""512 bytes to 16 MiB, as the engine allows them."""
RECORDS_SHOWN_MAX = 20
SENTENCES_SHOWN_MAX = 10
"""Of losses of one kind; --json has all."""
FIRST_PAGE = 2
"""The pages before it are the metas."""


class _Compact(Options, frozen=True):
    target: str | None


def _add_compact(command: Parser) -> None:
    command.add_argument("target", metavar="TARGET", nargs="?", help="the new file (required)")


class NewFileVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What influxd would do with a new file; `Prospect` says what the fields are."""

    sentence: str
    finding_count: int | None


class CompactDocument(StorePathDocument, frozen=True, kw_only=True):
    """What --json prints of a packed copy; `CompactFacts` says what the fields are."""

    target_path: Path
    source_size_bytes: int
    size_bytes: int
    bucket_count: int
    key_count: int
    verdict: NewFileVerdict


def _compact(options: _Compact, context: Context) -> ExitCode:
    target = Path(required(options.target, "TARGET", "store compact")).absolute()
    found = find_store(options, context)
    output = context.output
    with output.waiting("packing the store into a new file"):
        facts, prospect = compact(found.path, target, clock=SystemClock(), rng=SystemRng())
    if options.json:
        output.document(
            shaped(
                facts,
                CompactDocument,
                store=store_path_of(found),
                target_path=target,
                verdict=shaped(prospect, NewFileVerdict),
            )
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
    _show_place("With influxd stopped", prospect, target, found, context)
    return ExitCode.DONE


COMPACT: Final = Command(
    description="Copy the content of the store into a new file that holds no freed page: it is "
    "smaller, and deleted records and tokens are gone from it. They are not gone from the old "
    "file, nor from the disk that it was on. The store itself is not changed; put the new file in "
    "its place with influxd stopped.",
    example="store compact /root/compact.bolt",
    options=_Compact,
    run=_compact,
    add_options=_add_compact,
    document=CompactDocument,
)


class _Salvage(Options, frozen=True):
    target: str | None
    use_older: bool
    put_back: list[str]
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
        "--put-back",
        metavar="WHAT",
        action="append",
        default=[],
        help="put records that were left aside into the new file too, with their index entries, "
        "and mend the rest as store repair does. WHAT is lost (those that may be lost), all (those "
        "too that were deleted or changed), or the ID of one; may be given several times (default: "
        "list them)",
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
        help="take the state that begins at this page; the other states are named with theirs "
        "(default: the state that has most of what the store held last)",
    )


class LeftAsideRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that is not in the new file; `LeftAside` says what the fields are."""

    kind: str
    id: str
    name: str
    page: int
    is_listed_free: bool
    is_in_other_state: bool

    @classmethod
    def of(cls, left: LeftAside) -> Self:
        """Show a record."""
        return cls(
            kind=left.record.kind.word,
            id=left.record.id,
            name=left.record.name,
            page=left.pgid,
            is_listed_free=left.is_free,
            is_in_other_state=left.is_in_other_state,
        )


class OtherState(msgspec.Struct, frozen=True, kw_only=True):
    """A state that was not taken; `Alternative` says what the fields are."""

    root_pgid: int
    txid: int | None
    bucket_count: int
    key_count: int
    lost_count: int


class SalvageDocument(StorePathDocument, frozen=True, kw_only=True):
    """What --json prints of a salvage; `SalvageFacts` says what the fields are."""

    target_path: Path | None
    is_complete: bool
    is_newest: bool
    method: str
    bucket_count: int
    key_count: int
    stale_key_count: int
    report: tuple[str, ...]
    record_counts: dict[str, int]
    missing_bolt_buckets: tuple[str, ...]
    left_aside: tuple[LeftAsideRecord, ...]
    put_back_counts: dict[str, int]
    put_back_notes: tuple[str, ...]
    alternatives: tuple[OtherState, ...]
    verdict: NewFileVerdict | None


def _salvage(options: _Salvage, context: Context) -> ExitCode:
    target = Path(required(options.target, "TARGET", "store salvage")).absolute()
    _require_sensible(options.page_size, options.root_page)
    found = find_store(options, context)
    output = context.output
    with output.waiting("reading page by page and writing what is whole"):
        facts, prospect = salvage(
            found.path,
            target,
            page_size_bytes=options.page_size,
            root_pgid=options.root_page,
            use_older=options.use_older,
            put_back=frozenset(options.put_back),
            clock=SystemClock(),
            rng=SystemRng(),
        )
    if options.json:
        output.document(
            shaped(
                facts,
                SalvageDocument,
                store=store_path_of(found),
                target_path=target if facts.is_written else None,
                report=tuple(map(str, facts.sentences)),
                record_counts=_by_word(facts.record_counts),
                put_back_counts=_by_word(facts.put_back_counts),
                missing_bolt_buckets=facts.missing_names,
                left_aside=tuple(LeftAsideRecord.of(one) for one in facts.left_aside),
                verdict=None if prospect is None else shaped(prospect, NewFileVerdict),
            )
        )
    else:
        output.prose(f"Store: {displayed(str(found.named_path))} ({found.reason})")
        for sentence in _shown(facts):
            output.prose(f"  - {sentence}")
        again = _Again(target, options, found)
        _show_left_aside(facts, again, context)
        _show_alternatives(facts, again, context)
        if prospect is not None:
            if facts.put_back_counts:
                output.prose(f"Put back: {_counts_text(facts.put_back_counts)}")
            for note in facts.put_back_notes:
                output.prose(f"  - {note}")
            counts = _counts_text(facts.record_counts)
            output.prose(f"New file: {displayed(str(target))}, with {counts}")
            output.prose(_prospect_text(prospect))
            for sentence, commands in _what_next(facts, prospect):
                output.prose(sentence)
                for command in commands:
                    output.line(f"  influx-recovery {command} --bolt-path {quoted(str(target))}")
            first = "When all is as it should be, and the damaged file is kept elsewhere"
            _show_place(first, prospect, target, found, context)
    if not facts.is_written:
        output.error(
            "no file was made, because nothing that belongs together was found; nothing was "
            "changed, nothing was created",
            _without_it(found.named_path),
        )
        return ExitCode.DAMAGED
    return ExitCode.DONE if facts.is_complete else ExitCode.FINDINGS


SALVAGE: Final = Command(
    description="Read a damaged store page by page, trusting nothing in it, and write what belongs "
    "together into a new file. Says what was taken from where and what is missing, and whether "
    "influxd would start on the result. The damaged file is not changed. It cannot bring back what "
    "is on no page any more. Exit code 0 when nothing that the file still has is left out, 1 when "
    "something is missing or doubtful, 5 when no file could be made.",
    example="store salvage /root/salvaged.bolt",
    options=_Salvage,
    run=_salvage,
    add_options=_add_salvage,
    document=SalvageDocument,
)


def _shown(facts: SalvageFacts) -> Iterator[str]:
    """Give the sentences of a report, of losses of one kind the first ten."""
    counts = Counter(one.code for one in facts.sentences)
    seen: Counter[str | None] = Counter()
    for one in facts.sentences:
        seen[one.code] += 1
        if one.code is None or seen[one.code] <= SENTENCES_SHOWN_MAX:
            yield str(one)
        elif seen[one.code] == counts[one.code]:
            hidden = counts[one.code] - SENTENCES_SHOWN_MAX
            yield f"and {hidden} more of this kind, which --json has [{one.code}]"


def _by_word(counts: Mapping[RecordKind, int]) -> dict[str, int]:
    return {kind.word: count for kind, count in counts.items()}


def _counts_text(counts: Mapping[RecordKind, int]) -> str:
    *some, last = [plural(count, kind.word) for kind, count in counts.items()]
    return f"{', '.join(some)} and {last}" if some else last


class _Again:
    """The same command with one thing more, into a file of its own."""

    def __init__(self, target: Path, options: _Salvage, found: FoundStore) -> None:
        self._target = target
        self._options = options
        self._path = found.named_path

    def line(self, option: str, value: str) -> str:
        """Word it, as it can be typed."""
        options = self._options
        words = [f"{self._target}.{option.removeprefix('--')}-{value}", option, value]
        if options.page_size is not None:
            words += ["--page-size", str(options.page_size)]
        if options.root_page is not None and option != "--root-page":
            words += ["--root-page", str(options.root_page)]
        if options.use_older and option != "--root-page":
            words += ["--use-older"]
        words += ["--bolt-path", str(self._path)]
        return f"  influx-recovery store salvage {' '.join(map(quoted, words))}"


def _show_left_aside(facts: SalvageFacts, again: _Again, context: Context) -> None:
    """List the records that are not in the new file, those that may be current first."""
    if not facts.left_aside:
        return
    context.output.prose(
        f"Left aside, because nothing tells that they are current: "
        f"{plural(len(facts.left_aside), 'record')}"
    )
    for left in facts.left_aside[:RECORDS_SHOWN_MAX]:
        record = left.record
        name = f" {displayed(record.name)}" if record.name else ""
        state = "deleted or changed since" if left.is_free else "maybe lost"
        if left.is_in_other_state:
            state = "only in another state"
        where = f"page {left.pgid}, {state}"
        context.output.prose(f"  - {record.kind.word} {record.id}{name} ({where})")
    if len(facts.left_aside) > RECORDS_SHOWN_MAX:
        more = len(facts.left_aside) - RECORDS_SHOWN_MAX
        context.output.prose(f"  - and {more} more; --json lists all")
    lost = sum(left.may_be_lost for left in facts.left_aside)
    if lost:
        context.output.prose(f"To put back {plural(lost, 'record')} that may be lost:")
        context.output.line(again.line("--put-back", "lost"))
    if lost < len(facts.left_aside):
        known = next(left for left in facts.left_aside if not left.may_be_lost)
        context.output.prose("To put back one that was deleted or changed, by its ID, as in:")
        context.output.line(again.line("--put-back", known.record.id))


def _show_alternatives(facts: SalvageFacts, again: _Again, context: Context) -> None:
    """Name the other states of the file, each with the command that takes it."""
    for other in facts.alternatives:
        of = "no known transaction" if other.txid is None else f"transaction {other.txid}"
        loss = f", with {plural(other.lost_count, 'lost part')}" if other.lost_count else ""
        context.output.prose(
            f"Another state ({of}): {plural(other.bucket_count, 'bolt bucket')} and "
            f"{plural(other.key_count, 'key')}{loss}. To take it, with what was deleted or "
            "changed since:"
        )
        context.output.line(again.line("--root-page", str(other.root_pgid)))


def _what_next(facts: SalvageFacts, prospect: Prospect) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Say what to look at and what is missing for a way in, with commands without the file."""
    if prospect.is_foreign:
        return
    if not facts.is_newest or facts.stale_key_count or facts.put_back_counts:
        yield (
            (
                "Tokens and users that were deleted, and passwords that were changed, may be back "
                "in it. Look before influxd is started on it:"
            ),
            ("auth list", "user list"),
        )
    if prospect.is_refused and not prospect.is_ready:
        yield (
            (
                "Its list of migrations is not whole, so nothing here can change it, and influxd "
                "does not start on it: take another state of the file, or a backup. To see what is "
                "wrong:"
            ),
            ("store check", "store backups"),
        )
        return
    if prospect.is_refused:
        # Seen with v2.9.1 where all, the first ten, or the last eleven were lost.
        yield (
            (
                "Its list of migrations is not whole, so nothing here can change it yet. influxd "
                "makes the list, and bolt buckets that are missing, when it starts: start it once "
                "where nobody else reaches it, and stop it. Then:"
            ),
            ("store check",),
        )
        return
    if prospect.finding_count:
        yield "To see what is wrong with it, and what mends that:", ("store check",)
    if facts.missing_names:
        names = ", ".join(facts.missing_names)
        yield (
            (
                f"It lacks {plural(len(facts.missing_names), 'bolt bucket')}: {names}. To make "
                "them, empty:"
            ),
            ("store repair",),
        )
    if not facts.record_counts[RecordKind.ORGANIZATION]:
        yield (
            (
                "No organization is left, so influxd would let anybody who reaches it set it up. "
                "To make one:"
            ),
            ("org create --org NAME",),
        )
    if not facts.record_counts[RecordKind.USER]:
        yield (
            "No user is left. Make one, then a token:",
            (
                "user create --username NAME --owner-of ORG",
                "auth create-operator --username NAME --org ORG",
            ),
        )


def _without_it(path: Path) -> str:
    """Say what is left to do without anything of the store."""
    copies = replace(SEE_COPIES, values={Input.STORE: str(path)})
    ways = (
        f"type {command_line(way.operation, way.values)} {way.purpose}"
        for way in (copies, *made_again(path))
    )
    return f"{', or '.join(ways)}, or look for one that store find names"


def _show_place(
    first: str, prospect: Prospect, target: Path, found: FoundStore, context: Context
) -> None:
    """Say how a new file comes into use where influxd starts on it, `first` being done before."""
    if not prospect.is_ready or found.is_backup or is_packed(found.path):
        return
    context.output.prose(
        f"{first}, copy the new file over the old one, which keeps its owner and mode, and start "
        "influxd:"
    )
    context.output.line(f"  cp {quoted(str(target))} {quoted(str(found.named_path))}")


def _require_sensible(page_size: int | None, root_page: int | None) -> None:
    """Refuse numbers that no bolt file can have; raise `UsageError`."""
    hint = "type influx-recovery store salvage --help"
    if page_size is not None and page_size not in PAGE_SIZES:
        raise UsageError(problem=f"no bolt file has pages of {page_size} bytes", hint=hint)
    if root_page is not None and not FIRST_PAGE <= root_page < 1 << 64:
        raise UsageError(problem=f"no content can begin at page {root_page}", hint=hint)


def _prospect_text(prospect: Prospect) -> str:
    if prospect.finding_count is None:
        return f"Verdict: {prospect.sentence}"
    count = prospect.finding_count
    found = plural(count, "finding") if count else "nothing wrong"
    return f"Verdict: {prospect.sentence}; store check says: {found}"
