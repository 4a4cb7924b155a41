"""Damaged files by the thousand: seeded, and aware of what each field means.

A mutant is made by one to three changes to a sound file. The same name and seed make the same
mutant again.
"""

from collections.abc import Callable, Iterator
from random import Random
from struct import pack_into

from tests.support.surgery import BRANCH, HEADER_FIELDS, LEAF, META_FIELDS, Patient


class Mutator:
    """Makes mutants of one file."""

    def __init__(self, content: bytes, *, page_size_bytes: int) -> None:
        self._content = content
        self._page_size_bytes = page_size_bytes
        patient = Patient(content, page_size_bytes=page_size_bytes)
        self._page_count = patient.page_count
        free = set(patient.free_ids())
        high = patient.meta(patient.newest, "high")
        self._used = [pgid for pgid in range(2, high) if pgid not in free]
        kinds = {pgid: patient.header(pgid, "flags") for pgid in patient.tree_pages()}
        self._trees = [pgid for pgid in self._used if kinds.get(pgid) in (BRANCH, LEAF)]

    def mutant(self, random: Random) -> Patient:
        """Return a copy of the file with one to three random changes."""
        patient = Patient(self._content, page_size_bytes=self._page_size_bytes)
        changes = random.choices(CHANGES, k=random.choice((1, 1, 1, 2, 3)))
        # Pages must still be there to be changed.
        for change in sorted(changes, key=lambda change: change in (_truncate, _grow)):
            change(self, random, patient)
        return patient

    def cut(self) -> Iterator[Patient]:
        """Return the file cut at every page boundary, one byte before and one behind it."""
        for pgid in range(self._page_count + 1):
            for size in (-1, 0, 1):
                patient = Patient(self._content, page_size_bytes=self._page_size_bytes)
                patient.truncate(max(pgid * self._page_size_bytes + size, 0))
                yield patient

    # -- choosing --------------------------------------------------------------------------------

    def used(self, random: Random) -> int:
        """Choose a page that is in use."""
        return random.choice(self._used)

    def tree(self, random: Random) -> int:
        """Choose a branch or a leaf that is in use."""
        return random.choice(self._trees)

    def any(self, random: Random) -> int:
        """Choose any page, the metas among them."""
        return random.randrange(self._page_count)

    def number(self, random: Random, before: int) -> int:
        """Choose a number that is small, large, near what was there, or a page id."""
        return random.choice(
            (
                before + 1,
                before - 1,
                before ^ 1 << random.randrange(64),
                random.randrange(8),
                random.choice((0xFF, 0xFFFE, 0xFFFF, 1 << 16, 1 << 31, (1 << 32) - 1)),
                random.choice((1 << 32, 1 << 48, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)),
                random.randrange(self._page_count + 2),
                self.used(random),
            )
        )


Change = Callable[[Mutator, Random, Patient], None]


def _flip_bits(mutator: Mutator, random: Random, patient: Patient) -> None:
    """A few bits anywhere, mostly on pages in use."""
    for _ in range(random.choice((1, 1, 2, 8))):
        pgid = mutator.any(random) if random.random() < 0.2 else mutator.used(random)
        offset = pgid * patient.page_size_bytes + random.randrange(patient.page_size_bytes)
        patient.content[offset] ^= 1 << random.randrange(8)


def _flip_low_bytes(mutator: Mutator, random: Random, patient: Patient) -> None:
    """A byte of a header or of the element table."""
    offset = mutator.tree(random) * patient.page_size_bytes + random.randrange(96)
    patient.content[offset] = random.randrange(256)


def _swap_pages(mutator: Mutator, random: Random, patient: Patient) -> None:
    """Two pages, each with its own id or with that of its new place."""
    first, second = mutator.used(random), mutator.any(random)
    pages = patient.page(first), patient.page(second)
    patient.set_page(first, pages[1])
    patient.set_page(second, pages[0])
    if random.random() < 0.5:
        patient.set_header(first, id=first)
        patient.set_header(second, id=second)


def _copy_page(mutator: Mutator, random: Random, patient: Patient) -> None:
    """A page, perhaps a stale one, in the place of another, with the right id."""
    target = mutator.used(random)
    patient.set_page(target, patient.page(mutator.any(random)))
    if random.random() < 0.8:
        patient.set_header(target, id=target)


