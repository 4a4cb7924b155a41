"""The program as a person or a script runs it.

Lives here: running it to its end without a terminal, and talking to it on a real one. Both give it
an environment of its own, so that nothing of the machine that runs the tests gets in: no store of
the real home folder, no ledger of root.
"""

import io
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import IO, Final
from unittest.mock import patch

from recovery.cli import waiting
from recovery.cli.habits import ASKING
from recovery.cli.main import main
from tests.support import warm
from tests.support.documents import check_document
from tests.support.hints import require_sound_hints

PROJECT: Final = Path(__file__).parents[2]
PROGRAM: Final = (sys.executable, "-m", "recovery")
PATIENCE_S: Final = 60
"""How long a hang may last until it is a failure; nothing waits this long when all is well."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A run that is over.

    Attributes:
        code: Its exit code; negative for a signal.
        stdout: What it wrote there, or what was on the terminal.
        stderr: What it wrote there.
    """

    code: int
    stdout: str
    stderr: str

    @property
    def error(self) -> str:
        """The sentence after "error:"."""
        return self._line("error: ")

    @property
    def hint(self) -> str:
        """The sentence after "hint:"."""
        return self._line("hint: ")

    def _line(self, start: str) -> str:
        lines = [line for line in self.stderr.splitlines() if line.startswith(start)]
        assert len(lines) == 1, f"not one line {start!r} in:\n{self.stderr}"
        return lines[0].removeprefix(start)


class Cli:
    """The program, with a home folder and a ledger of its own."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self.home = home
        self.ledger = home / "ledger.sqlite"

    def environ(self, **more: str) -> dict[str, str]:
        """Return a small environment."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT),
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "TERM": "xterm",
            **more,
        }

    def command(
        self, *words: object, program: Sequence[str] = PROGRAM, own_ledger: bool = True
    ) -> list[str]:
        """Return a command line that cannot reach a ledger of the machine."""
        is_named = not own_ledger or any(str(word).startswith("--ledger") for word in words)
        ledger = [] if is_named else ["--ledger", str(self.ledger)]
        return [*program, *ledger, *(str(word) for word in words)]

    def run(
        self,
        *words: object,
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        stdout: int | IO[bytes] = subprocess.PIPE,
        program: Sequence[str] = PROGRAM,
        own_ledger: bool = True,
    ) -> Ended:
        """Run it to its end, without a controlling terminal and with nothing on stdin.

        Within this process, where nothing asks for another: that is many times faster. Another
        program, one that a prefix starts, and one with variables that Python reads as it starts,
        is started from its beginning.
        """
        is_cold = any(name.startswith(("LC_", "LANG", "PYTHON")) for name in environ or {})
        is_cold |= bool(prefix) or program != PROGRAM
        if not is_cold and stdout == subprocess.PIPE and "serve" not in words:
            with chdir(self.home):
                return self.run_here(*words, environ=environ, own_ledger=own_ledger)
        environ = self.environ(**(environ or {}))
        if is_cold:
            done = subprocess.run(
                [*prefix, *self.command(*words, program=program, own_ledger=own_ledger)],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                start_new_session=True,
                check=False,
                timeout=PATIENCE_S,
                cwd=self.home,
            )
            code, out, err = done.returncode, (done.stdout or b"").decode(), done.stderr.decode()
        else:
            code, out, err = warm.run(
                self.command(*words, program=(), own_ledger=own_ledger),
                environ=environ,
                cwd=self.home,
                stdout=None if stdout == subprocess.PIPE else stdout,
                timeout=PATIENCE_S,
            )
        return _checked(words, Ended(code=code, stdout=out, stderr=err))

    def run_here(
        self,
        *words: object,
        environ: Mapping[str, str] | None = None,
        own_ledger: bool = True,
    ) -> Ended:
        """Run it within this process: many times faster, and the same from the arguments on.

        Only for commands that ask nothing. What C code or another process prints is not seen.
        """
        argv = self.command(*words, program=(), own_ledger=own_ledger)
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as stdout,
            tempfile.TemporaryFile("w+", encoding="utf-8") as stderr,
        ):
            code = main(argv, environ=self.environ(**(environ or {})), stdout=stdout, stderr=stderr)
            stdout.seek(0)
            stderr.seek(0)
            ended = Ended(code=code, stdout=stdout.read(), stderr=stderr.read())
        return _checked(words, ended)

    def shown_here(self, *words: object, columns: int, environ: Mapping[str, str]) -> Ended:
        """Run it within this process as on a terminal of some width, and return what it shows.

        Only for commands that ask nothing; nothing is known of colours.
        """
        argv = self.command(*words, program=())
        with (
            patch.object(waiting, "DELAY_S", 600.0),  # no progress, however busy the machine is
            tempfile.TemporaryFile() as file,
            _Screen(file, encoding="utf-8") as screen,
        ):
            environ = self.environ(COLUMNS=str(columns), NO_COLOR="1", **environ)
            code = main(argv, environ=environ, stdout=screen, stderr=screen)
            screen.seek(0)
            ended = Ended(code=code, stdout=screen.read(), stderr="")
        require_sound_hints(ended.stdout, words)
        return ended

    @contextmanager
    def at_terminal(
        self,
        *words: object,
        columns: int = 80,
        environ: Mapping[str, str] | None = None,
        stdout: IO[bytes] | None = None,
        own_ledger: bool = True,
    ) -> Iterator["Terminal"]:
        """Run it on a terminal of its own, which is its controlling terminal."""
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = warm.start(
            self.command(*words, program=(), own_ledger=own_ledger),
            environ=self.environ(**(environ or {})),
            cwd=self.home,
            streams=(theirs, theirs if stdout is None else stdout.fileno(), theirs),
            terminal=os.ttyname(theirs),
        )
        os.close(theirs)
        try:
            yield Terminal(ours, process, words)
        finally:
            process.kill()
            process.wait(PATIENCE_S)
            os.close(ours)


class _Screen(io.TextIOWrapper):
    """A file that says that somebody looks at it."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def _checked(words: Sequence[object], ended: Ended) -> Ended:
    """Hold every hint against the parser, and every document against the schema."""
    require_sound_hints(ended.stdout + ended.stderr, words)
    typed = [str(word) for word in words]
    if "--json" in typed and not ASKING & set(typed):
        check_document(typed, ended.stdout)
    return ended


class Terminal:
    """The other end of a terminal on which the program runs."""

    def __init__(self, master: int, process: warm.Running, words: Sequence[object]) -> None:
        self._master = master
        self._process = process
        self._words = words
        self.text = ""

    def wait_for(self, words: str) -> None:
        """Read until these words are there."""
        while words not in self.text:
            if not self._read():
                raise AssertionError(f"ended without {words!r}:\n{self.text}")

    def type(self, keys: str) -> None:
        """Type something."""
        os.write(self._master, keys.encode())

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def hang_up(self) -> int:
        """Close the window; return the exit code."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, self._master)  # so that nobody else gets its number
        os.close(nowhere)
        return self._process.wait(PATIENCE_S)

    def end(self) -> Ended:
        """Read to the end, and wait for the program."""
        while self._read():
            pass
        require_sound_hints(self.text, self._words)
        return Ended(code=self._process.wait(PATIENCE_S), stdout=self.text, stderr="")

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], PATIENCE_S)
        if not ready:
            raise AssertionError(f"nothing for {PATIENCE_S} s after:\n{self.text}")
        try:
            got = os.read(self._master, 65536)
        except OSError:  # EIO: nobody has the other end open any more
            return False
        self.text += got.decode(errors="replace").replace("\r\n", "\n")
        return bool(got)
