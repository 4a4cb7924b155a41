"""An independent count of what a state of a bolt file still has, for judging salvage.

Written from the format alone: nothing of the package is called here. A page counts when all of it
can be read and it lies where it is referred to; whoever takes sound elements of damaged pages, too,
has more.
"""

import struct
from typing import NamedTuple

Record = tuple[tuple[bytes, ...], bytes]
"""Names of the buckets that a key is in, from the top down, and the key. Buckets are keys, too."""

BRANCH, LEAF = 1, 2
MAGIC, VERSION = 0xED0CDAED, 2
DEPTH_MAX = 40


class MetaPage(NamedTuple):
    """A meta whose checksum is right."""

    root: int
    txid: int


def metas(content: bytes, page_size: int) -> list[MetaPage]:
    """Return the metas that can be used, the newer one first."""
    found = []
    for slot in (0, 1):
        body = content[slot * page_size + 16 : slot * page_size + 80]
        if len(body) < 64:
            continue
        magic, version, size, _, root, _, _, _, txid, total = struct.unpack("<IIIIQQQQQQ", body)
        if (magic, version, size) == (MAGIC, VERSION, page_size) and total == fnv(body[:56]):
            found.append(MetaPage(root, txid))
    return sorted(found, key=lambda meta: -meta.txid)


def fnv(data: bytes) -> int:
    """Return the 64-bit FNV-1a sum."""
    total = 0xCBF29CE484222325
    for byte in data:
        total = (total ^ byte) * 0x100000001B3 % (1 << 64)
    return total


class Counter:
    """Reads one content, page by page.

    Attributes:
        content: The bytes of the file.
        page_size: Its page size.
    """

    def __init__(self, content: bytes, page_size: int) -> None:
        self.content = content
        self.page_size = page_size

    def records(self, root: int) -> set[Record]:
        """Return everything that can be reached from a root page."""
        found: set[Record] = set()
        self._tree(root, (), found, set())
        return found

    def roots(self) -> list[int]:
        """Return every page that can be the root of all: a leaf of buckets, or a branch."""
        found = []
        for pgid in range(2, len(self.content) // self.page_size):
            page = self._page(pgid)
            if page is None:
                continue
            elements = self._elements(page) if page[8] == LEAF else None
            if page[8] == BRANCH or (elements and all(flag for flag, _, _ in elements)):
                found.append(pgid)
        return found

    def _page(self, pgid: int) -> bytes | None:
        start = pgid * self.page_size
        header = self.content[start : start + 16]
        if pgid < 2 or len(header) < 16:
            return None
        stated, flags, _, overflow = struct.unpack("<QHHI", header)
        end = start + (overflow + 1) * self.page_size
        is_page = stated == pgid and flags in (BRANCH, LEAF) and end <= len(self.content)
        return self.content[start:end] if is_page else None

    def _elements(self, page: bytes) -> list[tuple[int, bytes, bytes]] | None:
        """Return flag, key and value of each element of a leaf; None when one is wrong."""
        (count,) = struct.unpack_from("<H", page, 10)
        found: list[tuple[int, bytes, bytes]] = []
        if 16 + 16 * count > len(page):
            return None
        for index in range(count):
            at = 16 + 16 * index
            flag, pos, key_size, value_size = struct.unpack_from("<IIII", page, at)
            start = at + pos
            end = start + key_size + value_size
            key = page[start : start + key_size]
            is_sound = flag < 2 and key and start >= 16 + 16 * count and end <= len(page)
            if not is_sound or (found and key <= found[-1][1]):
                return None
            found.append((flag, key, page[start + key_size : end]))
        return found

    def _children(self, page: bytes) -> list[tuple[bytes, int]] | None:
        (count,) = struct.unpack_from("<H", page, 10)
        found: list[tuple[bytes, int]] = []
        if not count or 16 + 16 * count > len(page):
            return None
        for index in range(count):
            at = 16 + 16 * index
            pos, key_size, child = struct.unpack_from("<IIQ", page, at)
            key = page[at + pos : at + pos + key_size]
            if not key or at + pos + key_size > len(page) or (found and key <= found[-1][0]):
                return None
            found.append((key, child))
        return found

    def _tree(self, root: int, path: tuple[bytes, ...], found: set[Record], seen: set[int]) -> None:
        pending: list[tuple[int, bytes, bytes | None, int]] = [(root, b"", None, 0)]
        while pending:
            pgid, low, high, depth = pending.pop()
            page = self._page(pgid)
            if page is None or pgid in seen or depth > DEPTH_MAX:
                continue
            if page[8] == BRANCH:
                children = self._children(page)
                if children is None or not _is_inside([key for key, _ in children], low, high):
                    continue
                seen.add(pgid)
                ends = [key for key, _ in children[1:]] + [high]
                pending += [
                    (child, key, end, depth + 1)
                    for (key, child), end in zip(children, ends, strict=True)
                ]
                continue
            elements = self._elements(page)
            if elements is None:
                continue
            seen.add(pgid)
            if _is_inside([key for _, key, _ in elements], low, high):
                self._take(elements, path, found, seen)

    def _take(
        self,
        elements: list[tuple[int, bytes, bytes]],
        path: tuple[bytes, ...],
        found: set[Record],
        seen: set[int],
    ) -> None:
        for flag, key, value in elements:
            if not flag and not path:
                continue
            found.add((path, key))
            if flag and len(value) >= 16 and len(path) < DEPTH_MAX:
                root = int.from_bytes(value[:8], "little")
                inner = (*path, key)
                if root:
                    self._tree(root, inner, found, seen)
                elif len(value) >= 32 and (nested := self._elements(value[16:])) is not None:
                    self._take(nested, inner, found, seen)


def _is_inside(keys: list[bytes], low: bytes, high: bytes | None) -> bool:
    """Tell whether a page belongs where it is referred to: no key lies outside of its range."""
    return not keys or (keys[0] >= low and (high is None or keys[-1] < high))
