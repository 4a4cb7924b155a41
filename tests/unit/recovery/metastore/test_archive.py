"""Stores in whatever people pack their backups into."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable

import pytest

from recovery.errors import StoreDamagedError
from recovery.metastore.packed import open_readable, rest_of_file
from tests.support.stores import MadeStore


def zstd(content: bytes) -> bytes:
    module = pytest.importorskip("backports.zstd", reason="of the standard library from 3.14 on")
    packed: bytes = module.compress(content)
    return packed


def tar(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in {"other/000001.tsm": b"\x16\xd1" * 9000, **members}.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "influxd.bolt.gz": gzip.compress,
    "influxd.bolt.xz": lzma.compress,
    "influxd.bolt.bz2": bz2.compress,
    "influxd.bolt.zst": zstd,
    "influxd.bolt.gz.gz": lambda store: gzip.compress(gzip.compress(store)),
    "influxd.bolt.bz2.gz": lambda store: gzip.compress(bz2.compress(store)),
    "volume.tar": lambda store: tar(**{"influxd.bolt": store}),
    "volume.tar.gz": lambda store: gzip.compress(tar(**{"influxd.bolt": store})),
    "volume.tar.bz2": lambda store: bz2.compress(tar(**{"influxd.bolt": store})),
    "volume.tar.xz": lambda store: lzma.compress(tar(**{"influxd.bolt": store})),
    "volume.tar.zst": lambda store: zstd(tar(**{"influxd.bolt": store})),
    "backup.tar.gz": lambda store: gzip.compress(
        tar(
            **{
                "b/20240815T020000Z.manifest": b"{}",
                "b/20240815T020000Z.bolt.gz": gzip.compress(store),
            }
        )
    ),
}


@pytest.mark.parametrize("name", PACKERS)
def test_a_store_is_read_in_whatever_it_is_packed(made: MadeStore, name: str) -> None:
    path = made.path.with_name(f"packed-{name}")
    path.write_bytes(PACKERS[name](made.path.read_bytes()))
    with open_readable(path) as store, store.view() as tx:
        assert [user.name for user in tx.users.walk([])] == ["alice", "bob"]


def test_what_is_packed_without_end_is_not_unpacked_further(made: MadeStore) -> None:
    content = made.path.read_bytes()
    for _ in range(9):
        content = gzip.compress(content)
    made.path.write_bytes(content)
    with pytest.raises(StoreDamagedError, match="something else"), open_readable(made.path):
        pass


def test_of_the_backups_of_one_folder_the_newest_is_read(made: MadeStore) -> None:
    content, older = made.path.read_bytes(), b"\0" * 16 + bytes.fromhex("edda0ced") + b"\0" * 9000
    for first, second in ((content, older), (older, content)):
        dates = ("2025", "2024") if first is content else ("2024", "2025")
        path = made.path.with_name(f"{dates[0]}.tar")
        path.write_bytes(
            tar(
                **{
                    f"b/{dates[0]}0101T000000Z.bolt": first,
                    f"b/{dates[1]}0101T000000Z.bolt": second,
                }
            )
        )
        with open_readable(path) as store:
            assert store.level == 21


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"one/influxd.bolt": "store", "two/influxd.bolt": "store"}, "several stores in it"),
        ({}, "an archive without a store"),
    ],
)
def test_an_archive_without_the_one_store_says_what_is_in_it(
    made: MadeStore, members: dict[str, str], problem: str
) -> None:
    path = made.path.with_name("volume.tar")
    path.write_bytes(tar(**dict.fromkeys(members, made.path.read_bytes())))
    with pytest.raises(StoreDamagedError, match=problem) as caught:
        open_readable(path)
    assert all(f"./{name}" in str(caught.value) for name in members)


@pytest.mark.parametrize("name", PACKERS)
def test_what_is_cut_is_unpacked_as_far_as_it_goes_for_salvage_only(
    made: MadeStore, name: str
) -> None:
    content = made.path.read_bytes()
    packed = PACKERS[name](content)
    path = made.path.with_name(f"cut-{name}")
    path.write_bytes(packed[: len(packed) - (30000 if name.endswith("tar") else len(packed) // 4)])
    with pytest.raises(StoreDamagedError, match="cut short"):
        open_readable(path)
    head = path.with_name(f"head-{name}")
    head.write_bytes(packed[: 20 if not name.endswith("tar") else 600])
    for read in (open_readable, lambda path: rest_of_file(path).__enter__()):
        with pytest.raises(StoreDamagedError) as caught:
            read(head)
        assert "store salvage" not in repr(caught.value.hint), "which gives nothing, either"
    try:
        with rest_of_file(path) as (plain, is_cut):
            assert is_cut
            rest = plain.read_bytes()
            assert content.startswith(rest)
            assert 0 < len(rest) <= len(content)
    except StoreDamagedError:
        assert "zst" in name or "xz" in name or "bz2" in name, (
            "one block of these holds all of a small store"
        )
