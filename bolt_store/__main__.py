"""`python -m bolt_store`.

Lives here: the way in. Must not live here: anything else, see `bolt_store.command.main`.
"""

from bolt_store.command.main import run

if __name__ == "__main__":
    run()
