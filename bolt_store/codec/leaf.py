"""The leaf page: keys with values, and buckets.

Lives here: leaf pages, on a page of their own or inline in a bucket's value. Must not live here:
the meaning of a bucket's value (`bolt_store.codec.bucket`).

Invariants: elements handed out lie inside the page; keys are non-empty and ascend strictly.
Decoding makes no object for each element, which would cost more than everything else together, and
where the elements are of one size, as in an index, it has no loop either.

Source: bbolt v1.3.6 page.go (leafPageElement), node.go (write).
"""

from collections.abc import Sized
from functools import lru_cache
from struct import Struct, iter_unpack
from typing import Final, Generic, NamedTuple, TypeVar

from bolt_store.codec.keys import ascend
from bolt_store.codec.layout import (
    BUCKET_FLAG,
    ELEMENT_SIZE_BYTES,
    HEADER_AND_ELEMENT,
    LEAF_ELEMENT,
    LEAF_FLAG,
    PAGE_HEADER,
    PAGE_HEADER_SIZE_BYTES,
)
from bolt_store.codec.page import PageHeader, decode_page_header, encode_page_header
from bolt_store.errors import KeyRequiredError, KeyTooLargeError, PageError, invariant
from bolt_store.limits import ELEMENT_COUNT_MAX

_ALIKE_COUNTS: Final = range(4, 513)
"""Of fewer elements each page has other sizes; of more, the patterns kept would pass 2 MiB."""

_SOLE_KEY: Final = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES
"""Where the key of an element starts that is alone on its page."""

ValueT = TypeVar("ValueT", bound=Sized)


class LeafElements(Generic[ValueT]):
    """The elements of a leaf, in three columns of equal length.

    Attributes:
        flags: 1 where the value is a bucket, 0 where it is plain.
        keys: Ascending keys.
        values: The value behind each key; of a changed leaf also the place where it lies.
    """

    __slots__ = ("flags", "keys", "values")

    def __init__(self, flags: list[int], keys: list[bytes], values: list[ValueT]) -> None:
        self.flags = flags
        self.keys = keys
        self.values = values


class Leaf(LeafElements[bytes]):
    """The elements of a leaf page."""

    __slots__ = ()


def leaf_element_count(page: bytes, *, pgid: int | None) -> int:
    """Return the number of elements of a leaf page, checked against the size of the page.

    Args:
        page: The whole run.
        pgid: Where it was read; None for an inline page.

    Raises:
        PageError: It is no leaf page, or its element table is larger than the page.
    """
    if len(page) >= PAGE_HEADER_SIZE_BYTES:
        found, flags, count, _ = PAGE_HEADER.unpack_from(page)
        is_leaf = flags == LEAF_FLAG and found == (pgid or 0)
        if is_leaf and PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * count <= len(page):
            return int(count)
    # Something is wrong; now for the reason.
    header = decode_page_header(page, pgid=pgid)
    if header.flags != LEAF_FLAG:
        raise PageError(
            pgid=pgid, code="page.kind", problem=f"has flags {header.flags:#06x}, expected a leaf"
        )
    raise PageError(
        pgid=pgid,
        code="element.table",
        problem=f"{header.element_count} elements do not fit into {len(page)} bytes",
    )


def decode_leaf(page: bytes, *, pgid: int | None) -> Leaf:
    """Decode a whole leaf page and validate every element.

    Args:
        page: The whole run.
        pgid: Where it was read; None for an inline page.

    Returns:
        Fresh lists of fresh `bytes`.

    Raises:
        PageError: It is no leaf page, an element ends outside of it, has unknown flags or an empty
            key, elements share bytes, or the keys do not ascend.
    """
    ends = _ends_of_sole(page, pgid)
    if ends is not None:
        middle, end = ends
        return Leaf([0], [page[_SOLE_KEY:middle]], [page[middle:end]])
    count = leaf_element_count(page, pgid=pgid)
    table_end = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * count
    alike = _alike(page, count, table_end)
    if alike is not None:
        columns = alike.elements.unpack_from(page, table_end)
        keys = list(columns[0::2])
        if ascend(keys):
            return Leaf([0] * count, keys, list(columns[1::2]))
    table = page[PAGE_HEADER_SIZE_BYTES:table_end]
    keys = []
    values: list[bytes] = []
    seen_flags = 0
    element = PAGE_HEADER_SIZE_BYTES
    end = table_end
    # bbolt packs without gaps, so each element starts where the one before ends and one comparison
    # after the loop bounds them all. Whatever is not packed goes the slow way.
    for flag, pos, key_size, value_size in LEAF_ELEMENT.iter_unpack(table):
        if element + pos != end:
            return _decode_unpacked(page, count, pgid=pgid)
        value_start = end + key_size
        keys.append(page[end:value_start])
        end = value_start + value_size
        values.append(page[value_start:end])
        if flag:
            seen_flags |= flag
        element += ELEMENT_SIZE_BYTES
    if end > len(page) or seen_flags > BUCKET_FLAG or not ascend(keys):
        return _decode_unpacked(page, count, pgid=pgid)
    if not seen_flags:
        return Leaf([0] * count, keys, values)
    return Leaf([flag for flag, _, _, _ in LEAF_ELEMENT.iter_unpack(table)], keys, values)


