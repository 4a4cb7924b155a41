"""What is left of a damaged page: its sound elements.

Lives here: `sound_elements` of a leaf and `sound_references` of a branch, from the bytes of one run
alone. Must not live here: whether an element belongs where the page is referred to (`survey`).

A disk loses sectors of 512 or 4,096 bytes, so most elements of a damaged page are as they were.
Such an element lies inside of the page, begins where its neighbour ends, as in every page that
bbolt writes, has a key in order, and where it is a bucket, its value can be one. One wrong bit in
its row of the table is corrected by its neighbours. What overlaps a
long stretch of one and the same byte is not sound: that is what a lost sector reads as, and no sum
tells of it.

Invariants: not more bytes are handed out than the page has; keys are non-empty and ascend strictly.

Source: bbolt v1.3.6 node.go (write) for elements without gaps; spec section 3.5, case C.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Final, NamedTuple

from bolt_store.codec.bucket import decode_bucket
from bolt_store.codec.layout import (
    BRANCH_ELEMENT,
    BUCKET_FLAG,
    BUCKET_HEADER_SIZE_BYTES,
    ELEMENT_SIZE_BYTES,
    LEAF_ELEMENT,
    PAGE_HEADER,
    PAGE_HEADER_SIZE_BYTES,
    PGID_SIZE_BYTES,
)
from bolt_store.codec.leaf import Leaf
from bolt_store.errors import PageError
from bolt_store.limits import ELEMENT_COUNT_MAX, KEY_SIZE_BYTES_MAX

_STRETCH: Final = re.compile(rb"(.)\1{47,}+", re.DOTALL)
"""An inline bucket begins with up to 24 zeros; nothing that bbolt writes has many more. Possessive:
each repetition that could be given back would cost 80 bytes of memory."""

SECTOR_SIZE_BYTES: Final = 512
"""The smallest unit that disks lose."""

_BLANK_BYTES: Final = (b"\0", b"\xff")
_BLANKS: Final = tuple(byte * SECTOR_SIZE_BYTES for byte in _BLANK_BYTES)


class Partial(NamedTuple):
    """The sound elements of a damaged leaf.

    Attributes:
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
    """An element: where its bytes lie."""

    element_index: int
    flag: int
    start: int
    value_start: int
    end: int


class _Row(NamedTuple):
    """A row of the table."""

    flag: int
    pos: int
    key_size: int
    value_size: int


