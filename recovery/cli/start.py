"""The start of the installed command.

Lives here: `run`, and the answer to `--version`, for which the rest is not imported. Must not live
here: anything else, see `recovery.cli.main`.
"""

import gc
import os
import sys

from recovery import __version__

_COLLECTED_AT = 100_000
"""New containers before cycles among them are looked for. A start makes fewer, and what it imports
stays: looking through that would be a twentieth of a listing's work."""


def run() -> None:
    """Run the program as a process does; the entry point.

    Ctrl-C while it is still being loaded ends it without a word: nothing was begun.
    """
    if sys.argv[1:] == ["--version"] and sys.stdout and _is_version_said():
        return
    import signal  # noqa: PLC0415 # it brings `enum`, which takes as long as saying the version

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(_COLLECTED_AT)
    from recovery.cli.late import PATHLIB, put_off  # noqa: PLC0415 # see above

    with put_off(PATHLIB):
        from recovery.cli.main import run as run_whole  # noqa: PLC0415 # as above

    run_whole()


def _is_version_said() -> bool:
    """Say the version; False where stdout does not take it, which the whole program reports."""
    try:
        os.write(1, f"influx-recovery {__version__}\n".encode())
    except OSError:
        return False
    return True
