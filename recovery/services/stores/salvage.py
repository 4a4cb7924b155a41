"""Packed and salvaged copies of a store, and the doctor's verdict on them.

Lives here: `compact` and `salvage`. Must not live here: how they are made
(`recovery.metastore.rebuilding`), and what is examined (`recovery.services.doctor`).
"""

from pathlib import Path

import msgspec
from msgspec.structs import replace

from recovery.discovery.candidate import Files
from recovery.errors import RecoveryError, SchemaError
from recovery.metastore.rebuilding import (
    CompactFacts,
    LeftAside,
    SalvageFacts,
    compact_store,
    look_into,
    salvage_store,
)
from recovery.model.display import displayed
from recovery.new_file import MODE, StagedFile
from recovery.ports import Clock, Rng
from recovery.services.doctor.check import Outlook, examine
from recovery.services.session import Session
from recovery.services.stores.putting_back import chosen
from recovery.services.stores.putting_back import put_back as put_records_back

__all__ = ["LeftAside", "Prospect", "SalvageFacts", "compact", "salvage"]


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """What influxd would do with a new file.

    Attributes:
        sentence: The verdict, without a full stop.
        finding_count: Number of findings; None when it could not be examined.
        is_refused: Whether no command changes it, because its migrations are not as they should be.
        is_ready: Whether influxd would start on it.
        is_foreign: Whether it is no store of InfluxDB.
    """

    sentence: str
    finding_count: int | None
    is_refused: bool = False
    is_ready: bool = False
    is_foreign: bool = False


def compact(path: Path, target: Path, *, clock: Clock, rng: Rng) -> tuple[CompactFacts, Prospect]:
    """Copy the content into a new, packed file; tell what influxd would do with it, too."""
    with StagedFile(target) as new:
        facts = compact_store(path, new)
        prospect = _prospect(new, clock, rng)
        new.publish()
        new.keep()
    return facts, prospect


def salvage(
    path: Path,
    target: Path,
    *,
    page_size_bytes: int | None,
    root_pgid: int | None,
    use_older: bool,
    put_back: frozenset[str] = frozenset(),
    clock: Clock,
    rng: Rng,
) -> tuple[SalvageFacts, Prospect | None]:
    """Write what can be got out of a damaged store into a new file, and examine that.

    Args:
        target: Where nothing may be yet.
        page_size_bytes: Its page size; None to find it out.
        root_pgid: Its root page; None to find it out.
        use_older: Whether to fill what is missing with what the older snapshot has.
        put_back: What of the records that are left aside is wanted, as `chosen` has it.

    Returns:
        What was done, and what influxd would do with the new file; None when there is none.
    """
    with StagedFile(target) as new:
        facts = salvage_store(
            path,
            new,
            page_size_bytes=page_size_bytes,
            root_pgid=root_pgid,
            use_older=use_older,
        )
        wanted = chosen(facts.left_aside, put_back)
        if wanted:
            facts = _with_put_back(new.path, facts, wanted, clock, rng)
        if not facts.is_written:
            return facts, None
        prospect = _prospect(new, clock, rng)
        new.publish()
        new.keep()
    return facts, prospect


def _with_put_back(
    path: Path, facts: SalvageFacts, wanted: list[LeftAside], clock: Clock, rng: Rng
) -> SalvageFacts:
    """Put records back; where no root was found, into an empty store."""
    done = put_records_back(path, wanted, is_new=not facts.is_written, clock=clock, rng=rng)
    found = look_into(path)
    return replace(
        facts,
        is_written=True,
        key_count=found.key_count,
        bucket_count=found.bucket_count,
        record_counts=found.counts,
        missing_names=found.missing_names,
        put_back_counts=done.counts,
        put_back_notes=done.notes,
        left_aside=tuple(
            left for left in facts.left_aside if (left.record.kind, left.record.id) not in found.ids
        ),
    )


def _prospect(new: StagedFile, clock: Clock, rng: Rng) -> Prospect:
    """Examine the new file; whatever is wrong with it is no reason to take it away again."""
    new.path.chmod(MODE)  # what is there holds every token, whatever mode the store has
    try:
        with Session.open(new.path, needs_schema=False) as session:
            found = examine(session, files=Files(), clock=clock, rng=rng)
    except RecoveryError as error:
        sentence = str(error).removesuffix("; nothing was changed")
        sentence = sentence.replace(displayed(str(new.path)), displayed(str(new.target)))
        is_foreign = isinstance(error, SchemaError)
        return Prospect(sentence=sentence, finding_count=None, is_foreign=is_foreign)
    return Prospect(
        sentence=found.verdict.sentence,
        finding_count=len(found.findings),
        is_refused=found.is_refused,
        is_ready=found.verdict.outlook is not Outlook.DOES_NOT_START,
    )
