"""The walk over the engine's folder."""

import os
import shutil
from pathlib import Path

import pytest

from recovery.engine.folder import EngineFolder, ShardFacts
from recovery.errors import StoreNotFoundError
from recovery.model.ids import Id
from recovery.model.shard_groups import Span
from tests.support.as_other_user import run_as_nobody
from tests.support.engine_files import tsm_file, wal_entry, wal_write, write_shard
from tests.support.hints import hint_of
from tests.support.plant import ALARMS, CLIMATE, POWER, unpack_engine

BUCKET = Id("da1e307c8bcfa481")
OTHER = Id("33c5590d5d5f2a80")
KEYS = {b"cpu,host=a#!~#f": [(100, 200)]}
LATER = wal_entry(wal_write(b"mem,host=a#!~#f", 1, [(900, 1.0)]))


def _shards(engine: Path) -> dict[int, ShardFacts]:
    folder = EngineFolder(engine)
    return {shard.id: shard for one in folder.buckets() for shard in folder.read_bucket(one).shards}


def test_the_wal_widens_the_time_of_the_tsm_files(tmp_path: Path) -> None:
    write_shard(tmp_path, BUCKET, 7, keys=KEYS, wal=LATER)
    assert _shards(tmp_path)[7].span == Span(first_ns=100, last_ns=900)


def test_a_shard_of_a_wal_alone_has_a_time(tmp_path: Path) -> None:
    write_shard(tmp_path, BUCKET, 7, wal=LATER)
    assert _shards(tmp_path)[7].span == Span(first_ns=900, last_ns=900)
    assert EngineFolder(tmp_path).buckets()[0].wal_only_ids == ()


def test_only_the_last_segment_has_to_have_a_name_that_influxd_reads(tmp_path: Path) -> None:
    write_shard(tmp_path, BUCKET, 7, wal=LATER)
    log = tmp_path / "wal" / BUCKET / "autogen" / "7"
    for name in ("_00000.old.wal", "_00001.2.wal", "_x.wal"):
        (log / name).write_bytes((log / "_00001.wal").read_bytes())
    assert [one.rpartition("/")[2] for one in _shards(tmp_path)[7].blocking] == ["_x.wal"]
    (log / "_00001.wal").unlink()
    blocking = _shards(tmp_path)[7].blocking
    assert [one.rpartition("/")[2] for one in blocking] == [
        "_x.wal",
        "_00001.2.wal",
        "_00000.old.wal",
    ]
    engine = EngineFolder(tmp_path)
    assert engine.look_at_shard(BUCKET, 7).blocking == blocking
    for root in ("data", "wal"):  # the server opens the shards of every policy
        (tmp_path / root / BUCKET / "autogen").rename(tmp_path / root / BUCKET / "weekly")
    (stray,) = engine.strays()
    assert stray.blocking == tuple(one.replace("autogen", "weekly") for one in blocking)


def test_a_shard_whose_folder_in_data_is_gone_is_found_by_its_wal(tmp_path: Path) -> None:
    write_shard(tmp_path, OTHER, 1, keys=KEYS)
    write_shard(tmp_path, BUCKET, 7, wal=LATER).rmdir()
    (tmp_path / "wal" / BUCKET / "autogen" / "8").mkdir()  # nothing is in it, so nothing is lost
    assert _shards(tmp_path)[7].span == Span(first_ns=900, last_ns=900)
    assert [one.wal_only_ids for one in EngineFolder(tmp_path).buckets()] == [(), (7,)]


def test_a_damaged_file_is_told_and_the_others_count(tmp_path: Path) -> None:
    folder = write_shard(tmp_path, BUCKET, 7, keys=KEYS)
    (folder / "000000002-000000001.tsm").write_bytes(b"torn")
    (folder / "000000002.tsm").write_bytes(tsm_file({b"m#!~#f": [(7, 900)]}))
    (folder / "000000003-000000001.tsm").mkdir()
    (folder / "000000006-000000001.tsm").symlink_to("nowhere")
    (folder / "000000004-000000001.tsm.bad").write_bytes(b"old")
    (folder / "000000005-000000001.tsm.tmp").write_bytes(b"half")
    (folder / "000000001-000000001.tombstone").write_bytes(b"\0\0\x15\x04\x1f\x8b")
    (folder / "000000009-000000001.tombstone").write_bytes(b"\0\0\x15\x04\x1f\x8b")
    found = _shards(tmp_path)[7]
    assert found.span == Span(first_ns=100, last_ns=200)
    assert [problem.split(" ", 1)[0].rpartition("/")[2] for problem in found.problems] == [
        "000000001-000000001.tombstone",
        "000000002-000000001.tsm",
        "000000002.tsm",
        "000000003-000000001.tsm",
        "000000004-000000001.tsm.bad",
        "000000006-000000001.tsm",
    ]
    assert [one.rpartition("/")[2] for one in found.blocking] == [
        "000000001-000000001.tombstone",
        "000000002-000000001.tsm",
        "000000002.tsm",
        "000000003-000000001.tsm",
        "000000006-000000001.tsm",
    ]


