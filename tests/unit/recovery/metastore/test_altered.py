"""Stores that something changed as a whole: what is said, and that what is to be typed works."""

import gzip
import os
import shutil
import subprocess
from base64 import b64encode, encodebytes
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import process_time

import pytest

from recovery.errors import StoreDamagedError
from recovery.metastore.altered import Alteration, alteration_of
from recovery.metastore.rebuilding import salvage_store
from recovery.new_file import StagedFile
from recovery.remedy import Remedy, ways
from tests.property.test_salvage_campaign import DAMAGES, any_lively
from tests.support.real_stores import real_store_bytes

STORE = real_store_bytes("influxd-2.9.1-used")
END = STORE.rstrip(b"\0")
HEAD = b"-----BEGIN a copy of a store-----"


def swapped(content: bytes) -> bytes:
    return b"".join(content[at : at + 2][::-1] for at in range(0, len(content), 2))


def packed(content: bytes) -> bytes:
    return b64encode(gzip.compress(content))


def xxd(content: bytes) -> bytes:
    rows = (content[at : at + 16] for at in range(0, len(content), 16))
    return b"".join(
        f"{16 * at:08x}: {row.hex(' ', 2)}  {'.' * 16}\n".encode() for at, row in enumerate(rows)
    )


ALTERED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "three bytes before it": ("begins at byte 3", lambda store: b"abc" + store),
    "a page before it": ("begins at byte 4096", lambda store: bytes(4096) + store),
    "on a disk": ("begins at byte 3145728", lambda store: bytes(3 << 20) + store + b"x" * 9000),
    "twice on a disk": ("others begin at 512", lambda store: b"." * 512 + older(store) + store),
    "without its first byte": ("all before byte 1 is", lambda store: store[1:]),
    "without a meta": ("all before byte 4096 is", lambda store: store[4096:]),
    "without metas": ("all before byte 9000 is", lambda store: store[9000:]),
    "swapped": ("swapped in pairs", swapped),
    "with returns": ("a carriage return", lambda store: store.replace(b"\n", b"\r\n")),
    "base64": ("in base64", encodebytes),
    "packed base64": ("in base64", packed),
    "base64 behind a heading": ("in base64 from byte 33", lambda store: HEAD + b64encode(store)),
    "packed base64 in a line": (
        "from byte 6",
        lambda store: b'" b64:' + b64encode(gzip.compress(store)),
    ),
    "base64 of a copy with bytes before it": ("in base64", lambda store: b64encode(b"abc" + store)),
    "digits behind a heading": ("digits from byte 33", lambda store: HEAD + store.hex().encode()),
    "digits": ("in hexadecimal digits", lambda store: store.hex().encode()),
    "xxd": ("a dump that xxd made", xxd),
    "UTF-8": ("text in UTF-8", lambda store: store.decode("latin-1").encode()),
    "UTF-16": ("text in UTF-16", lambda store: store.decode("latin-1").encode("utf-16")),
}
LOST: dict[str, tuple[str, bytes]] = {
    "replaced": ("lost bytes of it for ever", STORE.decode(errors="replace").encode()),
    "PowerShell": ("lost bytes of it for ever", STORE.decode("cp437").encode("utf-16")),
    "zeros": ("nothing but zeros", bytes(70000)),
}


def older(store: bytes) -> bytes:
    """Return the store with its newer meta lost."""
    return store[:4096] + bytes(4096) + store[8192:]


def recognized(path: Path) -> Alteration | None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return alteration_of(path, descriptor, is_whole=True)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("name", ALTERED)
def test_what_salvage_tells_to_type_gives_the_store(tmp_path: Path, name: str) -> None:
    words, alter = ALTERED[name]
    path = tmp_path / "it's a copy"
    path.write_bytes(alter(STORE))
    with pytest.raises(StoreDamagedError, match=words) as refused:
        salvage_store(
            path,
            StagedFile(tmp_path / "new"),
            page_size_bytes=None,
            root_pgid=None,
            use_older=False,
        )
    made = typed(refused.value.hint, path)
    if behind := recognized(made):
        made = typed(behind.hint, made)
    content = made.read_bytes()
    if content.startswith(b"\x1f"):
        content = gzip.decompress(content)
    missing = len(content) - len(content.lstrip(b"\0")) if name.startswith("without") else 0
    assert content[missing:].startswith(END[missing:])
    assert recognized(made) is None


def typed(hint: Remedy, path: Path) -> Path:
    """Type what is told about a file; return what that makes."""
    told = ways(hint)[0]
    assert isinstance(told, str)
    command = told.partition(": ")[2]
    for tool in (command.removeprefix("LC_ALL=C ").lstrip("(").split()[0], "xxd"):
        if tool in command and shutil.which(tool) is None:
            pytest.skip(f"no {tool} here")
    subprocess.run(["/bin/sh", "-c", command], check=True, cwd=path.parent)
    return path.with_name(f"{path.name}.bolt")


def test_what_is_typed_writes_over_nothing(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    path.write_bytes(bytes(100) + STORE)
    (tmp_path / "copy.bolt").touch()
    altered = recognized(path)
    assert altered is not None
    hint = ways(altered.hint)[0]
    assert isinstance(hint, str)
    assert hint.endswith(f" > {tmp_path}/copy.bolt.bolt")


def test_what_was_never_written_of_a_disk_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    with path.open("wb") as disk:
        disk.seek(1 << 39)
        disk.write(STORE)
        disk.truncate(1 << 40)
    started = process_time()
    found = recognized(path)
    assert process_time() - started < 5
    assert found is not None
    assert f"begins at byte {1 << 39}" in found.problem


@pytest.mark.parametrize("name", LOST)
def test_what_nothing_can_be_got_out_of_is_named(tmp_path: Path, name: str) -> None:
    words, content = LOST[name]
    path = tmp_path / "copy.bolt"
    path.write_bytes(content)
    found = recognized(path)
    assert found is not None
    assert words in found.problem


def test_a_damaged_store_is_not_taken_for_an_altered_one(tmp_path: Path) -> None:
    path = tmp_path / "copy.bolt"
    for number in range(100):
        random = Random(f"altered-{number}")
        past = any_lively(random)
        path.write_bytes(random.choice(DAMAGES)(past, random))
        assert recognized(path) is None
