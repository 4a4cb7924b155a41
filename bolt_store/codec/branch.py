"""The branch page: keys with the child pages that start with them.

Lives here: branch pages. Must not live here: walking down to the children.

Source: bbolt v1.3.6 page.go (branchPageElement), node.go (write).
"""

from itertools import accumulate, pairwise
from operator import add
from typing import Generic, TypeVar

from bolt_store.codec.keys import ascend
from bolt_store.codec.layout import (
    BRANCH_ELEMENT,
    BRANCH_FLAG,
    ELEMENT_SIZE_BYTES,
    META_PAGE_COUNT,
    PAGE_HEADER_SIZE_BYTES,
)
from bolt_store.codec.page import PageHeader, decode_page_header, encode_page_header
from bolt_store.errors import PageError, invariant
from bolt_store.limits import ELEMENT_COUNT_MAX

ChildT = TypeVar("ChildT")


class Branch(Generic[ChildT]):
    """The elements of a branch page, in two columns of equal length.

    Attributes:
        keys: First key of each child, ascending.
        children: Page id of each child; in a changed tree also the changed child itself.
    """

    __slots__ = ("children", "keys")

    def __init__(self, keys: list[bytes], children: list[ChildT]) -> None:
        self.keys = keys
        self.children = children


def decode_branch(page: bytes, *, pgid: int) -> Branch[int]:
    """Decode a whole branch page and validate every element.

    Whether the children exist is for whoever reads them.

    Args:
        page: The whole run.
        pgid: Where it was read.

    Returns:
        Fresh lists; at least one child, so that a descent always has somewhere to go.

    Raises:
        PageError: It is no branch page, has no element, an element ends outside of it, shares
            bytes with another or points to a meta page, a key is empty, or the keys do not ascend.
    """
    header = decode_page_header(page, pgid=pgid)
    count = header.element_count
    table_end = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * count
    if header.flags != BRANCH_FLAG:
        problem = f"has flags {header.flags:#06x}, expected a branch"
        raise PageError(pgid=pgid, code="page.kind", problem=problem)
    if not count:
        raise PageError(pgid=pgid, code="branch.empty", problem="branch page without children")
    if table_end > len(page):
        problem = f"{count} elements do not fit into {len(page)} bytes"
        raise PageError(pgid=pgid, code="element.table", problem=problem)
    element = PAGE_HEADER_SIZE_BYTES
    positions, sizes, children = zip(
        *BRANCH_ELEMENT.iter_unpack(page[element:table_end]), strict=True
    )
    ends = list(accumulate(sizes, initial=table_end))
    # bbolt packs without gaps, so each key starts where the one before ends.
    if list(map(add, positions, range(element, table_end, ELEMENT_SIZE_BYTES))) == ends[:-1]:
        keys = [page[start:end] for start, end in pairwise(ends)]
        if ends[-1] <= len(page) and min(children) >= META_PAGE_COUNT and ascend(keys):
            return Branch(keys, list(children))
    return _decode_unpacked(page, count, pgid=pgid)


def is_packed_branch(page: bytes) -> bool:
    """Tell whether the keys of a sound branch page lie in order and without gaps, as bbolt's do."""
    count = page[10] | page[11] << 8
    table_end = PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * count
    expected = ELEMENT_SIZE_BYTES * count
    for pos, key_size, _ in BRANCH_ELEMENT.iter_unpack(page[PAGE_HEADER_SIZE_BYTES:table_end]):
        if pos != expected:
            return False
        expected += key_size - ELEMENT_SIZE_BYTES
    return True


def _decode_unpacked(page: bytes, count: int, *, pgid: int) -> Branch[int]:
    """Decode element by element: the way for gaps, and to name what is wrong."""
    element = PAGE_HEADER_SIZE_BYTES
    table_end = element + ELEMENT_SIZE_BYTES * count
    branch: Branch[int] = Branch([], [])
    previous = b""
    room = len(page) - table_end
    for pos, key_size, child in BRANCH_ELEMENT.iter_unpack(page[element:table_end]):
        start = element + pos
        room -= key_size
        if start < table_end or start + key_size > len(page):
            index = len(branch.keys)
            problem = f"element {index} does not lie between the element table and the page's end"
            raise PageError(pgid=pgid, code="element.bounds", problem=problem)
        if room < 0:
            problem = f"element {len(branch.keys)} shares bytes with another"
            raise PageError(pgid=pgid, code="element.overlap", problem=problem)
        key = page[start : start + key_size]
        if key <= previous:
            index = len(branch.keys)
            code = "key.order" if key else "key.empty"
            problem = f"key {index} is empty or not above the one before it"
            raise PageError(pgid=pgid, code=code, problem=problem)
        if child < META_PAGE_COUNT:
            problem = f"element {len(branch.keys)} points to meta page {child}"
            raise PageError(pgid=pgid, code="page.range", problem=problem)
        branch.keys.append(key)
        branch.children.append(child)
        previous = key
        element += ELEMENT_SIZE_BYTES
    return branch


def branch_size_bytes(keys: list[bytes]) -> int:
    """Return the number of bytes that a branch page with these keys takes, header included."""
    return PAGE_HEADER_SIZE_BYTES + ELEMENT_SIZE_BYTES * len(keys) + sum(map(len, keys))


def encode_branch(branch: Branch[int], *, pgid: int, page_size_bytes: int) -> bytes:
    """Encode a branch page, packed as bbolt packs it and zero-filled to whole pages.

    Args:
        branch: At least two children, ascending keys.

    Returns:
        The whole run.
    """
    count = len(branch.keys)
    invariant(1 < count <= ELEMENT_COUNT_MAX, "a branch page has 2 to 65,534 children")
    invariant(ascend(branch.keys), "keys are non-empty and ascend")
    invariant(min(branch.children) >= META_PAGE_COUNT, "a child is no meta page")
    overflow = -(-branch_size_bytes(branch.keys) // page_size_bytes) - 1
    parts = [encode_page_header(PageHeader(pgid, BRANCH_FLAG, count, overflow))]
    pos = ELEMENT_SIZE_BYTES * count
    for key, child in zip(branch.keys, branch.children, strict=True):
        parts.append(BRANCH_ELEMENT.pack(pos, len(key), child))
        pos += len(key) - ELEMENT_SIZE_BYTES
    parts += branch.keys
    return b"".join(parts).ljust(page_size_bytes * (overflow + 1), b"\0")
