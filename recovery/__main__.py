"""`python -m recovery`, and the way into the one file.

Lives here: the way in, for any Python that can be met, so in words that Python 2 reads, too. Must
not live here: anything else, see `recovery.cli.start`.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 # pip does not install it there, but a clone can be run
    sys.exit(
        "error: influx-recovery needs Python 3.11 or later, and {} is {}.{}; nothing was changed\n"
        "hint: call a newer Python, or the one file, which needs none".format(  # as above
            sys.executable, *sys.version_info[:2]
        )
    )

from recovery.cli.start import run

__all__ = ["run"]

if __name__ == "__main__":
    run()
