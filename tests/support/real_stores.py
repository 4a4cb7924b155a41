"""Stores that real servers wrote, as kept in `tests/data`."""

import lzma
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parents[1] / "data"
_SUFFIX: Final = ".bolt.xz"

REAL_STORES: Final = tuple(
    sorted(path.name.removesuffix(_SUFFIX) for path in _FOLDER.glob(f"*{_SUFFIX}"))
)
"""Names of all of them, as "influxd-2.9.1-setup"; `tests/data/README.md` says what each is."""


def real_store_bytes(name: str) -> bytes:
    """Return the bytes of one of `REAL_STORES`."""
    return lzma.decompress((_FOLDER / f"{name}{_SUFFIX}").read_bytes())


def unpack_real_store(name: str, target: Path) -> Path:
    """Write a copy that a test may change, private as influxd leaves it.

    Args:
        name: One of `REAL_STORES`.
        target: The new file.
    """
    target.write_bytes(real_store_bytes(name))
    target.chmod(0o600)
    return target
