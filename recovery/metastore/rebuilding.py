"""New files made of the content of a store: packed ones, and salvaged ones.

Lives here: `compact_store` and `salvage_store`, which call the engine and translate its failures.
Must not live here: how content is found and written (`bolt_store`), and what is said about it.

Invariants: the source is only read, under a shared lock. Nothing that exists is replaced, and on
failure nothing is left. No sentence of a report holds a key or a value.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

import bolt_store
from bolt_store.errors import BoltError, CommitError, DamagedError, LimitError
from recovery.errors import RefusedError, StoreDamagedError
from recovery.metastore.altered import alteration_of
from recovery.metastore.failures import Failures, open_unnoticed
from recovery.metastore.packed import plain_file, rest_of_file
from recovery.model.recognition import (
    COUNTED,
    Recognized,
    RecordKind,
    bucket_of,
    is_api_authorization,
    is_plausible,
    recognize,
)
from recovery.model.schema import LEVEL_MAX, buckets_of_level
from recovery.new_file import StagedFile, already_there
from recovery.remedy import Input, Omit, Run

_MIGRATIONS: Final = b"migrationsv1"
_KNOWLEDGE: Final = bolt_store.Knowledge(
    classify=bucket_of,
    plausible=is_plausible,
    essential=frozenset({b"usersv1", b"organizationsv1"}),
)


class CompactFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a packed file was made of."""

    source_size_bytes: int
    size_bytes: int
    bucket_count: int
    key_count: int


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """A state of a damaged file that was not taken.

    Attributes:
        root_pgid: Its root page, which names it.
        txid: Its transaction; None when no meta names it.
        lost_count: Places in it where something cannot be read.
    """

    root_pgid: int
    txid: int | None
    bucket_count: int
    key_count: int
    lost_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAside:
    """A record that could be read and is not in the new file.

    Attributes:
        is_free: Whether its page is listed as free, so that it was deleted or changed since.
        is_certain: Whether it is certain in which bolt bucket it was: what looks like an
            authorization may be the login of a 1.x client, whose name would be a token.
        value: Its value, which may be a secret.
    """

    record: Recognized
    pgid: int
    is_certain: bool
    key: bytes = field(repr=False)
    value: bytes = field(repr=False)
    is_free: bool
    is_in_other_state: bool

    @property
    def may_be_lost(self) -> bool:
        """Whether nothing tells that it was deleted or changed since."""
        return not self.is_free and not self.is_in_other_state


class SalvageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was got out of a damaged file.

    Attributes:
        is_complete: Whether nothing is known to be missing, doubtful or uncertain.
        is_newest: Whether what was taken is known to be the newest state of the file; in a former
            one, what was deleted since may be back.
        method: Where the content comes from, in two words.
        stale_key_count: Those of them that come from the other snapshot and may be outdated.
        sentences: The whole report.
        alternatives: Other states of the file that could be taken instead, the best first.
        record_counts: How many users, organizations, buckets and authorizations are in the new
            file; empty when there is none.
        missing_names: Bolt buckets that a store of its level has and the new file lacks.
        left_aside: Records that could be read and are not in the new file.
        put_back_counts: How many of them of each kind were put back, because it was asked for.
        put_back_notes: What was not put back, and what was mended, as sentences.
    """

    is_written: bool
    is_complete: bool
    is_newest: bool
    method: str
    bucket_count: int
    key_count: int
    stale_key_count: int
    sentences: tuple[bolt_store.SalvageSentence, ...]
    alternatives: tuple[Alternative, ...]
    record_counts: dict[RecordKind, int]
    missing_names: tuple[str, ...]
    left_aside: tuple[LeftAside, ...]
    put_back_counts: dict[RecordKind, int] = msgspec.field(default_factory=dict)
    put_back_notes: tuple[str, ...] = ()


def compact_store(path: Path, new: StagedFile) -> CompactFacts:
    """Copy the content of a store into a new, packed file.

    Args:
        path: The store; may be packed by gzip.
        new: The new file; it is not published.

    Raises:
        StoreDamagedError: The store has content that cannot be read or trusted.
    """
    with _making(path, new.target) as plain, bolt_store.open(plain) as db:
        try:
            report = bolt_store.compact(db, new.path)
        except DamagedError as error:
            raise StoreDamagedError(
                path=Failures(path).name,
                problem=f"is damaged: {error.first}",
                hint=Run(
                    "store salvage", "to get out what can be read of it", {Input.TARGET: None}
                ),
            ) from error
        return CompactFacts(
            source_size_bytes=plain.stat().st_size,
            size_bytes=report.size_bytes,
            bucket_count=report.bucket_count,
            key_count=report.key_count,
        )


def salvage_store(
    path: Path,
    new: StagedFile,
    *,
    page_size_bytes: int | None,
    root_pgid: int | None,
    use_older: bool,
) -> SalvageFacts:
    """Write what can be got out of a damaged store into a new file.

    Args:
        path: The store; may be packed by gzip.
        new: The new file; it is not published.
        page_size_bytes: Its page size; None to find it out.
        root_pgid: Its root page; None to find it out.
        use_older: Whether to fill what is missing with what the older snapshot has.
    """
    with _translated(path, new.target), rest_of_file(path) as (plain, is_cut):
        if page_size_bytes is None and root_pgid is None:
            _require_unaltered(plain)
        source = bolt_store.open_block_file(plain)
        try:
            report = bolt_store.salvage(
                source,
                new.path,
                page_size_bytes=page_size_bytes,
                root_pgid=root_pgid,
                use_older=use_older,
                knowledge=_KNOWLEDGE,
            )
            size_bytes = source.size_bytes()
            found = look_into(new.path) if report.is_written else _NOTHING
            left_aside = tuple(_left_aside(source, report, found.ids))
        except LimitError as error:
            raise RefusedError(
                reason=f"it cannot be salvaged so ({error})",
                hint=Omit((Input.PAGE_SIZE, Input.ROOT_PAGE)),
            ) from error
        finally:
            source.close()
    return SalvageFacts(
        is_written=report.is_written,
        is_complete=report.is_complete and not is_cut,
        is_newest=report.is_newest,
        method=str(report.method),
        bucket_count=report.bucket_count,
        key_count=report.key_count,
        stale_key_count=report.stale_key_count,
        sentences=(*_about_the_packing(is_cut=is_cut, size_bytes=size_bytes), *report.sentences()),
        alternatives=tuple(
            Alternative(
                root_pgid=facts.root_pgid,
                txid=facts.txid,
                bucket_count=facts.bucket_count,
                key_count=facts.key_count,
                lost_count=facts.lost_count,
            )
            for facts in report.snapshots[1 if report.is_written else 0 :]
        ),
        record_counts=found.counts,
        missing_names=found.missing_names,
        left_aside=left_aside,
    )


def _require_unaltered(path: Path) -> None:
    """Refuse by `StoreDamagedError` what has to be turned back before any page is in place."""
    descriptor = open_unnoticed(path)
    try:
        found = alteration_of(path, descriptor, is_whole=True)
    finally:
        os.close(descriptor)
    if found is not None:
        raise StoreDamagedError(path=Failures(path).name, problem=found.problem, hint=found.hint)


def _about_the_packing(*, is_cut: bool, size_bytes: int) -> Iterator[bolt_store.SalvageSentence]:
    if is_cut:
        yield bolt_store.SalvageSentence(
            f"the packed file is cut short or damaged: {size_bytes:,} bytes could be unpacked, and "
            "what follows them is missing"
        )


class Content(NamedTuple):
    """What a new file holds: counts of records, names that it lacks, the IDs, and sums."""

    counts: dict[RecordKind, int]
    missing_names: tuple[str, ...]
    ids: frozenset[tuple[RecordKind, str]]
    bucket_count: int = 0
    key_count: int = 0


_NOTHING: Final = Content({}, (), frozenset())


def look_into(target: Path) -> Content:
    """Count the records of a new file; name the bolt buckets that it lacks, and list the IDs."""
    with bolt_store.open(target, needs_lock=False) as db, db.view() as tx:
        sums = bolt_store.db_stats(db)
        names = {name.decode(errors="replace") for name, _ in tx.buckets()}
        ids = {
            (kind, key.decode("ascii", "replace"))
            for kind in RecordKind
            if kind.value in names
            for key, _ in tx.bucket(kind.value.encode()).items()
        }
        has_level = tx.has_bucket(_MIGRATIONS)
        level = sum(1 for _ in tx.bucket(_MIGRATIONS).items()) if has_level else 0
    counts = Counter(kind for kind, _ in ids)
    expected = buckets_of_level(level or LEVEL_MAX)
    missing = tuple(sorted(set(expected) - names))
    keys = sums.root.element_count + sums.buckets.element_count - sums.bucket_count
    of_kinds = {kind: counts[kind] for kind in COUNTED}
    return Content(of_kinds, missing, frozenset(ids), sums.bucket_count, keys)


def _left_aside(
    source: bolt_store.BlockFile,
    report: bolt_store.SalvageReport,
    ids: frozenset[tuple[RecordKind, str]],
) -> Iterator[LeftAside]:
    """Give each record that the new file lacks once, from the page that is most likely current."""
    found: dict[tuple[RecordKind, str], LeftAside] = {}
    for entry in bolt_store.stale_entries(source, report, knowledge=_KNOWLEDGE):
        record = None if entry.value is None else recognize(entry.key, entry.value)
        if record is None or entry.value is None or (record.kind, record.id) in ids:
            continue
        known = found.get((record.kind, record.id))
        if known is None or (known.is_free and not entry.is_listed_free):
            found[record.kind, record.id] = LeftAside(
                record=record,
                pgid=entry.place[0],
                is_free=entry.is_listed_free,
                is_in_other_state=entry.origin == "snapshot",
                is_certain=_is_certain(record.kind, entry.path, entry.value),
                key=entry.key,
                value=entry.value,
            )
    yield from sorted(
        found.values(),
        key=lambda one: (not one.may_be_lost, one.is_free, one.record.kind, one.record.id),
    )


def _is_certain(kind: RecordKind, path: tuple[bytes, ...] | None, value: bytes) -> bool:
    is_ambiguous = kind is RecordKind.AUTHORIZATION and path != (kind.value.encode(),)
    return not is_ambiguous or is_api_authorization(value)


@contextmanager
def _making(path: Path, target: Path) -> Iterator[Path]:
    """Give the file to read, and translate what goes wrong with it and with the new one."""
    with _translated(path, target), plain_file(path) as plain:
        yield plain


@contextmanager
def _translated(path: Path, target: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise already_there(target) from error
    except CommitError as error:
        raise Failures(target).translate(error) from error
    except (BoltError, OSError) as error:
        raise Failures(path).translate(error) from error