_WRITTEN = bytes.fromhex("0c000000000000000a0a0a016d12050a01661002")
"""What 2.9.1 wrote for the field f of the measurement m."""


@pytest.mark.parametrize(
    ("changes", "is_whole"),
    [
        (b"", True),
        (_WRITTEN * 2, True),
        (_WRITTEN + _WRITTEN[:-3], True),
        (_WRITTEN + b"\x0c\0\0", True),
        (_WRITTEN + bytes(64), True),
        (b"garbage" * 9, False),
        (_WRITTEN + b"\xff" * 9, False),
        (_WRITTEN[:9] + b"\xff" + _WRITTEN[10:], False),
        (_WRITTEN[:8] + b"\x12" + _WRITTEN[9:], False),
        (b"\5" + bytes(7) + b"\x0a\3\x0a\1m", False),
        (None, False),
    ],
)
def test_changes_of_fields_that_influxd_cannot_read_go_with_the_fields(
    tmp_path: Path, changes: bytes | None, *, is_whole: bool
) -> None:
    """A real server exits at some of these, and leaves out fields at others."""
    folder = write_shard(tmp_path, BUCKET, 7, keys=KEYS)
    (folder / "fields.idx").write_bytes(b"any")
    if changes is None:
        (folder / "fields.idxl").mkdir()
    else:
        (folder / "fields.idxl").write_bytes(changes)
    blocking = [one.rpartition("/")[2] for one in _shards(tmp_path)[7].blocking]
    assert blocking == ([] if is_whole else ["fields.idx", "fields.idxl"])


def test_files_and_folders_in_each_others_place_are_in_the_way(tmp_path: Path) -> None:
    folder = write_shard(tmp_path, BUCKET, 7, keys=KEYS)
    (folder / "fields.idx").mkdir()
    (folder / "index").write_bytes(b"a file")
    log = tmp_path / "wal" / BUCKET / "autogen"
    log.mkdir(parents=True)
    (log / "7").write_bytes(b"a file")
    series = folder.parents[1] / "_series"
    series.write_bytes(b"a file")
    assert EngineFolder(tmp_path).buckets()[0].stale == (f"data/{BUCKET}/_series",)
    assert [one.rpartition("/")[2] for one in _shards(tmp_path)[7].blocking] == [
        "fields.idx",
        "index",
        "7",
    ]


def test_an_empty_shard_has_no_time(tmp_path: Path) -> None:
    write_shard(tmp_path, BUCKET, 7)
    assert _shards(tmp_path)[7].span is None
    assert _shards(tmp_path)[7].is_empty


def test_measurements_come_from_both(tmp_path: Path) -> None:
    write_shard(tmp_path, BUCKET, 7, keys=KEYS, wal=LATER)
    engine = EngineFolder(tmp_path)
    facts = engine.read_bucket(engine.buckets()[0])
    assert facts.measurements.names == ["cpu", "mem"]
    assert facts.measurements.tags("cpu") == {"host"}


def test_what_is_no_bucket_and_no_shard_is_left_alone_and_said(tmp_path: Path) -> None:
    folder = write_shard(tmp_path, BUCKET, 7, keys=KEYS)
    for name in ("lost+found", BUCKET.upper(), "_internal"):
        (tmp_path / "data" / name).mkdir()
    for name in ("x", "08", "9" * 20):
        (folder.parent / name).mkdir()
    (folder.parents[1] / "_series").mkdir()
    (folder.parents[1] / "monthly" / "31").mkdir(parents=True)
    (tmp_path / "data" / "_internal" / "autogen" / "32").mkdir(parents=True)
    engine = EngineFolder(tmp_path)
    assert [one.id for one in engine.buckets()] == [BUCKET]
    assert engine.buckets()[0].shard_ids == (7,)
    assert len(engine.oddities()) == 3
    assert len(engine.buckets()[0].oddities) == 4
    assert engine.shard_id_max() == 32  # the server opens that as well


def test_a_link_that_the_server_does_not_follow_is_told(tmp_path: Path) -> None:
    folder = write_shard(tmp_path, BUCKET, 7, keys=KEYS)
    away = tmp_path / "away"
    folder.rename(away)
    folder.symlink_to(away)  # of a shard the server asks only for its name
    (bucket,) = EngineFolder(tmp_path).buckets()
    assert bucket.oddities == ()
    bucket_folder = folder.parents[1]
    bucket_folder.rename(tmp_path / "moved")
    bucket_folder.symlink_to(tmp_path / "moved")
    (bucket,) = EngineFolder(tmp_path).buckets()
    assert bucket.shard_ids == (7,)
    assert "symbolic link" in bucket.oddities[0]


