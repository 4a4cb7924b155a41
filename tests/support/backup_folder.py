"""A folder as `influx backup` writes it, made of a store."""

import gzip
import json
from pathlib import Path
from typing import Final

TIME: Final = "20260102T030405Z"


def write_backup_folder(
    folder: Path, store: Path, *, time: str = TIME, packed: bool = True
) -> Path:
    """Write one backup into a folder, as the influx CLI 2.8.0 does.

    Args:
        folder: The folder; made if it is not there.
        store: The store that it is a backup of.
        time: The time in the names.
        packed: Whether its files are compressed, which is the default of the client.

    Returns:
        The file with the metadata.
    """
    folder.mkdir(exist_ok=True)
    content = store.read_bytes()
    kv = folder / (f"{time}.bolt.gz" if packed else f"{time}.bolt")
    kv.write_bytes(gzip.compress(content) if packed else content)
    sql, shard = folder / f"{time}.sqlite.gz", folder / f"{time}.1.tar.gz"
    sql.write_bytes(gzip.compress(b"SQLite"))
    shard.write_bytes(gzip.compress(b"a shard"))
    for path in (kv, sql, shard):
        path.chmod(0o600)
    manifest = {
        "manifestVersion": 2,
        "kv": {"fileName": kv.name, "size": kv.stat().st_size, "compression": int(packed)},
        "sql": {"fileName": sql.name, "size": sql.stat().st_size, "compression": 1},
        "buckets": [{"bucketName": "senders <&> \u00fc", "retentionPolicies": []}],
    }
    path = folder / f"{time}.manifest"
    path.write_text(json.dumps(manifest, indent=2))
    path.chmod(0o600)
    return kv
