"""The one file, and a machine that has nothing else.

Lives here: whether there is one of these sources, and running it in a root folder with a C library
and nothing more. Must not live here: what is expected of it.
"""

import importlib.util
import os
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from tests.support.absent import absent
from tests.support.as_other_user import NOBODY_UID
from tests.support.run_cli import PATIENCE_S, PROJECT

BUNDLE: Final = PROJECT / "dist" / "influx-recovery"
LIBRARIES: Final = ("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1")
_OF_GCC: Final = ("libutil.so.1", "libgcc_s.so.1")
"""libgcc_s comes with every C library that has threads; the extension in Rust asks for it."""
EMPTY_MACHINE: Final = r"""
set -eu
root=$1 program=$2 data=$3; shift 3
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir -p "$root/lib64" "$root/lib/x86_64-linux-gnu" "$root/proc" "$root/data"
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64"
for library in {libraries}; do
    cp -L "/lib/x86_64-linux-gnu/$library" "$root/lib/x86_64-linux-gnu"
done
: >"$root/influx-recovery"
mount --bind "$program" "$root/influx-recovery"
mount -t proc proc "$root/proc"
mount --bind "$data" "$root/data"
mount -o remount,bind,noexec,nosuid "$root/data"
mount -o remount,ro "$root"
exec env -i HOME=/ TMPDIR=/data "$(command -v chroot)" "--userspec={user}:{user}" "$root" \
    /influx-recovery "$@"
"""


def assembly() -> ModuleType:
    """Import .ci/distribution/bundle.py, which is a script of no package."""
    spec = importlib.util.spec_from_file_location("bundle", PROJECT / ".ci/distribution/bundle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def require_bundle() -> Path:
    """Give the one file; skip where there is none, and in CI fail where it is of other sources."""
    made_by = ".ci/run bundle makes it"
    if not BUNDLE.is_file():
        pytest.skip(f"there is no dist/influx-recovery: {made_by}")
    module = assembly()
    with zipfile.ZipFile(BUNDLE) as archive:
        made_from = archive.read(str(module.MADE_FROM)).decode()
    if made_from != module.digest_of(PROJECT):
        absent(f"dist/influx-recovery is of other sources: {made_by}")
    return BUNDLE


class EmptyMachine:
    """A root folder that cannot be written, with the one file, a C library and /proc; no network.

    The folder /data is that of the test, owned by nobody, and nothing in it can be executed.

    Attributes:
        data: Where it is outside.
    """

    def __init__(self, folder: Path, program: Path) -> None:
        if os.geteuid() != 0 or not self._may_unshare():
            pytest.skip("a root folder of one's own is not allowed here")
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        os.chown(self.data, NOBODY_UID, NOBODY_UID)
        root = folder / "root"
        root.mkdir()
        script = EMPTY_MACHINE.replace("{libraries}", " ".join((*LIBRARIES, *_OF_GCC)))
        script = script.replace("{user}", str(NOBODY_UID))
        self._start: tuple[str, ...] = (
            *("unshare", "--net", "--mount", "--pid", "--fork"),
            *("bash", "-c", script, "bash", str(root), str(program), str(self.data)),
        )

    @staticmethod
    def _may_unshare() -> bool:
        tried = subprocess.run(
            ["unshare", "--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "x", "/mnt"],
            capture_output=True, check=False,
        )  # fmt: skip
        return tried.returncode == 0

    def command(self, arguments: Sequence[str]) -> list[str]:
        return [*self._start, *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the program there, as nobody, to its end."""
        return subprocess.run(
            self.command(arguments), capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, timeout=PATIENCE_S,
        )  # fmt: skip
