"""The Go peer as Python sees it: what bbolt 1.3.6 says of a file, and what it does to one.

Lives here: starting the peer and parsing its answers. The peer itself is tests/peer, which knows
nothing of this package; `Dump.of` puts what `bolt_store` reads into the same form, so that the two
compare as one equality.
"""

import base64
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, NamedTuple, Self

import bolt_store
from tests.support.model import Model

Path_ = tuple[bytes, ...]
"""Names of nested buckets, the outermost first; empty for the root bucket."""


class OracleError(Exception):
    """The peer refused, or died."""


class OracleCrashError(OracleError):
    """bbolt panicked, was killed by a limit, or hung."""


@dataclass(frozen=True)
class Dump:
    """Everything in a file, in the order in which its reader gave it.

    Attributes:
        lines: The peer's lines: "B PATH SEQUENCE" and "K PATH KEY VALUE", in hexadecimal.
    """

    lines: tuple[str, ...]

    @classmethod
    def of(cls, db: bolt_store.DB) -> Self:
        """Return what `bolt_store` reads from a file."""
        with db.view() as tx:
            lines: list[str] = []
            for name, bucket in tx.buckets():
                lines += _bucket_lines((name,), bucket)
        return cls(tuple(lines))

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Open a file with `bolt_store` and return what it reads."""
        with bolt_store.open(path) as db:
            return cls.of(db)

    @classmethod
    def of_sound_file(cls, path: Path) -> Self:
        """Return what is in a file that must check clean."""
        with bolt_store.open(path) as db:
            found = [str(one) for one in db.check() if one.severity >= bolt_store.Severity.WARNING]
            assert found == []
            return cls.of(db)

    @property
    def model(self) -> Model:
        """The content as nested dictionaries, without sequences."""
        top: Model = {}
        for line in self.lines:
            kind, path, *rest = line.split(" ")
            inner = top
            for name in parse_path(path):
                below = inner.setdefault(name, {})
                assert isinstance(below, dict)
                inner = below
            if kind == "K":
                key, value = rest
                inner[unhex(key)] = unhex(value)
        return top

    @property
    def plain(self) -> list[tuple[tuple[Path_, bytes], bytes]]:
        """Every plain key, with its bucket in front, and its value."""
        fields = (line.split(" ")[1:] for line in self.lines if line.startswith("K "))
        return [((parse_path(path), unhex(key)), unhex(value)) for path, key, value in fields]

    @property
    def sequences(self) -> dict[Path_, int]:
        """The sequence of each bucket."""
        fields = (line.split(" ") for line in self.lines if line.startswith("B "))
        return {parse_path(path): int(sequence) for _, path, sequence in fields}


def _bucket_lines(path: Path_, bucket: bolt_store.Bucket) -> list[str]:
    place = format_path(path)
    lines = [f"B {place} {bucket.sequence}"]
    for key, value in bucket.items():
        if value is None:
            lines += _bucket_lines((*path, key), bucket.bucket(key))
        else:
            lines.append(f"K {place} {hexed(key)} {hexed(value)}")
    return lines


class Page(NamedTuple):
    """One page of a bucket's tree.

    Attributes:
        path: The bucket; empty for the root bucket.
        depth: Depth in the tree, 0 for the root.
        pgid: The page.
        kind: "branch" or "leaf".
        element_count: Number of its elements.
        overflow: Number of further pages in its run.
        first_key: Its first key, empty when there is none.
    """

    path: Path_
    depth: int
    pgid: int
    kind: str
    element_count: int
    overflow: int
    first_key: bytes


@dataclass(frozen=True)
class Shape:
    """How a file is built.

    Attributes:
        page_size_bytes: Size of a page.
        txid: Of the newest snapshot.
        root_pgid: Root page of the root bucket.
        freelist_pgid: The stored freelist, None when there is none.
        high_water_mark: First page id that was never used.
        pages: Every reachable page of a tree, depth first in key order.
        inline: Number of elements of each inline bucket.
    """

    page_size_bytes: int
    txid: int
    root_pgid: int
    freelist_pgid: int | None
    high_water_mark: int
    pages: tuple[Page, ...]
    inline: dict[Path_, int]

    @property
    def outline(self) -> list[tuple[Path_, int, str, int, int, bytes]]:
        """The pages without their ids, which depend on the order of Go's maps."""
        return [
            (page.path, page.depth, page.kind, page.element_count, page.overflow, page.first_key)
            for page in self.pages
        ]


