"""Files of the storage engine, made by code: TSM files with an index, WAL segments, folders."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import cramjam

from recovery.model.bucket import DAY_NS

Blocks: TypeAlias = Sequence[tuple[int, int]]
"""First and last time of each block of a key."""

BUCKET = "00000000000b0b0b"
MAGIC = struct.pack(">IB", 0x16D116D1, 1)
VALUES = {
    1: lambda value: struct.pack(">d", value),
    2: lambda value: struct.pack(">q", value),
    3: lambda value: struct.pack(">B", value),
    4: lambda value: struct.pack(">I", len(value)) + value,
    5: lambda value: struct.pack(">Q", value),
}


def tsm_index(keys: Mapping[bytes, Blocks], *, kind: int = 0) -> bytes:
    """Build an index; the places of the blocks in it mean nothing."""
    index = bytearray()
    for key, blocks in sorted(keys.items()):
        index += struct.pack(">H", len(key)) + key + struct.pack(">BH", kind, len(blocks))
        for first, last in blocks:
            index += struct.pack(">qqqI", first, last, 5, 20)
    return bytes(index)


def tsm_file(keys: Mapping[bytes, Blocks], *, kind: int = 0, blocks: bytes = b"block") -> bytes:
    """Build a file with an index, and with blocks that nobody reads."""
    start = len(MAGIC) + len(blocks)
    return MAGIC + blocks + tsm_index(keys, kind=kind) + struct.pack(">Q", start)


def wal_write(key: bytes, kind: int, values: Iterable[tuple[int, object]]) -> bytes:
    """Build the part of one key of an entry that adds points."""
    points = list(values)
    head = struct.pack(">BH", kind, len(key)) + key + struct.pack(">I", len(points))
    return head + b"".join(struct.pack(">q", at) + VALUES[kind](value) for at, value in points)  # type: ignore[no-untyped-call] # one of five


def wal_entry(content: bytes, *, kind: int = 1) -> bytes:
    packed = bytes(cramjam.snappy.compress_raw(content))
    return struct.pack(">BI", kind, len(packed)) + packed


def write_shard(
    engine: Path,
    bucket_id: str,
    shard_id: int,
    *,
    keys: Mapping[bytes, Blocks] | None = None,
    wal: bytes | None = None,
) -> Path:
    """Write the folder of a shard, with a TSM file, a WAL segment, both or none.

    Returns:
        Its folder in `data`.
    """
    folder = engine / "data" / bucket_id / "autogen" / str(shard_id)
    folder.mkdir(parents=True)
    if keys is not None:
        (folder / "000000001-000000001.tsm").write_bytes(tsm_file(keys))
    if wal is not None:
        log = engine / "wal" / bucket_id / "autogen" / str(shard_id)
        log.mkdir(parents=True)
        (log / "_00001.wal").write_bytes(wal)
    return folder


def write_engine(engine: Path) -> None:
    """Write a small engine's folder: one bucket, two shards, the newer one with a WAL only."""
    point = wal_entry(wal_write(b"m,t=1#!~#f", 1, [(8 * DAY_NS, 1.5)]))
    write_shard(engine, BUCKET, 1, keys={b"m,t=1#!~#f": [(5, 9)]})
    write_shard(engine, BUCKET, 2, wal=point)
