"""The bytes of a bolt file under the knife: single fields read and written.

Knows the format by itself, as the specification has it, so that a mistake of the codec is not
repeated here.
"""

from collections.abc import Iterator
from struct import pack_into, unpack_from
from typing import Final

import bolt_store
from tests.support.memory_file import MemoryFile

BRANCH: Final = 1
LEAF: Final = 2
FREELIST: Final = 0x10
NOT_STORED: Final = (1 << 64) - 1

_HEADER: Final = {"id": (0, "<Q"), "flags": (8, "<H"), "count": (10, "<H"), "overflow": (12, "<I")}
_META: Final = {
    "magic": (16, "<I"),
    "version": (20, "<I"),
    "page_size": (24, "<I"),
    "flags": (28, "<I"),
    "root": (32, "<Q"),
    "sequence": (40, "<Q"),
    "freelist": (48, "<Q"),
    "high": (56, "<Q"),
    "txid": (64, "<Q"),
    "checksum": (72, "<Q"),
}
_LEAF_ELEMENT: Final = {
    "flags": (0, "<I"),
    "pos": (4, "<I"),
    "ksize": (8, "<I"),
    "vsize": (12, "<I"),
}
_BRANCH_ELEMENT: Final = {"pos": (0, "<I"), "ksize": (4, "<I"), "child": (8, "<Q")}

META_FIELDS: Final = tuple(_META)
HEADER_FIELDS: Final = tuple(_HEADER)


def checksum(data: bytes | bytearray) -> int:
    """Return the FNV-1a hash of `data`, 64 bits."""
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = ((digest ^ byte) * 0x100000001B3) % (1 << 64)
    return digest


