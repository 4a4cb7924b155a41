"""The commands that make a new file: compact, salvage, snapshot, revert, rebuild-freelist.

Lives here: what they say when they have done it. Must not live here: how it is done.
"""

from dataclasses import asdict

import bolt_store
from bolt_store import SalvageReport, SurgeryReport
from bolt_store.command.context import Context
from bolt_store.command.exit_code import CommandError, ExitCode
from bolt_store.command.output import shown


def compact_file(context: Context) -> ExitCode:
    """Run `compact`. Raises what `bolt_store` raises, as do all commands here."""
    arguments, output = context.arguments, context.output
    with context.open() as db, context.bar("compacting") as bar:
        before_bytes = db.file.size_bytes()
        report = bolt_store.compact(db, arguments.target, progress=bar)
    if arguments.json:
        output.document(
            {
                "file": arguments.file,
                "target": arguments.target,
                "size_bytes_before": before_bytes,
                "size_bytes_after": report.size_bytes,
                "bucket_count": report.bucket_count,
                "key_count": report.key_count,
                "txid": report.meta.txid,
            }
        )
        return ExitCode.DONE
    output.line(
        f"{shown(arguments.target)}: {report.size_bytes:,} bytes instead of {before_bytes:,}, "
        f"{report.bucket_count} buckets, {report.key_count} keys"
    )
    output.line(
        f"deleted content is still in {shown(arguments.file)}; remove it when nothing needs it"
    )
    return ExitCode.DONE


def take_snapshot(context: Context) -> ExitCode:
    """Run `snapshot`."""
    arguments, output = context.arguments, context.output
    with context.bar("copying") as bar:
        report = bolt_store.snapshot(
            arguments.file, arguments.target, attempt_count=arguments.attempts, progress=bar
        )
    if arguments.json:
        output.document(
            {
                "file": arguments.file,
                "target": arguments.target,
                "size_bytes": report.size_bytes,
                "txid": report.meta.txid,
                "attempt_count": report.attempt_count,
                "findings": [str(finding) for finding in report.findings],
            }
        )
        return ExitCode.DONE
    tries = "the first try" if report.attempt_count == 1 else f"try {report.attempt_count}"
    output.line(
        f"{shown(arguments.target)}: {report.size_bytes:,} bytes, all of transaction "
        f"{report.meta.txid}, by {tries}"
    )
    for finding in report.findings:
        output.line(f"{finding.severity.name}: {finding}")
    return ExitCode.DONE


def revert_file(context: Context) -> ExitCode:
    """Run `revert`."""
    with context.open() as db, context.bar("reverting") as bar:
        report = bolt_store.revert(db, context.arguments.target, progress=bar)
    return _show_surgery(context, report)


def rebuild_free_pages(context: Context) -> ExitCode:
    """Run `rebuild-freelist`."""
    with context.open() as db, context.bar("rebuilding") as bar:
        report = bolt_store.rebuild_freelist(db, context.arguments.target, progress=bar)
    return _show_surgery(context, report)


def _show_surgery(context: Context, report: SurgeryReport) -> ExitCode:
    arguments, output = context.arguments, context.output
    if arguments.json:
        metas = {"before": report.before._asdict(), "after": report.after._asdict()}
        document = {"file": arguments.file, "target": arguments.target, **asdict(report)}
        output.document(document | metas)
        return ExitCode.DONE
    before, after = report.before, report.after
    output.line(
        f"{shown(arguments.target)}: transaction {after.txid} with root page {after.root_pgid}, "
        f"after transaction {before.txid} with root page {before.root_pgid}"
    )
    counts = [
        "no readable freelist" if count is None else f"{count} free pages"
        for count in (report.free_page_count_before, report.free_page_count_after)
    ]
    output.line(f"free pages: {counts[0]} before, {counts[1]} now")
    output.line(f"{shown(arguments.file)} was not changed")
    return ExitCode.DONE


def salvage_file(context: Context) -> ExitCode:
    """Run `salvage`.

    Returns:
        `FINDINGS` when something is missing or uncertain.

    Raises:
        CommandError: Nothing was found.
    """
    arguments, output = context.arguments, context.output
    source = bolt_store.open_block_file(
        arguments.file, lock=not arguments.no_lock, timeout_s=arguments.lock_timeout
    )
    try:
        with context.bar("salvaging") as bar:
            report = bolt_store.salvage(
                source,
                arguments.target,
                page_size_bytes=arguments.page_size,
                root_pgid=arguments.root,
                use_older=arguments.use_older,
                progress=bar,
            )
    finally:
        source.close()
    if arguments.json:
        output.document(
            {"file": arguments.file, "target": arguments.target, **_salvage_json(report)}
        )
    else:
        for sentence in report.sentences():
            output.line(str(sentence))
    if not report.is_written:
        raise CommandError(
            f"no root page was found in {shown(arguments.file)}, so "
            f"{shown(arguments.target)} was not made; nothing was changed",
            exit_code=ExitCode.DAMAGED,
            hint="look for an older copy; bolt_store.stale_entries lists what single leaves hold",
        )
    return ExitCode.DONE if report.is_complete else ExitCode.FINDINGS


def _salvage_json(report: SalvageReport) -> dict[str, object]:
    return {
        **asdict(report),
        "method": str(report.method),
        "is_written": report.is_written,
        "is_complete": report.is_complete,
        "orphan_count": report.orphan_count,
    }
