"""What can be typed after `store` to copy a store, and to go back to a copy.

Lives here: the words, options and help of `store backup`, `undo`, `compact` and `salvage`. Must not
live here: what they do, which is in `recovery.cli.commands`.
"""

from recovery.cli.arguments.shared import add_command
from recovery.cli.words import Choices


def add_store_copies(verbs: Choices) -> None:
    """Add the commands that deal with whole copies.

    Args:
        verbs: The commands of the noun `store`.
    """
    backup = add_command(
        verbs,
        "store backup",
        run="store_copies:run_backup",
        summary="copy the store, consistent and verified, also while influxd is running",
        description="Copy the store to a new file and prove that the copy is whole. While influxd "
        "is running, the pages of one transaction are copied and checked, which works on a local "
        "disk. The copy has all secrets of the store and gets mode 0600. It is the metadata "
        "alone: time series, and the notebooks and annotations in influxd.sqlite, are not in it.",
    )
    backup.add_argument(
        "destination",
        metavar="DEST",
        nargs="?",
        help="new file, or a folder for it (default: a file beside the store, named with the time)",
    )
    backup.add_argument(
        "--gzip",
        action="store_true",
        help="compress it, as influx backup does, and by default name it as that does: "
        "YYYYMMDDThhmmssZ.bolt.gz (default: a plain copy)",
    )
    _add_undo(verbs)
    _add_rebuilding(verbs)


def _add_undo(verbs: Choices) -> None:
    undo = add_command(
        verbs,
        "store undo",
        run="store_undo:run_undo",
        summary="take back what was done last, byte for byte",
        description="Show what the last operation of the ledger changed in this store, and make "
        "the store again what it was before, byte for byte. The file keeps its inode, owner and "
        "mode, and a power cut leaves it as before or as after. Run again, it takes back the "
        "operation before that one. It refuses when anything else has written to the store since, "
        "such as influxd itself, and when the backup is gone. It needs the ledger that recorded "
        "the operation.",
    )
    undo.add_argument(
        "--dry-run",
        action="store_true",
        help="stop after showing what would be taken back (default: go on and ask)",
    )
    undo.add_argument(
        "--yes",
        action="store_true",
        help="do not ask; for scripts (default: a person types yes at the terminal)",
    )


def _add_rebuilding(verbs: Choices) -> None:
    compact = add_command(
        verbs,
        "store compact",
        run="store_rebuild:run_compact",
        summary="copy the store into a new, packed file, without what was deleted",
        description="Copy the content of the store into a new file that holds no freed page: it is "
        "smaller, and deleted records and tokens are gone from it. They are not gone from the old "
        "file, nor from the disk that it was on. The store itself is not changed; put the new file "
        "in its place with influxd stopped.",
    )
    compact.add_argument("target", metavar="TARGET", nargs="?", help="the new file (required)")
    salvage = add_command(
        verbs,
        "store salvage",
        run="store_rebuild:run_salvage",
        summary="get out of a damaged store what can be read, into a new file",
        description="Read a damaged store page by page, trusting nothing in it, and write what "
        "belongs together into a new file. Says what was taken from where and what is missing, and "
        "whether influxd would start on the result. The damaged file is not changed. It cannot "
        "bring back what is on no page any more. Exit code 0 when nothing is known to be missing "
        "or doubtful, 1 when something is, 5 when no file could be made.",
    )
    salvage.add_argument("target", metavar="TARGET", nargs="?", help="the new file (required)")
    salvage.add_argument(
        "--use-older",
        action="store_true",
        help="fill what is missing with what the older snapshot in the file has; deleted tokens "
        "and former passwords may come back by that (default: leave it missing)",
    )
    salvage.add_argument(
        "--page-size",
        type=int,
        metavar="BYTES",
        help="size of the pages (default: what the file says, or its pages show)",
    )
    salvage.add_argument(
        "--root-page",
        type=int,
        metavar="NUMBER",
        help="page that the content begins at (default: found by searching)",
    )