class Patient:
    """A file in memory whose every field can be set."""

    def __init__(self, content: bytes, *, page_size_bytes: int) -> None:
        self.content = bytearray(content)
        self.page_size_bytes = page_size_bytes

    # -- looking ----------------------------------------------------------------------------

    @property
    def page_count(self) -> int:
        """Number of whole pages in the file."""
        return len(self.content) // self.page_size_bytes

    @property
    def newest(self) -> int:
        """The slot with the higher txid."""
        return int(self.meta(1, "txid") > self.meta(0, "txid"))

    @property
    def root(self) -> int:
        """Root page of the newest snapshot."""
        return self.meta(self.newest, "root")

    @property
    def freelist(self) -> int:
        """Freelist page of the newest snapshot."""
        return self.meta(self.newest, "freelist")

    def meta(self, slot: int, field: str) -> int:
        return self._get(slot * self.page_size_bytes, _META[field])

    def header(self, pgid: int, field: str) -> int:
        """Return one field of a page header."""
        return self._get(pgid * self.page_size_bytes, _HEADER[field])

    def element(self, pgid: int, index: int, field: str) -> int:
        """Return one field of an element header."""
        return self._get(self._element(pgid, index), self._fields(pgid)[field])

    def key(self, pgid: int, index: int) -> bytes:
        start = self.key_offset(pgid, index)
        return bytes(self.content[start : start + self.element(pgid, index, "ksize")])

    def key_offset(self, pgid: int, index: int) -> int:
        """Return where in the file the key of an element starts."""
        return self._element(pgid, index) + self.element(pgid, index, "pos")

    def value_offset(self, pgid: int, index: int) -> int:
        """Return where in the file the value of a leaf element starts."""
        return self.key_offset(pgid, index) + self.element(pgid, index, "ksize")

    def children(self, pgid: int) -> list[int]:
        return [self.element(pgid, index, "child") for index in range(self.header(pgid, "count"))]

    def find(self, pgid: int, key: bytes) -> tuple[int, int]:
        """Return the leaf page and the element index of a key in the tree of `pgid`."""
        while self.header(pgid, "flags") == BRANCH:
            keys = [self.key(pgid, index) for index in range(self.header(pgid, "count"))]
            pgid = self.element(pgid, max(sum(each <= key for each in keys) - 1, 0), "child")
        keys = [self.key(pgid, index) for index in range(self.header(pgid, "count"))]
        return pgid, keys.index(key)

    def bucket_root(self, *names: bytes) -> int:
        """Return the root page of a bucket that is not inline."""
        root = self.root
        for name in names:
            pgid, index = self.find(root, name)
            (root,) = unpack_from("<Q", self.content, self.value_offset(pgid, index))
        return root

    def free_ids(self) -> list[int]:
        """Return the ids of the newest freelist, in its short form; none where none is stored."""
        return [] if self.freelist == NOT_STORED else self.free_ids_of(self.freelist)

    def free_ids_of(self, pgid: int) -> list[int]:
        """Return the ids of a freelist in its short form."""
        start = pgid * self.page_size_bytes + 16
        return list(unpack_from(f"<{self.header(pgid, 'count')}Q", self.content, start))

    def tree_pages(self) -> Iterator[int]:
        """Return the pages that look like a branch or a leaf of their place."""
        for pgid in range(2, self.page_count):
            if self.header(pgid, "id") == pgid and self.header(pgid, "flags") in (BRANCH, LEAF):
                yield pgid

    # -- cutting ----------------------------------------------------------------------------

    def set_meta(self, slot: int, **fields: int) -> None:
        """Set fields of a meta and sign it again, unless the checksum is among them."""
        start = slot * self.page_size_bytes
        for field, value in fields.items():
            self._set(start, _META[field], value)
        if "checksum" not in fields:
            digest = checksum(self.content[start + 16 : start + 72])
            self._set(start, _META["checksum"], digest)

    def set_header(self, pgid: int, **fields: int) -> None:
        """Set fields of a page header."""
        for field, value in fields.items():
            self._set(pgid * self.page_size_bytes, _HEADER[field], value)

    def set_element(self, pgid: int, index: int, **fields: int) -> None:
        """Set fields of an element header, of a leaf or a branch as the page's flags say."""
        for field, value in fields.items():
            self._set(self._element(pgid, index), self._fields(pgid)[field], value)

    def set_free_ids(self, ids: list[int]) -> None:
        """Write a freelist in its short form."""
        self.set_header(self.freelist, count=len(ids))
        pack_into(f"<{len(ids)}Q", self.content, self.freelist * self.page_size_bytes + 16, *ids)

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes anywhere, without growing the file."""
        assert offset + len(data) <= len(self.content)
        self.content[offset : offset + len(data)] = data

    def page(self, pgid: int) -> bytes:
        """Return the bytes of one page."""
        start = pgid * self.page_size_bytes
        return bytes(self.content[start : start + self.page_size_bytes])

    def set_page(self, pgid: int, data: bytes) -> None:
        assert len(data) == self.page_size_bytes
        self.write(pgid * self.page_size_bytes, data)

    def truncate(self, size_bytes: int) -> None:
        del self.content[size_bytes:]

    # -- what the engine says ----------------------------------------------------------------

    def open(self, *, write: bool = False) -> bolt_store.DB:
        return bolt_store.open_file(MemoryFile(bytes(self.content)), write=write)

    def findings(self) -> list[bolt_store.Finding]:
        with self.open() as db:
            return list(db.check())

    # -- inside ------------------------------------------------------------------------------

    def _fields(self, pgid: int) -> dict[str, tuple[int, str]]:
        return _BRANCH_ELEMENT if self.header(pgid, "flags") & BRANCH else _LEAF_ELEMENT

    def _element(self, pgid: int, index: int) -> int:
        return pgid * self.page_size_bytes + 16 + 16 * index

    def _get(self, start: int, field: tuple[int, str]) -> int:
        (value,) = unpack_from(field[1], self.content, start + field[0])
        assert isinstance(value, int)
        return value

    def _set(self, start: int, field: tuple[int, str], value: int) -> None:
        pack_into(field[1], self.content, start + field[0], value)