def test_indexes_whose_series_are_lost_are_told(tmp_path: Path) -> None:
    """With a real server such a bucket answers with no point; without its indexes, with all."""
    folder = write_shard(tmp_path, BUCKET, 7, keys=KEYS)

    def is_lost() -> bool:
        (bucket,) = EngineFolder(tmp_path).buckets()
        assert ((folder / "index").exists() and bool(bucket.stale)) is any(
            tmp_path / one == folder / "index" for one in bucket.stale
        )
        return bool(bucket.stale)

    assert not is_lost()  # influxd indexes a shard without an index by itself
    (folder / "index").mkdir()
    assert is_lost()
    segments = [folder.parents[1] / "_series" / f"{number:02x}" / "0000" for number in range(8)]

    def write(segment: Path, content: bytes, size_bytes: int = 1 << 22) -> None:
        segment.write_bytes(content)
        os.truncate(segment, size_bytes)

    for segment in segments:
        segment.parent.mkdir(parents=True)
        write(segment, b"SSEG\1\0\0")
    assert is_lost()  # a server has made them again, with nothing in them
    write(segments[3], b"SSEG\1\1\0")
    assert not is_lost()
    write(segments[3], b"SSEG\1\1\0", 1 << 21)
    assert is_lost()
    write(segments[3], b"SSEG\1\1\0")
    for content in (b"", b"SSE", b"\0" * 6, b"SSEG\1\x77"):
        write(segments[5], content)
        assert is_lost()  # influxd starts, and answers without a point of the bucket
    segments[5].unlink()
    assert is_lost()
    segments[5].with_name("index").touch()
    assert is_lost()
    (folder / "index").rmdir()
    assert not is_lost()
    segments[3].with_name("0001").touch()
    assert is_lost()


_ENTRY = bytes.fromhex("00010000007e9e9078")
"""Of a log of an index: series 1."""
_GONE = bytes.fromhex("0200016d000004b93fbe")
"""The same: the measurement m is deleted."""


def _write_index_part(shard: Path, part: str, log: bytes | None) -> None:
    folder = shard / "index" / part
    folder.mkdir(parents=True)
    (folder / "MANIFEST").write_bytes(b'{"files":["L0-00000001.tsl"],"version":1}')
    if log is not None:
        (folder / "L0-00000001.tsl").write_bytes(log)


@pytest.mark.parametrize(
    ("log", "is_whole"),
    [
        (_ENTRY * 2, True),
        (_ENTRY + _ENTRY[:-1], True),
        (b"", False),  # of all parts
        (bytes(40), False),
        (_ENTRY * 2000 + bytes(64) + _ENTRY, False),
        (_ENTRY * 2000 + _GONE * 2 + _ENTRY + _ENTRY[:3], True),
        (_ENTRY + _GONE + _GONE[:4], True),
        *(
            (_ENTRY * 2000 + _GONE + one[:at] + b"\x80" + one[at + 1 :] + _ENTRY * 9, False)
            for one in (_ENTRY, _GONE)
            for at in range(9)
        ),
        (_ENTRY[:3] + b"x" + _ENTRY[4:], False),
        (None, False),
    ],
)
def test_an_index_that_has_lost_series_is_in_the_way(
    tmp_path: Path, log: bytes | None, *, is_whole: bool
) -> None:
    """A real server answers without the points of these series."""
    folder = write_shard(tmp_path, BUCKET, 7, keys=KEYS)
    for part in "01234567":
        _write_index_part(folder, part, log)
    relative = str((folder / "index").relative_to(tmp_path))
    assert _shards(tmp_path)[7].blocking == (() if is_whole else (relative,))
    shutil.rmtree(folder / "index" / "5")
    assert _shards(tmp_path)[7].blocking == (relative,)


@pytest.mark.parametrize(
    ("manifest", "index", "blocking_count"),
    [(b'{"files":["L1-00000001.tsi"],"version":1}', b"TSI1...\0\1", 0), (None, b"", 1)]
    + [(b'{"files":["L0-00000001.tsl"],"version":1}', b"TSI1...\0\1", 1)]
    + [(content, b"", 1) for content in (b"", b'{"levels":[{"m":', b"{}", b"\0\0")]
    + [
        (b'{"files":["L1-00000001.tsi"],"version":1}', content, content != b"TSI1...\0\1")
        for content in (b"TSI1...\0\1", b"", b"TSI1...", b"\0\0\0\0\0\1", None)
    ],
)
def test_an_index_that_influxd_cannot_read_is_told(
    tmp_path: Path, manifest: bytes | None, index: bytes | None, blocking_count: int
) -> None:
    """With a real server a shard with such an index is not opened; without it, it is."""
    folder = write_shard(tmp_path, BUCKET, 7, keys=KEYS)
    for part in "01234567":
        _write_index_part(folder, part, _ENTRY if part == "0" else b"")
    for file in (folder / "index" / "3").iterdir():
        file.unlink()
    if manifest is not None:
        (folder / "index" / "3" / "MANIFEST").write_bytes(manifest)
    if index is not None:
        (folder / "index" / "3" / "L1-00000001.tsi").write_bytes(index)
    found = _shards(tmp_path)[7]
    relative = str((folder / "index").relative_to(tmp_path))
    assert found.blocking == (relative,) * blocking_count
    assert len(found.problems) == len(found.blocking)


