"""Another process that holds the lock of a file."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "rb")
fcntl.flock(file, {"exclusive": fcntl.LOCK_EX, "shared": fcntl.LOCK_SH}[sys.argv[2]])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(path: Path, *, exclusive: bool) -> Iterator[int]:
    """Hold a real flock in another process; give its process ID."""
    kind = "exclusive" if exclusive else "shared"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder.pid
        holder.kill()
