"""The engine's folder of tests/data/engine, which a real server wrote."""

import lzma
import tarfile
from pathlib import Path

DATA = Path(__file__).parents[1] / "data" / "engine"
POWER, CLIMATE, ALARMS = "da1e307c8bcfa481", "33c5590d5d5f2a80", "31b527156c4b2d4f"


def unpack_engine(folder: Path) -> Path:
    """Unpack what a rebuild reads: the TSM files, the WAL, and the folders."""
    with tarfile.open(DATA / "engine.tar.xz") as archive:
        for member in archive:
            is_read = member.name.endswith((".tsm", ".wal", "_series")) or member.isdir()
            if is_read and "/index" not in member.name:
                archive.extract(member, folder, filter="data")
    return folder / "engine"


def unpack(name: str, folder: Path) -> Path:
    """Unpack a file: "lost.bolt" or "influxd.sqlite"."""
    target = folder / name
    target.write_bytes(lzma.decompress((DATA / f"{name}.xz").read_bytes()))
    return target