Kind = Literal["authorization", "user", "org", "bucket", "migrated-bucket", "mapping", "migration"]


class Commit(NamedTuple):
    """What the peer says of a commit.

    Attributes:
        txid: Of the transaction.
        skipped: Number of operations that bbolt refused or that had no bucket to work on.
    """

    txid: int
    skipped: int


class Operation(NamedTuple):
    """One change.

    Attributes:
        word: What the peer calls it.
        path: The bucket; for `mk` and `rm` the one that is made or deleted.
        key: For `put` and `del`.
        value: For `put`.
        number: For `seq`.
    """

    word: Literal["mk", "rm", "put", "del", "seq"]
    path: Path_
    key: bytes = b""
    value: bytes = b""
    number: int = 0

    @property
    def line(self) -> str:
        words = [self.word, format_path(self.path)]
        match self.word:
            case "put":
                words += [hexed(self.key), hexed(self.value)]
            case "del":
                words.append(hexed(self.key))
            case "seq":
                words.append(str(self.number))
            case "mk" | "rm":
                pass
        return " ".join(words)


class Script:
    """Changes for one transaction, for the peer and for `tests.support.turns.play` alike."""

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self.operations = list(operations)

    def make(self, *path: bytes) -> Self:
        return self._add(Operation("mk", path))

    def remove(self, *path: bytes) -> Self:
        return self._add(Operation("rm", path))

    def put(self, path: Path_, key: bytes, value: bytes) -> Self:
        return self._add(Operation("put", path, key, value))

    def delete(self, path: Path_, key: bytes) -> Self:
        return self._add(Operation("del", path, key))

    def sequence(self, path: Path_, number: int) -> Self:
        return self._add(Operation("seq", path, number=number))

    def _add(self, operation: Operation) -> Self:
        self.operations.append(operation)
        return self

    @property
    def lines(self) -> list[str]:
        return [operation.line for operation in self.operations]


class _Process:
    """A running peer, its stderr kept for the case that it dies."""

    def __init__(self, command: list[str]) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: IO[bytes] = self._process.stdin
        self._out: IO[bytes] = self._process.stdout
        self.pid = self._process.pid

    def write(self, text: str) -> None:
        try:
            self._in.write(text.encode())
            self._in.flush()
        except BrokenPipeError:
            raise self._death() from None

    def line(self) -> str:
        line = self._out.readline()
        if not line:
            raise self._death()
        return line.decode().removesuffix("\n")

    def _death(self) -> OracleError:
        code = self._process.wait()
        self._stderr.seek(0)
        reason = self._stderr.read().decode(errors="replace")[:2000]
        return OracleCrashError(f"the peer ended with {code}: {reason}")

    def end(self) -> list[str]:
        """Close its stdin, wait for it, and return what it still says."""
        with self._stderr, self._out:
            # It may have died before it read everything; whoever asked it has been told then.
            with suppress(BrokenPipeError):
                self._in.close()
            rest = self._out.read().decode().splitlines()
            self._process.wait()
        return rest


class Session:
    """One long-lived peer that opens, changes and closes one file after the other."""

    def __init__(self, process: _Process) -> None:
        self._process = process

    def open(self, path: Path) -> None:
        self._ask(f"open {path}")

    def close(self) -> None:
        self._ask("close")

    @contextmanager
    def opened(self, path: Path) -> Iterator[Self]:
        """Hold a file open."""
        self.open(path)
        yield self
        self.close()

    def commit(self, script: Script) -> Commit:
        """Run a script in one transaction and commit it."""
        answer = self._ask("\n".join(["begin", *script.lines, "commit"]))[-1]
        _, txid, skipped = answer.split(" ")
        return Commit(int(txid), int(skipped))

    def rollback(self, script: Script) -> None:
        """Run a script in one transaction and roll it back."""
        self._ask("\n".join(["begin", *script.lines, "rollback"]))

    def dump(self) -> Dump:
        """Return everything in the open file."""
        return Dump(tuple(self._ask("dump")[:-1]))

    def check(self) -> list[str]:
        """Return what bbolt's check finds in the open file."""
        return [line.removeprefix("F ") for line in self._ask("check")[:-1]]

    def pages(self) -> Shape:
        """Return the shape of the open file."""
        return _parse_shape(self._ask("pages")[:-1])

    def _ask(self, text: str) -> list[str]:
        self._process.write(text + "\n")
        lines = [self._process.line()]
        while not lines[-1].startswith(("ok", "error")):
            lines.append(self._process.line())
        if lines[-1].startswith("error panic"):
            raise OracleCrashError(lines[-1])
        if lines[-1].startswith("error"):
            raise OracleError(lines[-1])
        return lines


