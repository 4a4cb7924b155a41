"""Everything that is shown to a person or handed to a program, except new tokens.

Lives here: result lines, messages, error lines, the JSON stream, colour. Must not live here: what
is shown, which the commands decide, and new tokens, which leave through `recovery.cli.deliver`.

Invariants: results go to stdout, everything else to stderr. A message that cannot be written is
dropped, because a closed stderr must never stop a job on the store half way; a result that cannot
be written is an error: `BrokenPipeError` where nobody reads stdout any more, else `OutputError`.
Text from a store is escaped before it comes here.
"""

import contextlib
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, TextIO

from recovery.cli.table import Column, tabbed, table, wrap
from recovery.cli.waiting import Waiting

if TYPE_CHECKING:
    from recovery.cli.documents import Document, ListDocument
    from recovery.metastore.table import RecordProblem

_NOT_PLAIN: Final = r"[^\x00-\x7e]"
CHUNK_BYTES: Final = 1 << 18
"""Written at once: so large that system calls cost nothing, so small that it stays in the cache."""

LINES_AT_ONCE: Final = 1000

_BOND: Final = "\0"
"""Stands for a blank at which a line is not broken."""
_COMMAND: Final = (
    r"\binflux-recovery .+?(?=, | to (?!standard)|; |\. [A-Z]|\??$| or influx-recovery| which )"
    r"|\binflux auth delete --id \w+|\bsystemctl \w+ [\w@.-]+|\bfind / .+ -print\b"
)
"""A command, up to where the sentence around it goes on."""
_FIELD: Final = r" *\S+(?: \S+)? {2,}(?=\S)"
"""A name in front of a value, as "Operator       full"."""
_STYLES: Final = {"error": "31", "heading": "1", "hint": "36"}
_WIDTH_IF_UNKNOWN: Final = 80
_PROSE_WIDTH_MAX: Final = 100
_PROSE_WIDTH_MIN: Final = 20


