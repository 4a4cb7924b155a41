"""The program, started from a process that has imported it already.

A start of Python and the imports take ten times as long as most commands, and the tests of the
command line are thousands of runs. So one process a worker imports all commands once and forks for
each run. What runs is a process of its own: session, folder, environment, streams, signals and the
interpreter's last steps. It shares the imported modules and what the interpreter takes from the
environment before them, such as the encoding; tests of these start Python themselves.

Must not live here: what a test does with a run (`tests.support.run_cli`).
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from select import select
from typing import IO, Final, NoReturn

from recovery.cli.main import run as enter
from recovery.cli.vocabulary import COMMANDS, load

PROJECT: Final = Path(__file__).parents[2]
STREAMS: Final = 3
REQUEST_BYTES_MAX: Final = 1 << 18
CANNOT_FLUSH: Final = 120
"""The interpreter's code for streams that cannot be flushed at the end."""


class Running:
    """A process that was started; what tests need of `subprocess.Popen`."""

    def __init__(self, report: IO[bytes]) -> None:
        """Take the pipe that tells the number of the process, and then its end."""
        self._report = report
        self.pid = int(report.readline())
        self._code: int | None = None

    def wait(self, timeout: float) -> int:
        """Wait for its end.

        Args:
            timeout: In seconds.

        Returns:
            Its exit code; negative for a signal.

        Raises:
            TimeoutError: It still runs.
        """
        if self._code is None:
            if not select([self._report], [], [], timeout)[0]:
                raise TimeoutError(f"process {self.pid} runs after {timeout} s")
            self._code = int(self._report.readline())
            self._report.close()
        return self._code

    def poll(self) -> int | None:
        """Tell its exit code, None while it runs."""
        with suppress(TimeoutError):
            return self.wait(0)
        return None

    @property
    def returncode(self) -> int | None:
        """As `poll`."""
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        self.send_signal(signal.SIGKILL)


class Piped(Running):
    """A process whose stdout and stderr are read here."""

    def __init__(self, report: IO[bytes], *pipes: int) -> None:
        """Take the other ends of both, or that of stderr only."""
        super().__init__(report)
        self._pipes = [os.fdopen(pipe, "rb", 0) for pipe in pipes]
        self._texts = dict.fromkeys(self._pipes, b"")

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Read both to their ends, and wait for that of the process.

        Args:
            timeout: How long it may say nothing, in seconds.

        Returns:
            What it wrote to stdout, which is nothing where that was not read here; and to stderr.

        Raises:
            TimeoutError: It still runs.
        """
        while is_open := [pipe for pipe in self._pipes if not pipe.closed]:
            ready, _, _ = select(is_open, [], [], timeout)
            if not ready:
                raise TimeoutError(f"says nothing for {timeout} s: {[*self._texts.values()]}")
            for pipe in ready:
                got = pipe.read(1 << 16)
                self._texts[pipe] += got
                if not got:
                    pipe.close()
        self.wait(timeout)
        texts = [text.decode() for text in self._texts.values()]
        return ("" if len(texts) == 1 else texts[0]), texts[-1]


def start(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    streams: tuple[int, int, int],
    terminal: str | None = None,
) -> Running:
    """Start the program.

    Args:
        arguments: After the program's name.
        environ: The whole environment.
        cwd: The folder to start in.
        streams: File numbers of stdin, stdout and stderr.
        terminal: Path of the terminal that is stdin and the controlling terminal, if any.
    """
    return Running(
        _request(arguments, environ=environ, cwd=cwd, streams=streams, terminal=terminal)
    )


def _request(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    streams: tuple[int, int, int],
    terminal: str | None,
) -> IO[bytes]:
    """Ask for a fork; return the pipe that tells of it."""
    told, tells = os.pipe()
    request = json.dumps([list(arguments), dict(environ), str(cwd), terminal]).encode()
    socket.send_fds(_starter(), [request], [*streams, tells])
    os.close(tells)
    return os.fdopen(told, "rb", buffering=0)


def start_piped(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    stdout: int | IO[bytes] | None = None,
) -> Piped:
    """Start the program with nothing on stdin and no terminal.

    Args:
        arguments: After the program's name.
        environ: The whole environment.
        cwd: The folder to start in.
        stdout: Where its results go; None lets them be read.
    """
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    place = out_end if stdout is None else stdout
    with Path(os.devnull).open("rb") as nothing:
        streams = (nothing.fileno(), place if isinstance(place, int) else place.fileno(), err_end)
        report = _request(arguments, environ=environ, cwd=cwd, streams=streams, terminal=None)
    os.close(out_end)
    os.close(err_end)
    if stdout is None:
        return Piped(report, out, err)
    os.close(out)
    return Piped(report, err)


def run(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    stdout: int | IO[bytes] | None = None,
    timeout: float,
) -> tuple[int, str, str]:
    """Run the program to its end, with nothing on stdin and no terminal.

    Args:
        arguments: After the program's name.
        environ: The whole environment.
        cwd: The folder to start in.
        stdout: Where its results go; None gives them back.
        timeout: How long it may say nothing, in seconds.

    Returns:
        Its exit code, what it wrote to stdout and what to stderr.

    Raises:
        TimeoutError: It still runs; it is ended.
    """
    process = start_piped(arguments, environ=environ, cwd=cwd, stdout=stdout)
    try:
        texts = process.communicate(timeout)
        return (process.wait(timeout), *texts)
    finally:
        process.kill()


@cache
def _starter() -> socket.socket:
    """Start the process that forks; it ends when this one has ended."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", "from tests.support.warm import serve; serve()"],
            stdin=theirs.fileno(),
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(PROJECT)},
        )
    process.returncode = 0  # nobody waits for it: it ends when `ours` is closed
    return ours


def serve() -> None:
    """Import all commands; then run the program in a fork for each request on stdin."""
    for words in COMMANDS:
        load(words)
    import_module("recovery.daemon.start")  # `serve` itself imports it when it is typed
    gc.freeze()  # else the first collection of each fork copies all that was imported
    requests = socket.socket(fileno=os.dup(0))
    while True:
        with suppress(ChildProcessError):  # of those that have ended: their time counts as ours
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        request, files, _, _ = socket.recv_fds(requests, REQUEST_BYTES_MAX, STREAMS + 1)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            program = os.fork()
            if program == 0:
                _become(*json.loads(request), files=files)
                _end(enter)
            os.write(files[STREAMS], f"{program}\n".encode())
            _, status = os.waitpid(program, 0)
            os.write(files[STREAMS], f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os._exit(0)
        for file in files:
            os.close(file)


def _end(program: Callable[[], None]) -> NoReturn:
    """Run the program and take the interpreter's last steps, but for one.

    What it does not do is to take apart all that was imported: that copies every page of it, and
    takes six times as long as most commands.
    """
    code: object = 1
    try:
        program()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 # shown as the interpreter shows it
        sys.excepthook(*sys.exc_info())
    assert code is None or isinstance(code, int)
    atexit._run_exitfuncs()  # noqa: SLF001 # nothing public does it
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        code = CANNOT_FLUSH
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(code or 0)


def _become(
    arguments: list[str],
    environ: dict[str, str],
    cwd: str,
    terminal: str | None,
    *,
    files: list[int],
) -> None:
    """Make this fork what a process just started is."""
    os.setsid()
    if terminal is not None:  # the first that a session's leader opens is its controlling one
        files[0] = os.open(terminal, os.O_RDWR)
    for number in range(STREAMS):
        os.dup2(files[number], number)
    for file in files:
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["influx-recovery", *arguments]
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace", buffering=1)