def _zero_page(mutator: Mutator, random: Random, patient: Patient) -> None:
    patient.set_page(mutator.used(random), bytes(patient.page_size_bytes))


def _zero_sector(mutator: Mutator, random: Random, patient: Patient) -> None:
    offset = mutator.used(random) * patient.page_size_bytes
    offset += 512 * random.randrange(patient.page_size_bytes // 512)
    patient.write(offset, bytes(512))


def _truncate(_: Mutator, random: Random, patient: Patient) -> None:
    patient.truncate(random.randrange(len(patient.content) + 1))


def _grow(_: Mutator, random: Random, patient: Patient) -> None:
    patient.content += random.randbytes(random.choice((1, 100, patient.page_size_bytes)))


def _set_header(mutator: Mutator, random: Random, patient: Patient) -> None:
    field = random.choice(HEADER_FIELDS)
    pgid = mutator.used(random)
    if pgid < patient.page_count:
        number = mutator.number(random, patient.header(pgid, field))
        patient.set_header(
            pgid, **{field: number % (1 << {"id": 64, "overflow": 32}.get(field, 16))}
        )


def _set_element(mutator: Mutator, random: Random, patient: Patient) -> None:
    pgid = mutator.tree(random)
    index = random.randrange(min(max(patient.header(pgid, "count"), 1), 16))
    is_branch = patient.header(pgid, "flags") & BRANCH
    names = ("pos", "ksize", "child", "child") if is_branch else ("flags", "pos", "ksize", "vsize")
    field = random.choice(names)
    number = mutator.number(random, patient.element(pgid, index, field))
    bits = 64 if field == "child" else 32
    patient.set_element(pgid, index, **{field: number % (1 << bits)})


def _set_bucket(mutator: Mutator, random: Random, patient: Patient) -> None:
    """Eight bytes of a value that is a bucket: its root, its sequence, or its inline page."""
    for _ in range(8):
        pgid = mutator.tree(random)
        if patient.header(pgid, "flags") != LEAF:
            continue
        count = min(patient.header(pgid, "count"), (patient.page_size_bytes - 16) // 16)
        for index in range(count):
            offset = patient.value_offset(pgid, index) + 8 * random.randrange(5)
            if patient.element(pgid, index, "flags") == 1 and offset + 8 <= len(patient.content):
                number = mutator.number(random, 0) % (1 << 64)
                pack_into("<Q", patient.content, offset, number)
                return


def _set_meta(mutator: Mutator, random: Random, patient: Patient) -> None:
    """A field of a meta, signed again so that it is believed."""
    slot = random.choice((patient.newest, patient.newest, 1 - patient.newest))
    field = random.choice(META_FIELDS)
    before = patient.meta(slot, field)
    if field == "page_size":
        number = random.choice((0, 1, 512, 1024, 2048, 4096, 8192, 1 << 24, 1 << 31, before + 1))
    else:
        number = mutator.number(random, before)
    bits = 32 if field in ("magic", "version", "page_size", "flags") else 64
    patient.set_meta(slot, **{field: number % (1 << bits)})


def _tear_meta(_: Mutator, random: Random, patient: Patient) -> None:
    for slot in random.choice(((0,), (1,), (0, 1))):
        start = slot * patient.page_size_bytes + random.randrange(80)
        patient.write(start, bytes(random.randrange(1, 80)))


def _set_free(mutator: Mutator, random: Random, patient: Patient) -> None:
    """An id in a freelist."""
    if patient.freelist >= patient.page_count:
        return
    offset = patient.freelist * patient.page_size_bytes + 16 + 8 * random.randrange(8)
    pack_into("<Q", patient.content, offset, mutator.number(random, 0) % (1 << 64))


CHANGES: tuple[Change, ...] = (
    _flip_bits,
    _flip_low_bytes,
    _swap_pages,
    _copy_page,
    _zero_page,
    _zero_sector,
    _truncate,
    _grow,
    _set_header,
    _set_header,
    _set_element,
    _set_element,
    _set_element,
    _set_bucket,
    _set_meta,
    _tear_meta,
    _set_free,
)