class OutputError(Exception):
    """stdout does not take the result, for another reason than a reader who has gone."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written ({error.strerror})")


ID_AND_NAME: Final = ("ID", "Name")
"""The headings of users and organizations in `influxd recovery`."""


class Output:
    """Where the program writes.

    Attributes:
        waiting: The line that says what takes its time; a context manager.
        has_result: Whether a JSON document was begun, so that nothing else may follow it.
        is_drop_in: Whether a script reads what `influxd recovery` would print.
    """

    def __init__(self, *, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self.has_result = False
        self.is_drop_in = False
        self._is_within = False  # a line of the result, which Ctrl-C may cut short
        self._columns = environ.get("COLUMNS", "")
        self._may_colour = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        self.waiting: Final = Waiting(
            stderr,
            is_shown=stderr.isatty() and environ.get("TERM") != "dumb",
            width=lambda: self._width(stderr) or _WIDTH_IF_UNKNOWN,
        )
        for stream in (stdout, stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")

    def line(self, text: str = "") -> None:
        """Write one line of the result, given without its line feed."""
        self.waiting.clear()
        self._is_within = True
        with _stdout_errors():
            print(text, file=self._stdout)
        self._is_within = False

    def prose(self, text: str) -> None:
        """Write a sentence of the result, wrapped to the terminal."""
        for line in self._wrapped(text, self._stdout):
            self.line(line)

    def aside(self, text: str = "") -> None:
        """Write a sentence beside a table: above or below it at a terminal, to stderr elsewhere.

        Scripts that were written for `influxd recovery` take the first line of stdout for the
        headings, and the last for the last row.
        """
        if self._stdout.isatty():
            self.prose(text)
        elif text:
            self.message(text)

    def table(
        self,
        columns: Sequence[Column],
        rows: Iterable[Sequence[str]],
        *,
        has_headings: bool = True,
        what: str = "",
    ) -> None:
        """Write a table as the result.

        Args:
            rows: Its cells, escaped. They are not held where there are very many.
            what: What is being done while the rows come; "" where that takes no time.
        """
        width = self._width(self._stdout)
        lines = table(columns, rows, width_max=width, has_headings=has_headings)
        with self.waiting(what) if what else contextlib.nullcontext():
            for line in islice(lines, 1):
                self.line(self._styled(line, "heading", self._stdout) if has_headings else line)
            if width is None:
                self._lines(lines)
        self._lines(lines)

    def drop_in(
        self, titles: Sequence[str], rows: Iterable[Sequence[str]], *, has_headings: bool = True
    ) -> None:
        """Write the table that a script of `influxd recovery` takes apart as the result."""
        self._lines(islice(tabbed(titles, rows), 0 if has_headings else 1, None))

    def _lines(self, lines: Iterator[str]) -> None:
        """Write many lines, a thousand at a time."""
        while some := list(islice(lines, LINES_AT_ONCE)):
            self.line("\n".join(some))

    def document(self, content: "Document") -> None:
        """Write one JSON document on one line as the result."""
        import json  # noqa: PLC0415 - most output is no JSON

        from recovery.cli.documents import plain  # noqa: PLC0415 # only --json needs msgspec

        self.line(_escaped(json.dumps(plain(content))))
        self.has_result = True

    def stream(
        self,
        content: "ListDocument",
        name: str,
        items: Iterable[bytes],
        problems: "Sequence[RecordProblem]",
    ) -> None:
        """Write one JSON document with a long list in it, without holding the list.

        Args:
            items: Its items, each encoded as JSON. Each gets a line of its own.
            problems: What could not be listed; read after the last item. It gets the last field.
        """
        from recovery.cli.documents import plain  # noqa: PLC0415 # as above

        self.has_result = True
        fields = plain(content)
        del fields["problems"]
        import json  # noqa: PLC0415

        head = json.dumps({**fields, name: []})
        pending = bytearray(head.removesuffix("]}").encode())
        separator = b"\n"
        is_elsewhere = not self._stdout.isatty()
        with self.waiting("writing the records") if is_elsewhere else contextlib.nullcontext():
            for item in items:
                pending += separator
                pending += item if _is_plain(item) else _escaped(item.decode()).encode()
                separator = b",\n"
                if len(pending) >= CHUNK_BYTES:
                    self._write(pending)
                    pending.clear()
        shown = [{"bucket": p.bucket, "id": p.id, "problem": p.problem} for p in problems]
        pending += f'\n],"problems":{json.dumps(shown)}}}\n'.encode()
        self._write(pending)

    def message(self, text: str = "") -> None:
        """Write a sentence to stderr, wrapped to the terminal; drop it when that fails."""
        for line in self._wrapped(text, self._stderr):
            self._to_stderr(line)

    def message_lines(self, lines: Iterable[str]) -> None:
        """Write lines without line feeds to stderr as they are; drop them when that fails."""
        for line in lines:
            self._to_stderr(line)

    def error(self, sentence: str, hint: str | None) -> None:
        """Write the two lines that end a command which did not do its work.

        A script can count on two lines. On a terminal both are wrapped, but no command of the hint
        is broken, because it is there to be copied.

        Args:
            sentence: What happened, and whether anything was changed.
            hint: What to type next, or None when there is nothing to type.
        """
        indent = " " * len("error: ")
        first, *rest = self._wrapped(indent + _one_line(sentence), self._stderr)
        mark = self._styled("error:", "error", self._stderr)
        for line in (f"{mark} {first.lstrip()}", *rest):
            self._to_stderr(line)
        if hint:
            first, *rest = self._wrapped(" " * len("hint: ") + _one_line(hint), self._stderr)
            self._to_stderr(f"{self._styled('hint:', 'hint', self._stderr)} {first.lstrip()}")
            for line in rest:
                self._to_stderr(line)

    def close(self) -> None:
        """Flush the result, so that a full disk is an error and not a silence."""
        with _stdout_errors():
            self._stdout.flush()

    def abandon(self) -> None:
        """Stop writing to stdout, whose reader has gone, so that the exit is quiet."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stdout.fileno())
            os.close(nowhere)

    def _write(self, content: bytearray) -> None:
        self._is_within = True
        with _stdout_errors():
            self._stdout.flush()
            self._stdout.buffer.write(content)
            self._stdout.buffer.flush()
        self._is_within = False

    def _to_stderr(self, line: str) -> None:
        self.waiting.clear()
        start = "\n" if self._is_within and self._stdout.isatty() else ""
        self._is_within = False
        with contextlib.suppress(OSError, ValueError):
            print(f"{start}{line}", file=self._stderr, flush=True)

    def _styled(self, text: str, style: str, stream: TextIO) -> str:
        if not self._may_colour or not stream.isatty():
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def _wrapped(self, text: str, stream: TextIO) -> list[str]:
        """Wrap a sentence to a terminal; all lines keep its indent, and hang below its words.

        A command in it stays in one piece, also where it is longer than the line: the terminal
        breaks it then, and gives it back whole when it is copied.
        """
        width = self._width(stream)
        if width is None:
            return [text]
        bound = re.sub(_COMMAND, lambda found: found[0].replace(" ", _BOND), text)
        return [line.replace(_BOND, " ") for line in _hung(bound, width)]

    def _width(self, stream: TextIO) -> int | None:
        """Measure a terminal; None for anything else, where lines are as long as they are."""
        if not stream.isatty():
            return None
        if self._columns.isdecimal() and int(self._columns) > 0:
            return int(self._columns)
        try:
            return os.get_terminal_size(stream.fileno()).columns or _WIDTH_IF_UNKNOWN
        except OSError:
            return _WIDTH_IF_UNKNOWN


def _hung(text: str, width: int) -> Iterator[str]:
    """Break a sentence; what follows the first line hangs below its words, or below a value."""
    words = text.lstrip(" ")
    indent = len(text) - len(words)
    hanging = indent + (len("- ") if words.startswith(("- ", "! ")) else 0)
    head = " " * indent
    field = re.match(_FIELD, text)
    if field:
        head, words, hanging = field[0], text[field.end() :], field.end()
        if hanging + max(map(len, words.split())) > width:  # the value goes below its name
            yield head.rstrip()
            hanging = indent + 2
            head = " " * hanging
    room = max(min(width, _PROSE_WIDTH_MAX) - hanging, _PROSE_WIDTH_MIN)
    first, *rest = wrap(words, room, breaks_words=False)
    yield head + first
    yield from (" " * hanging + line for line in rest)


@contextlib.contextmanager
def _stdout_errors() -> Iterator[None]:
    """Tell an error of stdout from one of the store, which is an OSError too."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error) from None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _is_plain(document: bytes) -> bool:
    return document.isascii() and b"\x7f" not in document


def _escaped(document: str) -> str:
    """Escape in JSON what a terminal would obey or hide; such characters are in strings only."""
    return re.sub(_NOT_PLAIN, _escape, document)


def _escape(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
