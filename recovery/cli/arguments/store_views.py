"""What can be typed after `store` to look at stores.

Lives here: the words, options and help of `store find`, `info`, `diff` and `export`. Must not live
here: what they do, which is in `recovery.cli.commands`.
"""

from recovery.cli.arguments.shared import add_command
from recovery.cli.words import Choices


def add_store_views(verbs: Choices) -> None:
    """Add the commands that only look.

    Args:
        verbs: The commands of the noun `store`.
    """
    add_command(
        verbs,
        "store find",
        run="store_find:run_find",
        summary="find every store of this machine, and say which one a server would open",
        description="List every file on this machine that is or may be a store: by --bolt-path, "
        "environment, configuration, systemd units, packages, containers and home folders. Each "
        "with size, time, owner, level, what is in it, who holds its lock, and which servers would "
        "open it. Files are opened for reading only. What is in a store that a server holds open "
        "is not told, and what this user may not look at is said.",
    )
    add_command(
        verbs,
        "store info",
        run="store_info:run_info",
        summary="say what a store is: level, versions, who can get in, what was done last",
        description="Describe one store: its schema level and the versions that leave it so, how "
        "tokens are stored, which users can sign in and which operator tokens there are, what "
        "influxd downgrade would take away, and what the ledger says was done last. It does not "
        "look for faults: store check does.",
    )
    diff = add_command(
        verbs,
        "store diff",
        run="store_diff:run_diff",
        summary="say what is different between two stores, by name and without secrets",
        description="Compare two stores, such as a backup and the store itself: records that were "
        "added, removed or changed, by name. Of tokens and passwords it only says that they "
        "differ, and of indexes it only counts. Neither is changed. Exit code 0 when both have "
        "the same content, 1 when they differ.",
    )
    diff.add_argument("before", metavar="A", nargs="?", help="the first store (required)")
    diff.add_argument("after", metavar="B", nargs="?", help="the second store (required)")
    export = add_command(
        verbs,
        "store export",
        run="store_export:run_export",
        summary="write users, organizations, buckets, tokens and findings to an SQLite file",
        description="Write an inventory of the store to a new SQLite file, for sqlite3 or "
        "Datasette: organizations, users, memberships, buckets, authorizations, permissions and "
        "the findings of store check as tables with foreign keys, and the views operator_tokens "
        "and who_can_get_in. No token, hash or password is in it, so it cannot be made a store "
        "again. The store is opened for reading only.",
    )
    export.add_argument("target", metavar="FILE", nargs="?", help="the new file (required)")