def test_a_log_of_any_size_and_pipes_in_the_place_of_files_keep_nobody(tmp_path: Path) -> None:
    folder = write_shard(tmp_path, BUCKET, 7, keys=KEYS)
    for part in "01234567":
        _write_index_part(folder, part, _ENTRY)
    os.truncate(folder / "index" / "3" / "L0-00000001.tsl", 1 << 42)
    relative = str((folder / "index").relative_to(tmp_path))
    assert _shards(tmp_path)[7].blocking == (relative,)
    for place in ("index/3/L0-00000001.tsl", "index/2/MANIFEST", "fields.idxl"):
        (folder / place).unlink(missing_ok=True)
        os.mkfifo(folder / place)
    os.mkfifo(folder.parent.parent / "_series")
    assert _shards(tmp_path)[7].blocking == (relative,)


def test_series_are_not_missed_where_no_point_is(tmp_path: Path) -> None:
    folder = write_shard(tmp_path, BUCKET, 7)
    (folder / "index").mkdir()
    for number in range(8):
        partition = folder.parents[1] / "_series" / f"{number:02x}"
        partition.mkdir(parents=True)
        (partition / "0000").write_bytes(b"SSEG\1\0\0")
        os.truncate(partition / "0000", 1 << 22)
    assert not EngineFolder(tmp_path).buckets()[0].stale
    write_shard(tmp_path, BUCKET, 8, wal=LATER)
    assert (
        len(EngineFolder(tmp_path).buckets()[0].stale) == 1 + 8
    )  # influxd stops with points in wal


def test_what_is_no_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        EngineFolder(tmp_path)
    (tmp_path / "engine" / "data").mkdir(parents=True)
    with pytest.raises(StoreNotFoundError) as caught:
        EngineFolder(tmp_path)
    assert str(tmp_path / "engine") in hint_of(caught.value)


def test_nothing_is_written(tmp_path: Path) -> None:
    write_shard(tmp_path, BUCKET, 7, keys=KEYS, wal=LATER)
    before = {path: path.stat() for path in tmp_path.rglob("*")}
    _shards(tmp_path)
    after = {path: path.stat() for path in tmp_path.rglob("*")}
    assert list(before) == list(after)
    assert [s.st_mtime_ns for s in before.values()] == [s.st_mtime_ns for s in after.values()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("closed", ["data", "file"])
def test_what_this_user_may_not_read_is_refused_and_not_left_out(
    tmp_path: Path, closed: str
) -> None:
    folder = write_shard(tmp_path, BUCKET, 7, keys=KEYS)
    for path in [tmp_path, *tmp_path.parents]:
        if path.name.startswith(("pytest-", "popen-", "test_")):  # made for root alone
            path.chmod(0o755)
    one = folder / "000000001-000000001.tsm" if closed == "file" else tmp_path / "data" / BUCKET
    one.chmod(0)
    code = """
from recovery.engine.folder import EngineFolder
from recovery.errors import StoreAccessError
try:
    engine = EngineFolder(Path(sys.argv[1]))
    for one in engine.buckets():
        engine.read_bucket(one)
except StoreAccessError as error:
    print("refused", error.hint)
"""
    said = run_as_nobody(code, tmp_path, imports="recovery.engine.folder, cramjam")
    assert said.startswith("refused run it as root")


def test_the_folder_of_a_real_server_is_read(tmp_path: Path) -> None:
    engine = EngineFolder(unpack_engine(tmp_path))
    found = {one.id: engine.read_bucket(one) for one in engine.buckets()}
    assert {
        bucket_id: (len(facts.shards), len(facts.spans), facts.measurements.names)
        for bucket_id, facts in found.items()
    } == {
        POWER: (7, 7, ["kw"]),
        CLIMATE: (59, 59, ["rain", "temp"]),
        ALARMS: (21, 21, ["a"]),
    }
    assert not [
        shard.problems for facts in found.values() for shard in facts.shards if shard.problems
    ]
    assert engine.shard_id_max() == 87
