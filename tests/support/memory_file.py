"""A block file in memory.

Lives here: `MemoryFile`. Must not live here: anything that a file on disk would not do.
"""

from bolt_store.file.block_file import BlockFile


class MemoryFile(BlockFile):
    """A `BlockFile` that keeps its bytes in memory and is always synced."""

    def __init__(self, content: bytes = b"") -> None:
        self._content = bytearray(content)

    def content(self) -> bytes:
        return bytes(self._content)

    def size_bytes(self) -> int:
        return len(self._content)

    def read_at(self, offset: int, size_bytes: int) -> bytes:
        """Return the bytes at `offset`, fewer only where the file ends."""
        return bytes(self._content[offset : offset + size_bytes])

    def write_at(self, offset: int, data: bytes) -> None:
        if offset > len(self._content):
            self.resize(offset)
        self._content[offset : offset + len(data)] = data

    def sync(self) -> None:
        """Do nothing: there is no power to lose."""

    def resize(self, size_bytes: int) -> None:
        if size_bytes < len(self._content):
            del self._content[size_bytes:]
        else:
            self._content.extend(bytes(size_bytes - len(self._content)))

    def close(self) -> None:
        """Do nothing: the content stays for whoever wants to look at it."""
