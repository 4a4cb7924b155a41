"""What is said about a store in front of everything else.

Lives here: `StoreFacts`. Must not live here: records.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """One open store.

    Attributes:
        path: The file, as it was named.
        real_path: The file behind symbolic links.
        size_bytes: Its size.
        device: Its device.
        inode: Its inode.
        txid: Its last transaction.
        level: Number of KV migrations it has been through, 0 to 21.
        server_versions: The servers that last opened it for writing, such as "2.8.0 to 2.9.1".
    """

    path: Path
    real_path: Path
    size_bytes: int
    device: int
    inode: int
    txid: int
    level: int
    server_versions: str
