"""Block files that fail, and one that knows what a power cut would leave."""

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.support.memory_file import MemoryFile

SECTOR_BYTES = 512


@dataclass(frozen=True)
class Write:
    """One write that has not been synced yet."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class CrashImage:
    """What a file may hold after a power cut.

    Attributes:
        content: The bytes.
        event: Number of the write, resize or sync after which the power went.
        is_meta_written: Whether a write to one of the two meta pages is among the lost or kept.
        is_final: Whether the last sync of the run had returned.
    """

    content: bytes
    event: int
    is_meta_written: bool
    is_final: bool


class CrashFile(MemoryFile):
    """Keeps writes apart until they are synced, and makes images of every possible power cut."""

    def __init__(self, content: bytes, *, page_size_bytes: int, random: Random) -> None:
        super().__init__(content)
        self._synced = content
        self._queue: list[Write] = []
        self._size = len(content)
        self._meta_end = 2 * page_size_bytes
        self._random = random
        self._event = 0
        self.images: list[CrashImage] = []

    def write_at(self, offset: int, data: bytes) -> None:
        super().write_at(offset, data)
        self._queue.append(Write(offset, data))
        self._record()

    def resize(self, size_bytes: int) -> None:
        super().resize(size_bytes)
        self._record()

    def sync(self) -> None:
        super().sync()
        self._synced = self.content()
        self._queue = []
        self._record()

    def mark_final(self) -> None:
        """Note that the commit has returned: from here on only the new state is allowed."""
        self._event += 1
        self._add(self.content(), is_final=True)

    def _record(self) -> None:
        """Make the images of a power cut right after this event."""
        self._event += 1
        queue = self._queue
        for kept in self._choices(len(queue)):
            self._add(self._apply([queue[index] for index in kept]))
        if queue:
            for torn in self._tear(queue[-1]):
                self._add(self._apply([*queue[:-1], *torn]))

    def _choices(self, count: int) -> Iterator[list[int]]:
        """Choose which unsynced writes have arrived: all subsets of few, a sample of many."""
        if count <= 6:
            for bits in range(1 << count):
                yield [index for index in range(count) if bits >> index & 1]
            return
        for end in range(count + 1):
            yield list(range(end))
        for lost in range(count):
            yield [index for index in range(count) if index != lost]
        for _ in range(40):
            yield [index for index in range(count) if self._random.random() < 0.5]

    def _tear(self, write: Write) -> Iterator[list[Write]]:
        """Let only some sectors of a write arrive."""
        starts = range(0, len(write.data), SECTOR_BYTES)
        if len(starts) < 2:
            return
        for _ in range(4):
            yield [
                Write(write.offset + start, write.data[start : start + SECTOR_BYTES])
                for start in starts
                if self._random.random() < 0.5
            ]

    def _apply(self, writes: list[Write]) -> bytes:
        """Return the synced content with these writes; the size may or may not have arrived."""
        file = MemoryFile(self._synced)
        for write in writes:
            file.write_at(write.offset, write.data)
        if self._random.random() < 0.5 and file.size_bytes() < self.size_bytes():
            file.resize(self.size_bytes())
        return file.content()

    def _add(self, content: bytes, *, is_final: bool = False) -> None:
        is_meta = any(write.offset < self._meta_end for write in self._queue)
        self.images.append(CrashImage(content, self._event, is_meta, is_final))


class FaultFile(MemoryFile):
    """Fails one call, and every call after it where told so."""

    def __init__(
        self, content: bytes, *, fail_at: int, fault: Callable[[], OSError | None]
    ) -> None:
        """Prepare the failure.

        Args:
            content: The bytes to start from.
            fail_at: Number of the changing call that fails, from 1 on.
            fault: Makes the error; None stands for a write that stops half way and then fails.
        """
        super().__init__(content)
        self._left = fail_at
        self._fault = fault
        self.has_failed = False

    def _is_due(self) -> bool:
        self._left -= 1
        self.has_failed = self.has_failed or self._left == 0
        return self._left == 0

    def write_at(self, offset: int, data: bytes) -> None:
        if self._is_due():
            error = self._fault()
            if error is None:
                super().write_at(offset, data[: len(data) // 2])
                error = OSError(errno.EIO, "short write")
            raise error
        super().write_at(offset, data)

    def sync(self) -> None:
        if self._is_due():
            raise self._fault() or OSError(errno.EIO, "sync failed")

    def resize(self, size_bytes: int) -> None:
        if self._is_due():
            raise self._fault() or OSError(errno.ENOSPC, "no space")
        super().resize(size_bytes)
