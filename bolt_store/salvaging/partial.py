"""What is left of a damaged page: its sound elements.

Lives here: `sound_elements` of a leaf and `sound_references` of a branch, from the bytes of one run
alone. Must not live here: whether an element belongs where the page is referred to (`survey`).

A disk loses sectors of 512 or 4,096 bytes, so most elements of a damaged page are as they were.
Such an element lies inside of the page, begins where its neighbour ends, as in every page that
bbolt writes, has a key in order, and where it is a bucket, its value can be one. What overlaps a
long stretch of one and the same byte is not sound: that is what a lost sector reads as, and no sum
tells of it.

Invariants: not more bytes are handed out than the page has; keys are non-empty and ascend strictly.

Source: bbolt v1.3.6 node.go (write) for elements without gaps; spec section 3.5, case C.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

from bolt_store.codec.bucket import decode_bucket
from bolt_store.codec.layout import (
    BRANCH_ELEMENT,
    BUCKET_FLAG,
    ELEMENT_SIZE_BYTES,
    LEAF_ELEMENT,
    PAGE_HEADER,
    PAGE_HEADER_SIZE_BYTES,
    PGID_SIZE_BYTES,
)
from bolt_store.codec.leaf import Leaf
from bolt_store.errors import PageError
from bolt_store.limits import ELEMENT_COUNT_MAX, KEY_SIZE_BYTES_MAX

_STRETCH: Final = re.compile(rb"(.)\1{47,}", re.DOTALL)
"""An inline bucket begins with up to 24 zeros; nothing that bbolt writes has many more."""

SECTOR_SIZE_BYTES: Final = 512
"""The smallest unit that disks lose."""

_BLANK_BYTES: Final = (b"\0", b"\xff")
_BLANKS: Final = tuple(byte * SECTOR_SIZE_BYTES for byte in _BLANK_BYTES)


class Partial(NamedTuple):
    """The sound elements of a damaged leaf.

    Attributes:
        leaf: The elements.
        indexes: The index of each on its page.
        element_count: How many elements the page has, or shows to have had at least.
    """

    leaf: Leaf
    indexes: list[int]
    element_count: int


class Reference(NamedTuple):
    """One element of a damaged branch.

    Attributes:
        key: Its key; None when that cannot be read.
        child: The page that it names, whatever that is.
    """

    key: bytes | None
    child: int


class _Slot(NamedTuple):
    """An element as the table has it: where its bytes lie."""

    element_index: int
    flag: int
    start: int
    value_start: int
    end: int


def sound_elements(page: bytes, page_count: int) -> Partial | None:
    """Find the sound elements of a leaf.

    Args:
        page: The whole run; its header may be damaged, too.
        page_count: Pages of the file, of which a bucket has one as its root.

    Returns:
        What is sound; None when nothing is.
    """
    slots = _chained(page, list(_leaf_slots(page)))
    stretches = _stretches(page)
    whole = [
        slot
        for slot in slots
        if not _touches(slot, stretches) and _is_whole(page, slot, page_count)
    ]
    keys = [page[slot.start : slot.value_start] for slot in whole]
    leaf, indexes, end = Leaf([], [], []), [], 0
    for at in longest_ascent(keys):
        slot = whole[at]
        if slot.start < end:
            continue
        end = slot.end
        leaf.flags.append(slot.flag)
        leaf.keys.append(keys[at])
        leaf.values.append(page[slot.value_start : slot.end])
        indexes.append(slot.element_index)
    if not indexes:
        return None
    count = max(_count(page, slots), indexes[-1] + 1)
    # Behind the last element of a page there are zeros, and nothing behind that of an inline one.
    is_inline = not any(page[:PGID_SIZE_BYTES])
    if count == indexes[-1] + 1 and (any(page[end:]) or (is_inline and end < len(page))):
        count += 1
    return Partial(leaf, indexes, count)


def sound_references(page: bytes) -> list[Reference] | None:
    """Read the element table of a damaged branch.

    Args:
        page: The whole run; its header may be damaged, too.

    Returns:
        A reference for each element of the table; None when it has fewer than two.
    """
    slots = _chained(page, list(_branch_slots(page)))
    count = _count(page, slots)
    stretches = _stretches(page)
    by_index = {slot.element_index: slot for slot in slots if not _touches(slot, stretches)}
    references = []
    for index in range(count):
        at = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * index
        _, _, child = BRANCH_ELEMENT.unpack_from(page, at)
        slot = by_index.get(index)
        key = page[slot.start : slot.end] if slot is not None else None
        references.append(Reference(key, child))
    return references if len(references) > 1 else None


def _leaf_slots(page: bytes) -> Iterator[_Slot]:
    """Read the table as if all of the page were table, and keep what can be an element."""
    at = PAGE_HEADER_SIZE_BYTES
    usable = len(page) - (len(page) - at) % ELEMENT_SIZE_BYTES
    for index, (flag, pos, key_size, value_size) in enumerate(
        LEAF_ELEMENT.iter_unpack(page[at:usable])
    ):
        start = at + pos
        at += ELEMENT_SIZE_BYTES
        value_start, end = start + key_size, start + key_size + value_size
        is_key = key_size and (flag or key_size <= KEY_SIZE_BYTES_MAX)
        if flag <= BUCKET_FLAG and is_key and start >= at and end <= len(page):
            yield _Slot(index, flag, start, value_start, end)


def _branch_slots(page: bytes) -> Iterator[_Slot]:
    at = PAGE_HEADER_SIZE_BYTES
    usable = len(page) - (len(page) - at) % ELEMENT_SIZE_BYTES
    for index, (pos, key_size, _) in enumerate(BRANCH_ELEMENT.iter_unpack(page[at:usable])):
        start = at + pos
        at += ELEMENT_SIZE_BYTES
        end = start + key_size
        if key_size and start >= at and end <= len(page):
            yield _Slot(index, 0, start, end, end)


def _chained(page: bytes, slots: list[_Slot]) -> list[_Slot]:
    """Keep the elements that lie beside a neighbour, and those that the count vouches for.

    The count itself may be what is damaged; what is no table any more does not chain.
    """
    count = int.from_bytes(page[10:12], "little")
    table_end = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * count
    by_index = {slot.element_index: slot for slot in slots}
    kept: list[_Slot] = []
    first_start = len(page)
    for slot in slots:
        before, after = by_index.get(slot.element_index - 1), by_index.get(slot.element_index + 1)
        is_beside = (before is not None and before.end == slot.start) or (
            after is not None and after.start == slot.end
        )
        entry_end = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * (slot.element_index + 1)
        # Behind the first key there is no table, whatever the bytes there look like.
        if entry_end > first_start:
            break
        if is_beside or (slot.element_index < count and slot.start >= table_end):
            kept.append(slot)
            first_start = min(first_start, slot.start)
    return kept


def _count(page: bytes, slots: list[_Slot]) -> int:
    """Tell how many elements a page has: by where the first key begins, else by its header."""
    if slots and slots[0].element_index == 0:
        return (slots[0].start - PAGE_HEADER_SIZE_BYTES) // ELEMENT_SIZE_BYTES
    seen = slots[-1].element_index + 1 if slots else 0
    (_, _, count, _) = PAGE_HEADER.unpack_from(page)
    first_start = min((slot.start for slot in slots), default=0)
    is_possible = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * count <= first_start
    return max(seen, count) if is_possible and count <= ELEMENT_COUNT_MAX else seen


def _is_whole(page: bytes, slot: _Slot, page_count: int) -> bool:
    """Tell whether an element is plain, or can be a bucket."""
    if not slot.flag:
        return True
    key, value = page[slot.start : slot.value_start], page[slot.value_start : slot.end]
    try:
        bucket = decode_bucket(value, pgid=None)
    except PageError:
        return False
    if _has_lost_end(key, value):
        return False
    return bucket.inline_page is not None or bucket.root_pgid < page_count


def has_lost_bucket(leaf: Leaf) -> bool:
    """Tell whether a leaf that can be decoded has lost a sector with the end of a bucket's name.

    A name that ends in zeros is in order, too, and all that was in the bucket would be under it.
    """
    for flag, key, value in zip(leaf.flags, leaf.keys, leaf.values, strict=True):
        if flag and _has_lost_end(key, value):
            return True
    return False


def _has_lost_end(name: bytes, value: bytes) -> bool:
    stretch = _STRETCH.search(name + value)
    # A name may be fifty times one letter; what a disk cannot read comes as zeros or ones.
    return stretch is not None and stretch.start() < len(name) and stretch[1] in _BLANK_BYTES


def has_blank_sector(used: bytes) -> bool:
    """Tell whether a whole sector is zeros or ones, as an unreadable one is filled up with.

    Args:
        used: The bytes of a page up to the end of the last element.
    """
    return any(
        used.startswith(_BLANKS, at, at + SECTOR_SIZE_BYTES)
        for at in range(0, len(used) - SECTOR_SIZE_BYTES + 1, SECTOR_SIZE_BYTES)
    )


def _stretches(page: bytes) -> list[tuple[int, int]]:
    """Find where one byte is repeated; of a lost sector, exactly that sector.

    An element that ends before a sector of zeros may have zeros of its own at its end.
    """
    found = []
    for match in _STRETCH.finditer(page):
        start, end = match.span()
        first = -(-start // SECTOR_SIZE_BYTES) * SECTOR_SIZE_BYTES
        last = end // SECTOR_SIZE_BYTES * SECTOR_SIZE_BYTES
        found.append((first, last) if first < last else (start, end))
    return found


def _touches(slot: _Slot, stretches: list[tuple[int, int]]) -> bool:
    """Tell whether an element has bytes in one of some stretches, which ascend."""
    at = bisect_left(stretches, slot.start, key=lambda stretch: stretch[1] - 1)
    return at < len(stretches) and stretches[at][0] < slot.end


def longest_ascent(keys: list[bytes]) -> list[int]:
    """Return the positions of a longest series of keys that ascends strictly.

    A damaged key stands out of the order of the many sound ones around it; taking the first of two
    that disagree would give one damaged key the say over all behind it.
    """
    tails: list[int] = []
    tail_keys: list[bytes] = []
    previous: list[int] = []
    for position, key in enumerate(keys):
        at = bisect_left(tail_keys, key)
        previous.append(tails[at - 1] if at else -1)
        if at == len(tails):
            tails.append(position)
            tail_keys.append(key)
        else:
            tails[at] = position
            tail_keys[at] = key
    found = []
    position = tails[-1] if tails else -1
    while position >= 0:
        found.append(position)
        position = previous[position]
    return found[::-1]
