"""Small file systems of their own, where the kernel lets a test mount one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, *, size_bytes: int) -> Iterator[Path]:
    """Mount an empty file system of this size on a folder; skip where that is forbidden."""
    folder.mkdir()
    options = f"size={size_bytes},mode=0700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_read_only(folder: Path) -> None:
    """Forbid every write to a file system that `mounted` made."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
