"""How a file is packed, by its first bytes, and what a person types to unpack it.

Lives here: `packing_of` and `unpacking_command`. Must not live here: unpacking
(`recovery.metastore.archive`), which takes time to import.

Source: RFC 1952, RFC 8878, the .xz file format 1.2.1, bzip2 1.0.8 compress.c, POSIX pax for the
first bytes; gzip(1), xz(1), zstd(1), bzip2(1) for the suffixes that they want, tar(1).
"""

import re
from pathlib import Path
from typing import Final

import msgspec

from recovery.model.display import quoted

HEAD_BYTES: Final = 512


class Packing(msgspec.Struct, frozen=True):
    """A way to pack a file.

    Attributes:
        starts: The first bytes of such a file.
        suffix: The end of a name that the command wants.
    """

    starts: tuple[bytes, ...]
    name: str
    command: str
    suffix: str


GZIP: Final = Packing((b"\x1f\x8b",), "gzip", "gunzip", ".gz")
XZ: Final = Packing((b"\xfd7zXZ\0",), "xz", "unxz", ".xz")
ZSTD: Final = Packing((b"\x28\xb5\x2f\xfd",), "zstd", "unzstd", ".zst")
BZIP2: Final = Packing(
    tuple(b"BZh%d1AY&SY" % size for size in range(1, 10)), "bzip2", "bunzip2", ".bz2"
)
TAR: Final = Packing((), "tar", "tar xkf", ".tar")
UNREAD: Final = (
    Packing((b"PK\3\4", b"PK\5\6"), "zip", "unzip -n", ".zip"),
    Packing((b"7z\xbc\xaf\x27\x1c",), "7-Zip", "7z x -aos", ".7z"),
)
"""Archives that are not read, only named."""

_TAR_MARK: Final = b"ustar"
_TAR_MARK_OFFSET: Final = 257
_TAR_NAMES: Final = r"(?i)\.(?:tar(?:\.\w+)?|tgz|txz|tbz2?|tzst)\Z"  # compiled where it is used


def packing_of(head: bytes, further: tuple[Packing, ...] = ()) -> Packing | None:
    """Tell by its first `HEAD_BYTES` bytes how a file is packed, also by `further`; or None."""
    if head[_TAR_MARK_OFFSET:].startswith(_TAR_MARK):
        return TAR
    known = (GZIP, XZ, ZSTD, BZIP2, *further)
    return next((one for one in known if head.startswith(one.starts)), None)


def unpacking_command(path: Path, packing: Packing) -> str:
    """Say what to type to unpack a file; it stays, and nothing there is replaced unasked."""
    name = quoted(str(path))
    if packing in UNREAD:
        return f"{packing.command} {name}"
    if packing is TAR or re.search(_TAR_NAMES, path.name):  # tar knows all of these packings
        return f"{TAR.command} {name}"
    if path.suffix == packing.suffix:
        return f"{packing.command} -k {name}"
    return f"{packing.command} -c {name} > {quoted(f'{path}.unpacked')}"
