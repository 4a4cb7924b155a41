"""What is said about a store in front of everything else.

Lives here: `StoreFacts`. Must not live here: records.
"""

from pathlib import Path
from typing import Self

import msgspec

from recovery.errors import RecoveryError
from recovery.metastore.store import MetaStore
from recovery.model.schema import buckets_of_level, versions_of_level


class StoreFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One open store.

    Attributes:
        path: The file, as it was named.
        real_path: The file behind symbolic links.
        level: Number of KV migrations it has been through, 0 to 21.
        is_live: Whether this is a snapshot, made without the lock while a server may be writing.
        server_versions: The servers that last opened it for writing, such as "2.8.0 to 2.9.1".
        has_torn_meta: Whether one of its two metas is damaged, so that a newer transaction than
            `txid` may be lost.
        missing_buckets: Bolt buckets that every store of this level has, and this one has not.
    """

    path: Path
    real_path: Path
    size_bytes: int
    device: int
    inode: int
    txid: int
    level: int
    server_versions: str
    is_live: bool = False
    has_torn_meta: bool = False
    missing_buckets: tuple[str, ...] = ()

    @classmethod
    def of(cls, store: MetaStore) -> Self:
        """Describe an open store."""
        return cls(
            path=store.file.path,
            real_path=store.file.real_path,
            size_bytes=store.file.size_bytes if store.file.is_live else store.size_bytes,
            device=store.file.device,
            inode=store.file.inode,
            txid=store.txid,
            level=store.level,
            server_versions=versions_of_level(store.level),
            is_live=store.file.is_live,
            has_torn_meta=store.has_torn_meta,
            missing_buckets=_missing_buckets(store),
        )


def _missing_buckets(store: MetaStore) -> tuple[str, ...]:
    """Compare with what its level wants; what cannot be read is told by whoever reads it."""
    try:
        with store.view() as tx:
            found = set(tx.table_names())
    except RecoveryError:
        return ()
    return tuple(sorted(buckets_of_level(store.level) - found))