def sound_elements(page: bytes, page_count: int, offset: int = 0) -> Partial | None:
    """Find the sound elements of a leaf.

    Args:
        page: The whole run; its header may be damaged, too.
        page_count: Pages of the file, of which a bucket has one as its root.
        offset: Where in a sector it begins: an inline page, anywhere.

    Returns:
        What is sound; None when nothing is.
    """
    slots = _chained(page, _mended(page, list(_leaf_slots(page)), page_count))
    stretches = _stretches(page)
    gone = _lost_sectors(slots, _count(page, slots), offset)
    whole = [
        slot
        for slot in slots
        if not _touches(slot, stretches)
        and gone.isdisjoint(_sectors(slot.start, slot.end, offset))
        and _is_whole(page, slot, page_count)
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
    for index, (flag, pos, key_size, value_size) in enumerate(
        LEAF_ELEMENT.iter_unpack(page[at : _table_limit(page)])
    ):
        start = at + pos
        at += ELEMENT_SIZE_BYTES
        value_start, end = start + key_size, start + key_size + value_size
        is_key = key_size and (flag or key_size <= KEY_SIZE_BYTES_MAX)
        if flag <= BUCKET_FLAG and is_key and start >= at and end <= len(page):
            yield _Slot(index, flag, start, value_start, end)


def _table_limit(page: bytes) -> int:
    """Return where a table must have ended, with as many elements as a page can count."""
    row_count = (len(page) - PAGE_HEADER_SIZE_BYTES) // ELEMENT_SIZE_BYTES
    return PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * min(row_count, ELEMENT_COUNT_MAX)


def _branch_slots(page: bytes) -> Iterator[_Slot]:
    at = PAGE_HEADER_SIZE_BYTES
    table = page[at : _table_limit(page)]
    for index, (pos, key_size, _) in enumerate(BRANCH_ELEMENT.iter_unpack(table)):
        start = at + pos
        at += ELEMENT_SIZE_BYTES
        end = start + key_size
        if key_size and start >= at and end <= len(page):
            yield _Slot(index, 0, start, end, end)


def _mended(page: bytes, slots: list[_Slot], page_count: int) -> list[_Slot]:
    """Correct the elements of which one number has a wrong bit.

    Elements lie side by side, so that the table says twice where each begins: as its own place, and
    as the end of the one before. Of the two, that is right whose row agrees with its other side.

    Args:
        page: The whole run.
        slots: What can be an element, ascending.
        page_count: Pages of the file.
    """
    count = int.from_bytes(page[10:12], "little")
    table_end = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * count
    if not count or table_end > len(page):
        return slots
    rows = [_Row(*row) for row in LEAF_ELEMENT.iter_unpack(page[PAGE_HEADER_SIZE_BYTES:table_end])]
    by_index = {slot.element_index: slot for slot in slots}
    for index, (low, high) in enumerate(pairwise(_bounds(page, table_end, rows, page_count))):
        if low is None or high is None:
            continue
        slot = by_index.get(index)
        if (
            slot is None
            or (slot.start, slot.end) != (low, high)
            or not _is_whole(page, slot, page_count)
        ):
            mended = _fitted(page, rows, index, (low, high), page_count)
            if mended is not None:
                by_index[index] = mended
            elif slot is not None and (slot.start < low or slot.end > high):
                del by_index[index]
    return [by_index[index] for index in sorted(by_index)]


def _bounds(page: bytes, table_end: int, rows: list[_Row], page_count: int) -> list[int | None]:
    """Return where each element begins and the last one ends; None where nothing agrees."""
    starts = [
        PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * index + row.pos
        for index, row in enumerate(rows)
    ]
    ends = [start + row.key_size + row.value_size for start, row in zip(starts, rows, strict=True)]
    last = len(rows) - 1
    found: list[int | None] = [table_end]
    for index in range(1, last + 1):
        before = ends[index - 1]
        if index < last:
            is_right = ends[index] == starts[index + 1]
        else:
            is_right = ends[last] == _end_of_page(page, rows, starts[last], page_count)
        if before == starts[index] or is_right:
            found.append(starts[index])
        else:
            left = ends[index - 2] if index > 1 else table_end
            found.append(before if starts[index - 1] == left else None)
    low = found[last]
    if low is not None and starts[last] != low:
        found.append(low + ends[last] - starts[last])
    else:
        found.append(_end_of_page(page, rows, starts[last], page_count))
    return found


def _end_of_page(page: bytes, rows: list[_Row], start: int, page_count: int) -> int:
    """Tell where the last element ends, of which its row alone says how long it is."""
    if not any(page[:PGID_SIZE_BYTES]):
        return len(page)  # an inline one
    row = rows[-1]
    value_start = start + row.key_size
    stated = value_start + row.value_size
    end = len(page.rstrip(b"\0"))
    if any(other.flag for other in rows[:-1]) or len(rows) == 1:
        root = int.from_bytes(page[value_start : value_start + PGID_SIZE_BYTES], "little")
        bucket_end = value_start + BUCKET_HEADER_SIZE_BYTES
        if 0 < root < page_count and end <= bucket_end <= len(page):
            return bucket_end
    if row.flag and end <= stated <= len(page):
        slot = _Slot(len(rows) - 1, row.flag, start, value_start, stated)
        if _is_whole(page, slot, page_count):
            return stated  # an empty bucket ends in zeros
    # A value may end in zeros; but where one bit makes it end without, it does.
    is_one_bit = end > value_start and (end - value_start ^ row.value_size).bit_count() == 1
    is_stated = end <= stated <= len(page) and not is_one_bit
    return stated if is_stated and (page[stated - 1] or len(rows) == 1) else end


def _fitted(
    page: bytes, rows: list[_Row], index: int, bounds: tuple[int, int], page_count: int
) -> _Slot | None:
    """Make the element of which a row says all but one number; None when it says less."""
    row = rows[index]
    low, high = bounds
    size = high - low
    flag = row.flag & BUCKET_FLAG
    if row.flag > BUCKET_FLAG:
        # What most are, or with one wrong bit.
        usual, count = Counter(other.flag for other in rows).most_common(1)[0]
        if usual <= BUCKET_FLAG and 2 * count > len(rows):
            flag = usual
        elif (flag ^ row.flag).bit_count() > 1:
            return None
    if not PAGE_HEADER_SIZE_BYTES < low < high <= len(page):
        return None
    # Among plain elements, what says to be a bucket and cannot be one is plain.
    is_plain = 2 * sum(not other.flag for other in rows) > len(rows)
    flags = [flag, 0] if row.flag and is_plain else [flag]
    options = []
    for key_size in (row.key_size, size - row.value_size):
        value_size = size - key_size
        changed = (key_size ^ row.key_size).bit_count() + (value_size ^ row.value_size).bit_count()
        same_keys = sum(other.key_size == key_size for other in rows)
        # One wrong bit, or none where it is the place that was wrong; or all of the other number.
        if 0 < key_size <= size and (changed <= 1 or 2 * same_keys > len(rows)):
            alike = same_keys + sum(other.value_size == value_size for other in rows)
            slots = [_Slot(index, flag, low, low + key_size, high) for flag in flags]
            options += [(alike, slot) for slot in slots if _is_whole(page, slot, page_count)][:1]
    # What most elements have is right; else the key is, as anybody else reads it.
    return max(options, key=itemgetter(0))[1] if options else None


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


def _lost_sectors(slots: list[_Slot], count: int, offset: int) -> set[int]:
    """Find the sectors of which two rows of the table make no sense: what else they have, neither.

    Of one row, a bit may be wrong.
    """
    seen = {slot.element_index for slot in slots}
    votes: Counter[int] = Counter()
    for index in range(count):
        if index not in seen:
            start = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * index
            votes.update(_sectors(start, start + ELEMENT_SIZE_BYTES, offset))
    return {sector for sector, vote_count in votes.items() if vote_count > 1}


def _sectors(start: int, end: int, offset: int) -> range:
    return range((start + offset) // SECTOR_SIZE_BYTES, -(-(end + offset) // SECTOR_SIZE_BYTES))


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
