"""Read, write, check and salvage bbolt (BoltDB) files.

The public door. What is not named here may change. Keys and values are `bytes`; an absent key is
None, an absent bucket is an error. See `bolt_store.codec` for the format, `bolt_store.tree.tx` for
the order of a commit, `bolt_store.tree.freelist` for where pages are allocated, and
`bolt_store.salvaging` for what is done with a damaged file. `python -m bolt_store` is the same for
a terminal.

A name is imported when it is first asked for (PEP 562): most programs only read, and salvage,
surgery and statistics would be most of what they wait for at start-up. No module here has the name
of a function: importing the module would put it in the function's place.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bolt_store.bridge import is_same_state
    from bolt_store.check import Check, Finding, Severity
    from bolt_store.codec.meta import Meta
    from bolt_store.compaction import BucketContent, Content, RebuildReport, compact, rebuild
    from bolt_store.db import DB, create, open, open_file  # noqa: A004 - bolt_store.open
    from bolt_store.file.block_file import BlockFile
    from bolt_store.file.sparse import content_digest, copy_inside, data_ranges
    from bolt_store.file.unlocked import open_again, open_block_file
    from bolt_store.leftovers import LeftoverLeaf, leftover_leaves
    from bolt_store.rewind import (
        NotRewindableError,
        Rewind,
        apply_rewind,
        is_same_content,
        newest_digest,
        plan_rewind,
    )
    from bolt_store.salvaging import (
        Classify,
        Knowledge,
        Plausible,
        SalvageMethod,
        SalvageReport,
        SalvageSentence,
        StaleEntry,
        likely_beginnings,
        named_beginnings,
        salvage,
        stale_entries,
    )
    from bolt_store.snapshots import SnapshotReport, snapshot
    from bolt_store.stats import (
        BucketInfo,
        DBStats,
        PageInfo,
        PageState,
        TreeStats,
        bucket_tree,
        db_stats,
        last_written_pages,
        page_infos,
    )
    from bolt_store.surgery import (
        PageDescription,
        PageElement,
        SurgeryReport,
        describe_page,
        rebuild_freelist,
        revert,
    )
    from bolt_store.tree.bucket import Bucket
    from bolt_store.tree.cursor import Cursor, Item
    from bolt_store.tree.tx import Tx

__all__ = [
    "DB",
    "BlockFile",
    "Bucket",
    "BucketContent",
    "BucketInfo",
    "Check",
    "Classify",
    "Content",
    "Cursor",
    "DBStats",
    "Finding",
    "Item",
    "Knowledge",
    "LeftoverLeaf",
    "Meta",
    "NotRewindableError",
    "PageDescription",
    "PageElement",
    "PageInfo",
    "PageState",
    "Plausible",
    "RebuildReport",
    "Rewind",
    "SalvageMethod",
    "SalvageReport",
    "SalvageSentence",
    "Severity",
    "SnapshotReport",
    "StaleEntry",
    "SurgeryReport",
    "TreeStats",
    "Tx",
    "apply_rewind",
    "bucket_tree",
    "compact",
    "content_digest",
    "copy_inside",
    "create",
    "data_ranges",
    "db_stats",
    "describe_page",
    "is_same_content",
    "is_same_state",
    "last_written_pages",
    "leftover_leaves",
    "likely_beginnings",
    "named_beginnings",
    "newest_digest",
    "open",
    "open_again",
    "open_block_file",
    "open_file",
    "page_infos",
    "plan_rewind",
    "rebuild",
    "rebuild_freelist",
    "revert",
    "salvage",
    "snapshot",
    "stale_entries",
]

_ROOMS = {
    "bolt_store.bridge": ("is_same_state",),
    "bolt_store.check": (
        "Check",
        "Finding",
        "Severity",
    ),
    "bolt_store.codec.meta": ("Meta",),
    "bolt_store.compaction": (
        "BucketContent",
        "Content",
        "RebuildReport",
        "compact",
        "rebuild",
    ),
    "bolt_store.db": (
        "DB",
        "create",
        "open",
        "open_file",
    ),
    "bolt_store.file.block_file": ("BlockFile",),
    "bolt_store.file.sparse": ("content_digest", "copy_inside", "data_ranges"),
    "bolt_store.file.unlocked": ("open_again", "open_block_file"),
    "bolt_store.leftovers": (
        "LeftoverLeaf",
        "leftover_leaves",
    ),
    "bolt_store.rewind": (
        "NotRewindableError",
        "Rewind",
        "apply_rewind",
        "is_same_content",
        "newest_digest",
        "plan_rewind",
    ),
    "bolt_store.salvaging": (
        "Classify",
        "Knowledge",
        "Plausible",
        "SalvageMethod",
        "SalvageReport",
        "SalvageSentence",
        "StaleEntry",
        "likely_beginnings",
        "named_beginnings",
        "salvage",
        "stale_entries",
    ),
    "bolt_store.snapshots": (
        "SnapshotReport",
        "snapshot",
    ),
    "bolt_store.stats": (
        "BucketInfo",
        "DBStats",
        "PageInfo",
        "PageState",
        "TreeStats",
        "bucket_tree",
        "db_stats",
        "last_written_pages",
        "page_infos",
    ),
    "bolt_store.surgery": (
        "PageDescription",
        "PageElement",
        "SurgeryReport",
        "describe_page",
        "rebuild_freelist",
        "revert",
    ),
    "bolt_store.tree.bucket": ("Bucket",),
    "bolt_store.tree.cursor": (
        "Cursor",
        "Item",
    ),
    "bolt_store.tree.tx": ("Tx",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a name of the door when it is first used; `AttributeError` when there is none."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_ROOM_OF[name]), name)
    return value
