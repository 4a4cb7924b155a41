"""Everything that is printed.

Lives here: lines and JSON on stdout, messages on stderr. Must not live here: what is printed.

Invariants: a message that cannot be written is dropped; a result that cannot be written is an
error. What comes from a file name is escaped before it reaches a terminal.
"""

import contextlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TextIO

JSON_VERSION: Final = 1


class OutputError(Exception):
    """The result cannot be written."""


class Output:
    """Where the program writes."""

    def __init__(self, stdout: TextIO, stderr: TextIO) -> None:
        self._stdout = stdout
        self.stderr: Final = stderr
        for stream in (stdout, stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")

    def line(self, text: str) -> None:
        """Write one line of the result.

        Args:
            text: The line, without its line feed.

        Raises:
            OutputError: stdout cannot take it.
            BrokenPipeError: Nobody reads it any more.
        """
        with _failing_as_output():
            self._stdout.write(text + "\n")

    def document(self, content: Mapping[str, object]) -> None:
        """Write these fields, behind "version", as the result, in one JSON document; as `line`."""
        self.line(json.dumps({"version": JSON_VERSION, **content}))

    def stream(self, content: Mapping[str, object], name: str, items: Iterable[object]) -> None:
        """Write one JSON document that ends in a long list, without holding it. Raises as `line`.

        Args:
            content: The fields before the list; "version" is put before them.
            items: What is in it. Each gets a line of its own.
        """
        head = json.dumps({"version": JSON_VERSION, **content, name: []})
        ending = head.removesuffix("]}")
        for item in items:
            self.line(ending)
            ending = f"{json.dumps(item)},"
        self.line(ending.removesuffix(",") + "]}")

    def message(self, text: str) -> None:
        """Write one line to stderr; drop it when that fails."""
        with contextlib.suppress(OSError, ValueError):
            self.stderr.write(text + "\n")
            self.stderr.flush()

    def error(self, sentence: str, hint: str) -> None:
        """Say what happened, whether anything was changed, and what to do: the last two lines."""
        self.message(f"error: {' '.join(sentence.split())}")
        self.message(f"hint: {' '.join(hint.split())}")

    def close(self) -> None:
        """Flush the result, so that a full disk is an error and not a silence. Raises as `line`."""
        with _failing_as_output():
            self._stdout.flush()

    def abandon(self) -> None:
        """Stop writing to stdout, so that the exit is quiet."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stdout.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def _failing_as_output() -> Iterator[None]:
    """Tell a result that cannot be written from a file that cannot be read."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(os.strerror(error.errno or 0)) from error


def shown(path: object) -> str:
    """Return a path as it may be printed: unprintable characters escaped."""
    text = str(path)
    return text if text.isprintable() else ascii(text)
