"""What can be typed after `store` to copy a store, and to go back to a copy.

Lives here: the words, options and help of `store backup` and `store undo`. Must not live here: what
they do, which is in `recovery.cli.commands`.
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
