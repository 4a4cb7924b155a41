"""The check of the two meta pages.

Lives here: what can be said of the metas alone, and which of them bbolt would use. Must not live
here: the trees that they name (`walk`), and the choice that is made here
(`bolt_store.file.pager`).

Source: bbolt v1.3.6 db.go (Open, mmap, meta, meta.validate), tx.go (WriteTo); spec sections 1.3,
2.5 and 3.2.
"""

import os
from collections.abc import Iterator

from bolt_store.check.finding import Finding, Severity
from bolt_store.codec.layout import META_END_BYTES, META_FLAG, PAGE_HEADER, PAGE_HEADER_SIZE_BYTES
from bolt_store.codec.meta import Meta, decode_meta, implausibility
from bolt_store.errors import FormatError
from bolt_store.file.block_file import BlockFile
from bolt_store.file.pager import MetaSlot, Pager
from bolt_store.limits import TXID_MAX


def check_metas(pager: Pager) -> Iterator[Finding]:
    """Look at both meta pages."""
    active = pager.meta
    for slot in pager.slots:
        yield from _check_slot(pager, slot)
    other = pager.older.meta
    yield from _check_choice(pager)
    if other is not None and other.root_pgid == active.root_pgid:
        problem = "both metas name the same tree, so the older one is no second chance"
        yield Finding(code="meta.same_tree", severity=Severity.INFO, pgid=None, problem=problem)
    elif other is not None and other.txid == active.txid:
        problem = f"both metas have txid {active.txid} and name different trees"
        yield Finding(code="meta.txid", severity=Severity.WARNING, pgid=None, problem=problem)


def _check_slot(pager: Pager, slot: MetaSlot) -> Iterator[Finding]:
    if slot.problem is not None:
        problem = getattr(slot.problem, "problem", str(slot.problem))
        yield Finding(
            code="meta.invalid", severity=Severity.WARNING, pgid=slot.slot, problem=problem
        )
        return
    header = pager.file.read_at(slot.slot * pager.page_size_bytes, PAGE_HEADER_SIZE_BYTES)
    pgid, flags, _, _ = PAGE_HEADER.unpack(header)
    if (pgid, flags) != (slot.slot, META_FLAG):
        yield Finding(
            code="meta.header",
            severity=Severity.WARNING,  # bbolt does not read it, and the next meta is written whole
            pgid=slot.slot,
            problem=f"its header says page {pgid} with flags {flags:#06x}, expected a meta page",
        )
    if slot.meta is not None and not slot.meta.is_signed:
        yield Finding(
            code="meta.unsigned",
            severity=Severity.UNSAFE if slot is pager.active else Severity.WARNING,
            pgid=slot.slot,
            problem="has the checksum 0, which bbolt from v1.3.7 on refuses",
        )
    if slot is pager.active and slot.meta is not None and slot.meta.txid > TXID_MAX:
        problem = f"holds txid {slot.meta.txid}, from which bbolt cannot count on: it panics"
        yield Finding(
            code="meta.last_txid", severity=Severity.FATAL, pgid=slot.slot, problem=problem
        )
    if slot.meta is not None and slot.meta.txid % 2 != slot.slot:
        problem = f"holds txid {slot.meta.txid}, as after a restore from bbolt's backup"
        yield Finding(code="meta.slot", severity=Severity.INFO, pgid=slot.slot, problem=problem)


def _check_choice(pager: Pager) -> Iterator[Finding]:
    """Report where bbolt takes another meta, or places the pages by another page size.

    It believes every meta whose checksum is right or absent, and whatever page size the first one
    has. Then it reads another state than the one that is read here, or stops in a panic.
    """
    metas = [_valid_to_bbolt(pager.file, offset) for offset in (0, pager.page_size_bytes)]
    first, _ = metas
    if first is None:
        system = os.sysconf("SC_PAGESIZE")
        if system != pager.page_size_bytes:
            problem = (
                f"without it bbolt looks for pages of {system} bytes, as this system has them, "
                f"and these have {pager.page_size_bytes}"
            )
            # No reason against writing: the next commits make the first meta whole again.
            yield Finding(code="meta.first", severity=Severity.WARNING, pgid=0, problem=problem)
        return
    if first.page_size_bytes != pager.page_size_bytes:
        yield _other_choice(
            0,
            f"bbolt believes its page size, {first.page_size_bytes}, and so finds nothing, or "
            f"other things: the pages have {pager.page_size_bytes} bytes",
        )
        return
    slot = max((0, 1), key=lambda slot: -1 if (meta := metas[slot]) is None else meta.txid)
    if slot != pager.active.slot:
        why = pager.older.problem or "it has no checksum"
        problem = f"bbolt takes this meta, which is not used here: {why}"
        taken = pager.meta if (meta := metas[slot]) is None else meta
        yield _other_choice(slot, problem, code=_code_of_choice(taken, pager.page_size_bytes))


def _code_of_choice(taken: Meta, page_size_bytes: int) -> str:
    """Tell what comes of it that bbolt takes a meta that is not used here."""
    if implausibility(taken._replace(page_size_bytes=page_size_bytes)) is not None:
        return "meta.choice"
    # It goes by the page size of the first meta, and copies that of this one into the next.
    return "meta.unproven" if taken.page_size_bytes == page_size_bytes else "meta.page_size"


def _other_choice(slot: int, problem: str, *, code: str = "meta.choice") -> Finding:
    return Finding(code=code, severity=Severity.FATAL, pgid=slot, problem=problem)


def _valid_to_bbolt(file: BlockFile, offset: int) -> Meta | None:
    """Read a meta as bbolt validates it: magic, version, and a checksum that is right or 0."""
    try:
        return decode_meta(file.read_at(offset, META_END_BYTES))
    except FormatError:
        return None
