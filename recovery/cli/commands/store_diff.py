"""The command that compares two stores.

Lives here: `store diff`, and the words for what is different. Must not live here: the comparison
(`recovery.services.stores.diff`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from recovery.cli.context import Context
from recovery.cli.documents import Document, shaped
from recovery.cli.options import Command, Reading
from recovery.cli.store import absolute, read_session
from recovery.cli.usage import UsageError, required
from recovery.cli.words import Parser
from recovery.discovery.host import Host
from recovery.discovery.search import discover
from recovery.errors import ExitCode
from recovery.model.display import displayed, plural
from recovery.services.store_facts import StoreFacts
from recovery.services.stores.diff import BucketCount, Change, compare_stores

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


class _Diff(Reading, frozen=True):
    before: str | None
    after: str | None


def _add_diff(command: Parser) -> None:
    command.add_argument("before", metavar="A", nargs="?", help="the first store (required)")
    command.add_argument("after", metavar="B", nargs="?", help="the second store (required)")


class DiffSide(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two stores."""

    path: Path
    real_path: Path
    size_bytes: int
    txid: int
    level: int


class DiffDocument(Document, frozen=True, kw_only=True):
    """What --json prints; `Comparison` says what the fields are."""

    before: DiffSide
    after: DiffSide
    is_same: bool
    changes: tuple[Change, ...]
    counts: tuple[BucketCount, ...]


def _diff(options: _Diff, context: Context) -> ExitCode:
    if options.bolt_path is not None:
        raise UsageError(
            problem="store diff takes two stores as its words, and no --bolt-path",
            hint="type influx-recovery store diff A B",
        )
    host = Host.here(context.environ)
    paths = [
        required(value, name, "store diff")
        for value, name in ((options.before, "A"), (options.after, "B"))
    ]
    sides = [(discover(host, bolt_path=one), replace(options, bolt_path=one)) for one in paths]
    with (
        read_session(*sides[0], context.output) as before,
        read_session(*sides[1], context.output) as after,
        context.output.waiting("comparing the stores"),
    ):
        found = compare_stores(before, after)
    output = context.output
    if options.json:
        output.document(
            shaped(
                found,
                DiffDocument,
                before=shaped(found.before, DiffSide, path=absolute(found.before.path)),
                after=shaped(found.after, DiffSide, path=absolute(found.after.path)),
            )
        )
    else:
        output.prose(f"A: {_facts(found.before)}")
        output.prose(f"B: {_facts(found.after)}")
        output.line()
        for line in change_lines(found.changes, found.counts):
            output.prose(line)
        output.line()
        output.prose(_summary(found.changes, is_same=found.is_same))
    return ExitCode.DONE if found.is_same else ExitCode.FINDINGS


DIFF: Final = Command(
    description="Compare two stores, such as a backup and the store itself: records that were "
    "added, removed or changed, by name. Of tokens and passwords it only says that they differ, "
    "and of indexes it only counts. Neither is changed. Exit code 0 when both have the same "
    "content, 1 when they differ.",
    example="store diff /root/today.bolt /var/lib/influxdb/influxd.bolt",
    options=_Diff,
    run=_diff,
    add_options=_add_diff,
    document=DiffDocument,
)


def change_lines(changes: Sequence[Change], counts: Sequence[BucketCount]) -> Iterator[str]:
    """Say what is different, for a person.

    Args:
        counts: Buckets that are only counted.

    Yields:
        Lines, escaped.
    """
    for change in changes:
        name = f' "{displayed(change.name)}"' if change.name else ""
        which = f" ({change.id})" if change.id else ""
        details = f": {'; '.join(map(displayed, change.details))}" if change.details else ""
        yield f"{_SIGNS[change.action]} {change.kind}{name}{which}{details}"
    for count in counts:
        parts = [
            f"{number} {word}"
            for number, word in (
                (count.added, "added"),
                (count.removed, "removed"),
                (count.changed, "changed"),
            )
            if number
        ]
        yield f"~ bolt bucket {displayed(count.bucket)}: {', '.join(parts)}"


def _facts(facts: StoreFacts) -> str:
    return f"{displayed(str(facts.path))}, transaction {facts.txid}, schema level {facts.level}"


def _summary(changes: Sequence[Change], *, is_same: bool) -> str:
    if is_same:
        return "Both have the same content."
    return f"{plural(len(changes), 'record')} differ{'s' if len(changes) == 1 else ''}."
