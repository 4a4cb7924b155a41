"""Read, write, check and salvage bbolt (BoltDB) files.

The public door. What is not named here may change. Keys and values are `bytes`; an absent key is
None, an absent bucket is an error. See `bolt_store.codec` for the format, `bolt_store.tree.tx` for
the order of a commit, `bolt_store.tree.freelist` for where pages are allocated, and
`bolt_store.salvage` for what is done with a damaged file. `python -m bolt_store` is the same for a
terminal.
"""

from bolt_store.check import Check, Finding, Severity
from bolt_store.codec.meta import Meta
from bolt_store.compact import BucketContent, Content, RebuildReport, compact, rebuild
from bolt_store.db import DB, create, open, open_file  # noqa: A004 - bolt_store.open
from bolt_store.file.block_file import BlockFile
from bolt_store.file.sparse import data_ranges
from bolt_store.file.unlocked import open_block_file
from bolt_store.rewind import (
    NotRewindableError,
    Rewind,
    apply_rewind,
    is_same_content,
    plan_rewind,
)
from bolt_store.salvage import (
    Classify,
    Knowledge,
    Plausible,
    SalvageMethod,
    SalvageReport,
    StaleEntry,
    salvage,
    stale_entries,
)
from bolt_store.snapshot import SnapshotReport, snapshot
from bolt_store.stats import (
    BucketInfo,
    DBStats,
    PageInfo,
    PageState,
    TreeStats,
    bucket_tree,
    db_stats,
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
    "Severity",
    "SnapshotReport",
    "StaleEntry",
    "SurgeryReport",
    "TreeStats",
    "Tx",
    "apply_rewind",
    "bucket_tree",
    "compact",
    "create",
    "data_ranges",
    "db_stats",
    "describe_page",
    "is_same_content",
    "open",
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
