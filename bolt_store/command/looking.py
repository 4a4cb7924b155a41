"""The commands that only look: check, info, pages, page, dump.

Lives here: what they show, as text and as JSON. Must not live here: how it is found out.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

import bolt_store
from bolt_store import Finding, Meta, PageElement, PageInfo, Severity
from bolt_store.command.context import Context
from bolt_store.command.exit_code import ExitCode
from bolt_store.command.output import shown
from bolt_store.command.redaction import Redaction
from bolt_store.errors import FormatError

INDENT: Final = "  "
INDENT_COUNT_MAX: Final = 20
"""Deeper buckets are not indented further, or a line would be mostly space."""


def check(context: Context) -> ExitCode:
    """Run `check`. Raises what `bolt_store` raises, as do all commands here."""
    arguments, output = context.arguments, context.output
    counts = dict.fromkeys(Severity, 0)
    with context.open() as db, context.bar("checking") as bar:
        findings = _counted(db.check(bar), counts)
        if arguments.json:
            output.stream({"file": arguments.file}, "findings", map(_finding_json, findings))
        else:
            for finding in findings:
                if not arguments.quiet:
                    bar.erase()
                    output.line(f"{finding.severity.name}: {finding}")
    damage_count = sum(counts.values()) - counts[Severity.INFO]
    if not arguments.json:
        output.line(_verdict(arguments.file, counts))
    return ExitCode.FINDINGS if damage_count else ExitCode.DONE


def _counted(findings: Iterator[Finding], counts: dict[Severity, int]) -> Iterator[Finding]:
    for finding in findings:
        counts[finding.severity] += 1
        yield finding


def _verdict(path: str, counts: dict[Severity, int]) -> str:
    told = [f"{count} {severity.name}" for severity, count in counts.items() if count]
    worst = max((severity for severity, count in counts.items() if count), default=Severity.INFO)
    verdict = {
        Severity.INFO: "sound",
        Severity.WARNING: "readable and safe to write, but something has happened to it",
        Severity.UNSAFE: "readable, not safe to write",
        Severity.FATAL: "damaged: some of it cannot be read or trusted",
    }[worst]
    details = f" ({', '.join(told)})" if told else ""
    return f"{shown(path)} is {verdict}{details}"


def _finding_json(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "severity": finding.severity.name,
        "pgid": finding.pgid,
        "path": list(finding.path),
        "problem": finding.problem,
    }


def info(context: Context) -> ExitCode:
    """Run `info`."""
    arguments = context.arguments
    redaction = Redaction(keys=arguments.show_keys, values=False)
    with context.open() as db:
        problem, stats = None, None
        try:
            stats = bolt_store.db_stats(db)
        except FormatError as error:
            problem = str(error)
        content: dict[str, object] = {
            "file": arguments.file,
            "size_bytes": db.file.size_bytes(),
            "metas": [_meta_slot_json(db, slot) for slot in (0, 1)],
            "stats": None if stats is None else asdict(stats),
            "problem": problem,
        }
        buckets = bolt_store.bucket_tree(db) if arguments.buckets and stats else iter(())
        if arguments.json:
            context.output.stream(
                content, "buckets", (_bucket_json(bucket, redaction) for bucket in buckets)
            )
        else:
            for line in _info_lines(content, stats):
                context.output.line(line)
            for bucket in buckets:
                context.output.line(_bucket_line(bucket, redaction))
    return ExitCode.DONE if problem is None else ExitCode.FINDINGS


def _meta_slot_json(db: bolt_store.DB, number: int) -> dict[str, object]:
    slot = db.pager.slots[number]
    return {
        "slot": number,
        "counts": slot is db.pager.active,
        "problem": None if slot.problem is None else str(slot.problem),
        "meta": None if slot.meta is None else _meta_json(slot.meta),
    }


def _meta_json(meta: Meta) -> dict[str, object]:
    return meta._asdict()


def _info_lines(content: dict[str, object], stats: bolt_store.DBStats | None) -> Iterator[str]:
    yield f"file: {shown(content['file'])}, {content['size_bytes']:,} bytes"
    metas = content["metas"]
    if isinstance(metas, list):
        yield from map(_meta_line, metas)
    if stats is None:
        yield f"trees: damaged: {content['problem']}"
        return
    yield (
        f"pages: {stats.page_count} of {stats.page_size_bytes} bytes, "
        f"{stats.free_page_count} free, {stats.unreachable_page_count} unreachable, "
        f"{stats.freelist_page_count} for the freelist"
    )
    for name, tree in (("root bucket", stats.root), ("other buckets", stats.buckets)):
        yield (
            f"{name}: {tree.leaf_page_count} leaf pages (+{tree.leaf_overflow_count} overflow), "
            f"{tree.branch_page_count} branch pages (+{tree.branch_overflow_count}), depth "
            f"{tree.depth}, {tree.element_count} elements"
        )
    values = stats.buckets.element_count - stats.buckets.nested_count
    yield f"buckets: {stats.bucket_count}, {stats.inline_bucket_count} of them inline"
    yield f"keys with values: {values}"


def _meta_line(slot: dict[str, object]) -> str:
    head = f"meta {slot['slot']}{' (counts)' if slot['counts'] else ''}: "
    meta = slot["meta"]
    if not isinstance(meta, dict):
        return f"{head}{slot['problem']}"
    freelist = "not stored" if meta["freelist_pgid"] is None else f"page {meta['freelist_pgid']}"
    problem = f"; {slot['problem']}" if slot["problem"] else ""
    return (
        f"{head}txid {meta['txid']}, root page {meta['root_pgid']}, freelist {freelist}, "
        f"high water mark {meta['high_water_mark']}, page size {meta['page_size_bytes']}{problem}"
    )


def _bucket_json(bucket: bolt_store.BucketInfo, redaction: Redaction) -> dict[str, object]:
    return {
        "name": redaction.key_json(bucket.name) if bucket.nesting_depth else None,
        "nesting_depth": bucket.nesting_depth,
        "sequence": bucket.sequence,
        "root_pgid": bucket.root_pgid,
        "is_inline": bucket.is_inline,
        "stats": asdict(bucket.stats),
    }


def _bucket_line(bucket: bolt_store.BucketInfo, redaction: Redaction) -> str:
    stats = bucket.stats
    name = redaction.key(bucket.name) if bucket.nesting_depth else "(root)"
    place = "inline" if bucket.is_inline else f"root page {bucket.root_pgid}"
    return (
        f"{_indent(bucket.nesting_depth)}bucket {name}: {place}, sequence {bucket.sequence}, "
        f"{stats.element_count} elements, depth {stats.depth}"
    )


def pages(context: Context) -> ExitCode:
    """Run `pages`."""
    arguments, output = context.arguments, context.output
    with context.open() as db:
        infos = bolt_store.page_infos(db)
        if arguments.json:
            output.stream({"file": arguments.file}, "pages", map(_page_info_json, infos))
        else:
            output.line(f"{'ID':>10} {'TYPE':<8} {'ITEMS':>7} {'OVERFLOW':>8} STATE")
            for one in infos:
                output.line(
                    f"{one.pgid:>10} {one.kind:<8} {one.element_count:>7} {one.overflow:>8} "
                    f"{one.state}"
                )
    return ExitCode.DONE


def _page_info_json(one: PageInfo) -> dict[str, object]:
    return {**asdict(one), "state": str(one.state)}


def page(context: Context) -> ExitCode:
    """Run `page`."""
    arguments, output = context.arguments, context.output
    redaction = Redaction(keys=arguments.show_keys, values=arguments.show_values)
    with context.open() as db:
        found = bolt_store.describe_page(db, arguments.pgid)
    head = {
        "pgid": found.pgid,
        "stored_pgid": found.stored_pgid,
        "kind": found.kind,
        "flags": found.flags,
        "element_count": found.element_count,
        "overflow": found.overflow,
        "problem": found.problem,
        "meta": None if found.meta is None else _meta_json(found.meta),
    }
    if arguments.json:
        elements = (_element_json(element, found.kind, redaction) for element in found.elements)
        output.stream({"file": arguments.file, **head}, "elements", elements)
        return ExitCode.DONE
    for name, value in head.items():
        if value is not None:
            output.line(f"{name}: {value}")
    for element in found.elements:
        output.line(_element_line(element, found.kind, redaction))
    return ExitCode.DONE


def _element_json(element: PageElement, kind: str, redaction: Redaction) -> dict[str, object]:
    content: dict[str, object] = {"index": element.index, "problem": element.problem}
    if kind != "leaf":
        content["child_pgid"] = element.child_pgid
    if kind != "freelist":
        content["key"] = redaction.key_json(element.key)
    if kind == "leaf":
        content["is_bucket"] = element.is_bucket
        content["value"] = redaction.value_json(element.value)
    return content


def _element_line(element: PageElement, kind: str, redaction: Redaction) -> str:
    head = f"element {element.index}: "
    if element.problem is not None:
        return f"{head}{element.problem}"
    if kind == "freelist":
        return f"{head}page {element.child_pgid}"
    if kind == "branch":
        return f"{head}key {redaction.key(element.key)}, child page {element.child_pgid}"
    word = "bucket" if element.is_bucket else "value"
    return f"{head}key {redaction.key(element.key)}, {word} {redaction.value(element.value)}"


def dump(context: Context) -> ExitCode:
    """Run `dump`."""
    arguments, output = context.arguments, context.output
    redaction = Redaction(keys=arguments.show_keys, values=arguments.show_values)
    with context.open() as db, db.view() as tx:
        if arguments.json:
            entries = (_entry_json(*entry, redaction) for entry in _walk(tx))
            output.stream({"file": arguments.file}, "entries", entries)
        else:
            for entry in _walk(tx):
                output.line(_entry_line(*entry, redaction))
    return ExitCode.DONE


def _walk(tx: bolt_store.Tx) -> Iterator[tuple[int, bytes, bytes | bolt_store.Bucket]]:
    """Give nesting depth, key, and value or bucket, without recursion."""
    tops = ((name, bucket) for name, bucket in tx.buckets())
    stack: list[Iterator[tuple[bytes, bytes | bolt_store.Bucket]]] = [tops]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            continue
        yield len(stack) - 1, *entry
        if isinstance(entry[1], bolt_store.Bucket):
            stack.append(_items(entry[1]))


def _items(bucket: bolt_store.Bucket) -> Iterator[tuple[bytes, bytes | bolt_store.Bucket]]:
    for key, value in bucket.items():
        yield key, bucket.bucket(key) if value is None else value


def _entry_json(
    depth: int, key: bytes, value: bytes | bolt_store.Bucket, redaction: Redaction
) -> dict[str, object]:
    content: dict[str, object] = {"nesting_depth": depth, "key": redaction.key_json(key)}
    if isinstance(value, bytes):
        return {**content, "value": redaction.value_json(value)}
    return {**content, "sequence": value.sequence}


def _entry_line(
    depth: int, key: bytes, value: bytes | bolt_store.Bucket, redaction: Redaction
) -> str:
    if isinstance(value, bytes):
        return f"{_indent(depth)}key {redaction.key(key)} value {redaction.value(value)}"
    return f"{_indent(depth)}bucket {redaction.key(key)} sequence {value.sequence}"


def _indent(depth: int) -> str:
    return INDENT * min(depth, INDENT_COUNT_MAX)
