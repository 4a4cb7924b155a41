"""`python -m recovery`, and the entry point of the installed command.

Lives here: the way in. Must not live here: anything else, see `recovery.cli.main`.
"""

from recovery.cli.main import run

__all__ = ["run"]

if __name__ == "__main__":
    run()
