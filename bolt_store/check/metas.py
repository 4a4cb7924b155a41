"""The check of the two meta pages.

Lives here: what can be said of the metas alone. Must not live here: the trees that they name
(`walk`), and the choice between them (`bolt_store.file.pager`).

Source: bbolt v1.3.6 db.go (meta.validate), tx.go (WriteTo); spec sections 1.3, 2.5 and 3.2.
"""

from collections.abc import Iterator

from bolt_store.check.finding import Finding, Severity
from bolt_store.codec.layout import META_FLAG, PAGE_HEADER, PAGE_HEADER_SIZE_BYTES
from bolt_store.file.pager import MetaSlot, Pager


def check_metas(pager: Pager) -> Iterator[Finding]:
    """Look at both meta pages.

    Args:
        pager: Of the file.

    Yields:
        What was found.

    Raises:
        OSError: A page cannot be read.
    """
    active = pager.meta
    for slot in pager.slots:
        yield from _check_slot(pager, slot)
    other = pager.older.meta
    if other is not None and other.txid > active.txid:
        # bbolt v1.3.6 would use it; the state that it sees is not the one that is read here.
        yield Finding(
            code="meta.newer",
            severity=Severity.UNSAFE,
            pgid=pager.older.slot,
            problem=f"is newer (txid {other.txid}) than the meta that is used, and unusable",
        )
    if other is not None and other.root_pgid == active.root_pgid:
        problem = "both metas name the same tree, so the older one is no second chance"
        yield Finding(code="meta.same_tree", severity=Severity.INFO, pgid=None, problem=problem)
    elif other is not None and other.txid == active.txid:
        problem = f"both metas have txid {active.txid} and name different trees"
        yield Finding(code="meta.txid", severity=Severity.WARNING, pgid=None, problem=problem)


def _check_slot(pager: Pager, slot: MetaSlot) -> Iterator[Finding]:
    """Look at one meta page."""
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
            severity=Severity.UNSAFE,
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
    if slot.meta is not None and slot.meta.txid % 2 != slot.slot:
        problem = f"holds txid {slot.meta.txid}, as after a restore from bbolt's backup"
        yield Finding(code="meta.slot", severity=Severity.INFO, pgid=slot.slot, problem=problem)