class Oracle:
    """bbolt 1.3.6."""

    def __init__(self, program: Path) -> None:
        """Use a peer that has been built (`tests.support.go_build`)."""
        self.program = program

    # -- looking ----------------------------------------------------------------------------

    def dump(self, path: Path) -> Dump:
        """Return everything in a file."""
        return Dump(tuple(self.run("dump", path).splitlines()))

    def check(self, path: Path) -> list[str]:
        """Return what bbolt's check finds."""
        return [line.removeprefix("F ") for line in self.run("check", path).splitlines()]

    def check_damaged(
        self, path: Path, *, timeout_s: float = 10, memory_bytes: int = 1 << 31
    ) -> list[str]:
        """Return what bbolt's check finds in a file that may kill or hang it.

        Raises:
            OracleCrashError: It did; what it had found by then is lost.
            OracleError: bbolt does not open the file.
        """
        limit = f"--as={memory_bytes}"
        command = ["prlimit", limit, str(self.program), "check", str(path)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise OracleCrashError("bbolt's check hangs") from error
        if done.returncode == 1:
            raise OracleError(done.stderr.decode())
        if done.returncode:
            raise OracleCrashError(done.stderr.decode(errors="replace")[:200])
        return [line.removeprefix("F ") for line in done.stdout.decode().splitlines()]

    def pages(self, path: Path) -> Shape:
        return _parse_shape(self.run("pages", path).splitlines())

    # -- writing ----------------------------------------------------------------------------

    def init(self, path: Path, *, page_size_bytes: int = 4096) -> None:
        """Make a new, empty file."""
        self.run("init", f"-page-size={page_size_bytes}", path)

    def fill(self, path: Path, count: int, *flags: str) -> None:
        """Put `count` keys into the bucket "data": see `fill_key` and `fill_value`."""
        self.run("fill", *flags, path, count)

    def apply(self, path: Path, *scripts: Script, flags: Iterable[str] = ()) -> list[Commit]:
        """Open a file, commit each script as one transaction, and close it."""
        with self.session(*flags) as session, session.opened(path):
            return [session.commit(script) for script in scripts]

    def backup(self, source: Path, target: Path) -> None:
        """Copy a file as `influx backup` does, by Tx.CopyFile."""
        self.run("backup", source, target)

    # -- staying ----------------------------------------------------------------------------

    @contextmanager
    def session(self, *flags: str) -> Iterator[Session]:
        """Start a peer that takes turns; `flags` hold for every file that it opens."""
        process = _Process([str(self.program), "apply", *flags])
        try:
            yield Session(process)
        finally:
            process.end()

    @contextmanager
    def hold(self, path: Path, *, shared: bool = False) -> Iterator[int]:
        """Hold the lock of a file as a server does; gives the process id."""
        flags = ["-read-only"] if shared else []
        process = _Process([str(self.program), "hold", *flags, str(path)])
        try:
            assert process.line() == "ready"
            yield process.pid
        finally:
            process.end()

    @contextmanager
    def loop(self, path: Path, *flags: str) -> Iterator[Callable[[], int]]:
        """Commit to a file without end, for as long as the context lasts.

        Gives a function that stops the writer and returns the number of its last transaction.
        `loop_model` says what the file holds after transaction n.
        """
        process = _Process([str(self.program), "loop", *flags, str(path)])
        answers: list[str] = []

        def stop() -> int:
            if not answers:
                answers.extend(process.end())
            return int(answers[-1].removeprefix("done "))

        try:
            assert process.line() == "ready"
            yield stop
        finally:
            if not answers:
                process.end()

    # -- records and timings ----------------------------------------------------------------

    def rewrite_records(self, records: Iterable[tuple[Kind, bytes]]) -> list[bytes]:
        """Return records of influxd's metadata as Go decodes and encodes them.

        Raises:
            OracleError: Go does not decode one, or it has a field that the kind has not.
        """
        jobs = [
            json.dumps({"kind": kind, "record": base64.b64encode(record).decode()})
            for kind, record in records
        ]
        answers = [json.loads(line) for line in self.run("json", text="\n".join(jobs)).splitlines()]
        for answer in answers:
            if "error" in answer:
                raise OracleError(answer["error"])
        return [base64.b64decode(answer["record"]) for answer in answers]

    def auth_list(self, path: Path) -> bytes:
        """Return one JSON document with all authorizations of a store."""
        return self.run("authlist", path).encode()

    def bench(self, path: Path, *flags: str) -> Mapping[str, Mapping[str, float]]:
        """Measure bbolt on a file made by `fill`: operations and seconds by kind of work."""
        timings: dict[str, dict[str, float]] = json.loads(self.run("bench", *flags, path))
        return timings

    def run(self, command: str, *arguments: object, text: str = "") -> str:
        """Run the peer to its end and return its stdout.

        Raises:
            OracleError: It refused or died; the message is its stderr.
        """
        words = [str(self.program), command, *(str(argument) for argument in arguments)]
        done = subprocess.run(words, input=text.encode(), capture_output=True, check=False)
        if done.returncode:
            kind = OracleError if done.returncode == 1 else OracleCrashError
            raise kind(done.stderr.decode(errors="replace")[:2000])
        return done.stdout.decode()


def fill_key(index: int) -> bytes:
    """Return the key that `Oracle.fill` gives to number `index`: 15 bytes."""
    return b"k%014d" % index


def fill_value(index: int, size_bytes: int = 16) -> bytes:
    """Return the value that `Oracle.fill` gives to number `index`."""
    return (b"v%015d" % index * (size_bytes // 16 + 1))[:size_bytes]


def loop_model(counter: int, *, slots: int = 2000) -> Model:
    """Return what a file of `Oracle.loop` holds after transaction number `counter`."""
    value = counter.to_bytes(8)
    alive = range(max(1, counter - slots // 2 + 1), counter + 1)
    model: Model = {b"mirror%d" % index: {b"n": value} for index in range(3)}
    model[b"counter"] = {b"n": value}
    model[b"ring"] = {(number % slots).to_bytes(8): number.to_bytes(8) for number in alive}
    return model


def hexed(value: bytes) -> str:
    """Write bytes as the peer does."""
    return value.hex() or "-"


def unhex(text: str) -> bytes:
    """Read bytes as the peer writes them."""
    return b"" if text == "-" else bytes.fromhex(text)


def format_path(path: Path_) -> str:
    """Write the names of nested buckets as the peer does."""
    return "/".join(hexed(name) for name in path)


def parse_path(text: str) -> Path_:
    """Read the names of nested buckets as the peer writes them."""
    return () if text == "." else tuple(unhex(name) for name in text.split("/"))


def _parse_shape(lines: Iterable[str]) -> Shape:
    head: list[int] = []
    pages: list[Page] = []
    inline: dict[Path_, int] = {}
    for line in lines:
        match line.split(" "):
            case ["M", *numbers]:
                head = [int(number) for number in numbers]
            case ["P", path, depth, pgid, kind, count, overflow, first]:
                numbers_ = (int(depth), int(pgid), kind, int(count), int(overflow))
                pages.append(Page(parse_path(path), *numbers_, unhex(first)))
            case ["I", path, count]:
                inline[parse_path(path)] = int(count)
            case other:
                raise OracleError(f"the peer says something unknown: {other}")
    page_size, txid, root, freelist, high = head
    return Shape(
        page_size_bytes=page_size,
        txid=txid,
        root_pgid=root,
        freelist_pgid=None if freelist == (1 << 64) - 1 else freelist,
        high_water_mark=high,
        pages=tuple(pages),
        inline=inline,
    )
