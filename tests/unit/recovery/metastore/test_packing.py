"""How a file is packed, and the command that unpacks it, tried with the real programs."""

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from recovery.metastore.packing import HEAD_BYTES, UNREAD, packing_of, unpacking_command

CONTENT = bytes(range(256)) * 20


def tar(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("influxd.bolt")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("influxd.bolt", content)
    return file.getvalue()


PACKED = {
    "store.bolt.gz": gzip.compress(CONTENT),
    "store.bolt.xz": lzma.compress(CONTENT),
    "store.bolt.bz2": bz2.compress(CONTENT),
    "a backup": gzip.compress(CONTENT),
    "influxd.bolt": bz2.compress(CONTENT),
    "volume.tar": tar(CONTENT),
    "volume": tar(CONTENT),
    "volume.tar.gz": gzip.compress(tar(CONTENT)),
    "volume.tgz": gzip.compress(tar(CONTENT)),
    "volume.tar.xz": lzma.compress(tar(CONTENT)),
    "volume.tar.bz2": bz2.compress(tar(CONTENT)),
    "from a desktop.zip": zipped(CONTENT),
}


@pytest.mark.parametrize("name", PACKED)
def test_the_command_unpacks_the_file_and_keeps_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PACKED[name])
    packing = packing_of(PACKED[name][:HEAD_BYTES], UNREAD)
    assert packing is not None
    command = unpacking_command(path, packing)
    needed = [command.split()[0], *(["bzip2"] if name.endswith(".tar.bz2") else [])]
    if missing := [tool for tool in needed if shutil.which(tool) is None]:
        pytest.skip(f"no {missing[0]} here")
    subprocess.run(["/bin/sh", "-c", command], check=True, cwd=tmp_path)
    assert path.read_bytes() == PACKED[name]
    (made,) = (other for other in tmp_path.iterdir() if other != path)
    assert made.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"", b"BZh", b"BZh0" + bytes(99), CONTENT, bytes(HEAD_BYTES)])
def test_what_is_not_packed_is_not_taken_for_it(content: bytes) -> None:
    assert packing_of(content) is None