def _ends_of_sole(page: bytes, pgid: int | None) -> tuple[int, int] | None:
    """Find a sound, plain and packed element that is alone on its page; None on other pages.

    Large records lie so, and a listing and a check meet one page for each.

    Returns:
        Where its key, which starts at `_SOLE_KEY`, and its value end.
    """
    if len(page) < _SOLE_KEY:
        return None
    found, flags, count, _, flag, pos, key_size, value_size = HEADER_AND_ELEMENT.unpack_from(page)
    end = _SOLE_KEY + key_size + value_size
    if (
        count != 1
        or flag
        or pos != ELEMENT_SIZE_BYTES
        or not key_size
        or end > len(page)
        or flags != LEAF_FLAG
        or found != (pgid or 0)
    ):
        return None
    return end - value_size, end


def lone_places(block: bytes, page_size_bytes: int, *, pgid: int) -> list[tuple[int, int, int]]:
    """Find the sound, plain and packed elements that are each alone on one page of a block.

    Args:
        block: Pages as they lie in the file.
        pgid: The first of them.

    Returns:
        Where the key starts in the block, and where key and value end, for each page up to the
        first that is another one, be it sound or not, or that goes on in the next.
    """
    places: list[tuple[int, int, int]] = []
    start, room = _SOLE_KEY, page_size_bytes - _SOLE_KEY
    whole = block[: len(block) // page_size_bytes * page_size_bytes]
    form = f"{HEADER_AND_ELEMENT.format}{room}x"
    for found, flags, count, overflow, flag, pos, key_size, value_size in iter_unpack(form, whole):
        if (
            count != 1
            or flag
            or overflow
            or pos != ELEMENT_SIZE_BYTES
            or not key_size
            or key_size + value_size > room
            or flags != LEAF_FLAG
            or found != pgid
        ):
            break
        middle = start + key_size
        places.append((start, middle, middle + value_size))
        start += page_size_bytes
        pgid += 1
    return places


class _Alike(NamedTuple):
    """How plain elements of one size lie on a page where they are packed.

    Attributes:
        elements: Takes keys and values in turn from behind the table.
        keys: Takes the keys alone.
    """

    table: bytes
    elements: Struct
    keys: Struct


@lru_cache(maxsize=64)
def _pattern(count: int, key_size: int, value_size: int) -> _Alike:
    step = key_size + value_size - ELEMENT_SIZE_BYTES
    first = ELEMENT_SIZE_BYTES * count
    return _Alike(
        b"".join(
            LEAF_ELEMENT.pack(0, first + step * index, key_size, value_size)
            for index in range(count)
        ),
        Struct(f"{key_size}s{value_size}s" * count),
        Struct(f"{key_size}s{value_size}x" * count),
    )


def _alike(page: bytes, count: int, table_end: int) -> _Alike | None:
    """Return the pattern of a page whose elements are plain, packed and of one size, else None.

    Comparing the whole table with the one that it has to be replaces the look at each element.
    """
    if count not in _ALIKE_COUNTS:
        return None
    sizes = page[PAGE_HEADER_SIZE_BYTES + 8 : PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES]
    # The last element first: it tells most pages of unlike elements, for next to nothing.
    if page[table_end - 8 : table_end] != sizes:
        return None
    _, _, key_size, value_size = LEAF_ELEMENT.unpack_from(page, PAGE_HEADER_SIZE_BYTES)
    if table_end + count * (key_size + value_size) > len(page):
        return None
    pattern = _pattern(count, key_size, value_size)
    return pattern if page.startswith(pattern.table, PAGE_HEADER_SIZE_BYTES) else None


def decode_leaf_keys(page: bytes, *, pgid: int | None) -> tuple[list[bytes], bool, bool]:
    """Decode the keys of a leaf page and validate every element, without copying the values.

    Args:
        page: The whole run.
        pgid: Where it was read; None for an inline page.

    Returns:
        The keys; whether any element is a bucket; and whether the elements lie in order and without
        gaps, as bbolt writes them. A plain tuple, as one is made for each page.

    Raises:
        PageError: As `decode_leaf`.
    """
    ends = _ends_of_sole(page, pgid)
    if ends is not None:
        return [page[_SOLE_KEY : ends[0]]], False, True
    count = leaf_element_count(page, pgid=pgid)
    table_end = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * count
    alike = _alike(page, count, table_end)
    if alike is not None:
        keys = list(alike.keys.unpack_from(page, table_end))
        if ascend(keys):
            return keys, False, True
    keys = []
    seen_flags = 0
    element = PAGE_HEADER_SIZE_BYTES
    end = table_end
    for flag, pos, key_size, value_size in LEAF_ELEMENT.iter_unpack(
        page[PAGE_HEADER_SIZE_BYTES:table_end]
    ):
        if element + pos != end:
            break
        keys.append(page[end : end + key_size])
        end += key_size + value_size
        if flag:
            seen_flags |= flag
        element += ELEMENT_SIZE_BYTES
    is_sound = len(keys) == count and end <= len(page) and seen_flags <= BUCKET_FLAG
    if not (is_sound and ascend(keys)):
        leaf = _decode_unpacked(page, count, pgid=pgid)
        return leaf.keys, any(leaf.flags), False
    return keys, bool(seen_flags), True


def _decode_unpacked(page: bytes, count: int, *, pgid: int | None) -> Leaf:
    """Decode element by element: the way for gaps, and to name what is wrong."""
    leaf = Leaf([], [], [])
    previous = b""
    room = leaf_room_bytes(page, count)
    for index in range(count):
        flag, key, value = decode_leaf_element(page, index, pgid=pgid)
        room -= len(key) + len(value)
        if room < 0:
            # Sharing bytes, a page could otherwise make values of many times its own size.
            problem = f"element {index} shares bytes with another"
            raise PageError(pgid=pgid, code="element.overlap", problem=problem)
        if key <= previous:
            raise PageError(
                pgid=pgid, code="key.order", problem=f"key {index} is not above the one before it"
            )
        leaf.flags.append(flag)
        leaf.keys.append(key)
        leaf.values.append(value)
        previous = key
    return leaf


def leaf_room_bytes(page: bytes, count: int) -> int:
    """Return how many bytes the keys and values of a leaf page can have together."""
    return len(page) - PAGE_HEADER_SIZE_BYTES - ELEMENT_SIZE_BYTES * count


def decode_leaf_element(page: bytes, index: int, *, pgid: int | None) -> tuple[int, bytes, bytes]:
    """Decode one leaf element.

    The order of keys is deliberately not looked at: one element cannot tell.

    Args:
        page: The whole run, already known to be a leaf page.
        index: Element index on the page, 0-based, below the page's count.
        pgid: Where the page was read; None for an inline page.

    Returns:
        Flags as stored (0 or 1), key and value.

    Raises:
        PageError: The element lies in the element table or ends outside of `page`, its flags are
            unknown, or its key is empty.
    """
    flag, start, key_size, value_size = leaf_element_place(page, index, pgid=pgid)
    value_start = start + key_size
    return flag, page[start:value_start], page[value_start : value_start + value_size]


def leaf_element_place(page: bytes, index: int, *, pgid: int | None) -> tuple[int, int, int, int]:
    """Find one leaf element without copying it.

    Args:
        page: The whole run, already known to be a leaf page.
        index: Element index on the page, 0-based, below the page's count.
        pgid: Where the page was read; None for an inline page.

    Returns:
        Flags, offset of the key in `page`, key size and value size in bytes.

    Raises:
        PageError: As `decode_leaf_element`.
    """
    element = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * index
    flag, pos, key_size, value_size = LEAF_ELEMENT.unpack_from(page, element)
    count = int.from_bytes(page[10:12], "little")
    problem = None
    code = "element.bounds"
    if flag not in (0, BUCKET_FLAG):
        code, problem = "element.flags", f"element {index} has unknown flags {flag:#x}"
    elif pos < ELEMENT_SIZE_BYTES * (count - index):
        problem = f"element {index} starts inside the element table"
    elif element + pos + key_size + value_size > len(page):
        problem = f"element {index} ends outside of the page"
    elif not key_size:
        code, problem = "key.empty", f"element {index} has an empty key"
    if problem is not None:
        raise PageError(pgid=pgid, code=code, problem=problem)
    return flag, element + pos, key_size, value_size


def find_in_leaf(page: bytes, key: bytes, *, pgid: int | None) -> tuple[int, bytes] | None:
    """Look one key up by binary search in the page's bytes.

    Decoding the whole page would take ten times as long. Only the elements that the search touches
    are validated.

    Args:
        page: The whole run, whose header has been validated.
        pgid: Where the page was read; None for an inline page.

    Returns:
        Flags and value, or None when the page does not have the key.

    Raises:
        PageError: It is no leaf page, or an element on the way is damaged.
    """
    count = page[10] | page[11] << 8
    size = len(page)
    if page[8] != LEAF_FLAG or PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * count > size:
        leaf_element_count(page, pgid=pgid)  # raises, with the reason
    unpack = LEAF_ELEMENT.unpack_from
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        element = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * middle
        flag, pos, key_size, value_size = unpack(page, element)
        start = element + pos
        value_start = start + key_size
        end = value_start + value_size
        if end > size or pos < ELEMENT_SIZE_BYTES * (count - middle) or flag > BUCKET_FLAG:
            leaf_element_place(page, middle, pgid=pgid)  # raises, with the reason
        found = page[start:value_start]
        if found < key:
            low = middle + 1
        elif found > key:
            high = middle
        else:
            return flag, page[value_start:end]
    return None


def leaf_size_bytes(leaf: LeafElements[ValueT]) -> int:
    """Return the number of bytes that the page of these elements takes, header included."""
    elements = ELEMENT_SIZE_BYTES * len(leaf.keys)
    return PAGE_HEADER_SIZE_BYTES + elements + sum(map(len, leaf.keys)) + sum(map(len, leaf.values))


def require_key(key: bytes, limit_bytes: int) -> None:
    """Refuse a key or a name that the format cannot hold."""
    if not key:
        raise KeyRequiredError
    if len(key) > limit_bytes:
        raise KeyTooLargeError(found_bytes=len(key), limit_bytes=limit_bytes)


def encode_leaf(leaf: Leaf, *, pgid: int, page_size_bytes: int) -> bytes:
    """Encode a leaf page, packed as bbolt packs it and zero-filled to whole pages.

    Args:
        leaf: Ascending, non-empty keys.
        page_size_bytes: Page size of the file; 0 for an inline page, which is not padded.

    Returns:
        The whole run.
    """
    count = len(leaf.keys)
    invariant(count <= ELEMENT_COUNT_MAX, "a leaf page has at most 65,534 elements")
    size = leaf_size_bytes(leaf)
    overflow = -(-size // page_size_bytes) - 1 if page_size_bytes else 0
    invariant(ascend(leaf.keys), "keys are non-empty and ascend")
    invariant({0, BUCKET_FLAG}.issuperset(leaf.flags), "an element is a value or a bucket")
    parts = [encode_page_header(PageHeader(pgid, LEAF_FLAG, count, overflow))]
    pos = ELEMENT_SIZE_BYTES * count
    data: list[bytes] = []
    for flag, key, value in zip(leaf.flags, leaf.keys, leaf.values, strict=True):
        parts.append(LEAF_ELEMENT.pack(flag, pos, len(key), len(value)))
        pos += len(key) + len(value) - ELEMENT_SIZE_BYTES
        data += (key, value)
    parts += data
    return b"".join(parts).ljust(page_size_bytes * (overflow + 1), b"\0")
