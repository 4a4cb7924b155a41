"""FNV-1a, 64 bits: the checksum of a meta page.

Lives here: the hash alone. Source: the FNV reference parameters; bbolt v1.3.6 db.go, meta.sum64.
"""

from typing import Final

OFFSET_BASIS: Final = 0xCBF29CE484222325
PRIME: Final = 0x100000001B3
MASK: Final = (1 << 64) - 1


def fnv1a_64(data: bytes) -> int:
    """Return the 64-bit FNV-1a hash of `data`."""
    digest = OFFSET_BASIS
    for byte in data:
        digest = ((digest ^ byte) * PRIME) & MASK
    return digest
