"""`python -m recovery`, and the entry point of the installed command."""

from recovery.cli.main import run

__all__ = ["run"]

if __name__ == "__main__":
    run()
