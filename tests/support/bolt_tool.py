"""boltdb 1.3.1's own command line tool: a second opinion, older than bbolt.

It opens a file for writing even to look at it, so it is always given a copy.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class ToolError(Exception):
    """The tool refused a file, or died on it."""


class ToolPage(NamedTuple):
    """A line of `bolt pages`.

    Attributes:
        pgid: First page of the run.
        kind: "meta", "leaf", "branch", "freelist" or "free".
        element_count: Number of elements; 0 for a free page, whose count is not shown.
        overflow: Number of further pages in the run.
    """

    pgid: int
    kind: str
    element_count: int
    overflow: int


class BoltTool:
    """The tool of boltdb 1.3.1."""

    def __init__(self, program: Path) -> None:
        """Use a tool that has been built (`tests.support.go_build`)."""
        self.program = program

    def check(self, path: Path) -> list[str]:
        """Return what its check finds; no line is a clean file."""
        lines = self._run("check", path, refusal="invalid value").splitlines()
        # The last line is "OK", or the number of errors.
        return lines[:-1]

    def pages(self, path: Path) -> list[ToolPage]:
        """Return every page below the high water mark."""
        lines = self._run("pages", path).splitlines()[2:]
        return [_parse_page(line) for line in lines]

    def stats(self, path: Path) -> dict[str, int]:
        """Return its statistics by the words that it prints in front of each number."""
        text = self._run("stats", path)
        buckets = re.search(r"statistics for (\d+) buckets", text)
        numbers = re.findall(r"^\t([^:\n]+): (\d+)", text, re.MULTILINE)
        counted = {"buckets": int(buckets[1])} if buckets else {}
        return counted | {words: int(number) for words, number in numbers}

    def page_size_bytes(self, path: Path) -> int:
        """Return the page size, which is all that its `info` tells."""
        return int(self._run("info", path).removeprefix("Page Size: "))

    def _run(self, command: str, path: Path, *, refusal: str = "") -> str:
        """Run a command; `refusal` is the complaint on stdout that is an answer, not a failure."""
        with _copy_of(path) as copy:
            words = [str(self.program), command, str(copy)]
            done = subprocess.run(words, capture_output=True, timeout=60, check=False)
        answer = done.stdout.decode(errors="replace")
        if not done.returncode:
            return answer
        *lines, complaint = answer.splitlines() or [""]
        if done.stderr or complaint != refusal:
            raise ToolError(complaint + done.stderr.decode(errors="replace")[:500])
        return "\n".join(lines)


@contextmanager
def _copy_of(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.bolt"
        shutil.copyfile(path, copy)
        yield copy


def _parse_page(line: str) -> ToolPage:
    # The columns are 8, 10, 6 and 6 wide; the last two may be empty.
    pgid, kind = line[:8], line[9:19]
    count, overflow = line[20:26].strip(), line[27:].strip()
    return ToolPage(int(pgid), kind.strip(), int(count or 0), int(overflow or 0))
