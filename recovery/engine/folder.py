"""The engine's folder: which buckets and shards lie in it.

Lives here: `EngineFolder`, which lists them and reads them one by one. Must not live here: what is
in a file (`tsm`, `wal`), what becomes of them.

The layout is `data/<bucket ID>/autogen/<shard ID>/NNNNNNNNN-NNNNNNNNN.tsm` and
`wal/<bucket ID>/autogen/<shard ID>/_NNNNN.wal`. The server opens the shards that have a folder in
`data`, whatever the catalogue says; a query reaches those of the catalogue.

Source: InfluxDB v2.9.1 storage/engine.go (`NewEngine`), tsdb/store.go (`findShards`,
`CreateShard`), tsdb/shard.go (`Shard.openNoLock`: a shard without `index` is indexed anew),
tsdb/index/tsi1/partition.go (`Partition.Open`), index_file.go (`IndexFile.UnmarshalBinary`),
tsdb/series_segment.go (`SeriesSegment.Open`),
tsdb/series_file.go (`SeriesFilePartitionN`), tsdb/engine/tsm1/wal.go (`segmentFileNames`,
`WAL.Open`), file_store.go (`FileStore.Open`).
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from recovery.engine.fields import is_readable as has_readable_changes
from recovery.engine.index_log import is_log
from recovery.engine.keys import Measurements
from recovery.engine.tombstones import is_readable
from recovery.engine.tsm import ReadAt, TsmError, read_tsm
from recovery.engine.wal import read_wal
from recovery.errors import StoreAccessError, StoreNotFoundError
from recovery.model.catalogue import POLICY
from recovery.model.display import displayed
from recovery.model.ids import Id, parse_id
from recovery.model.shard_groups import Span

DATA: Final = "data"
WAL: Final = "wal"
SHARD_ID_MAX: Final = (1 << 63) - 1
"""The server counts on from the highest; nobody has more."""

_SHARD: Final = re.compile(r"[1-9][0-9]{0,18}\Z")
_TSM_END: Final = ".tsm"
_TOMBSTONE_END: Final = ".tombstone"
_BAD: Final = ".tsm.bad"
_SEGMENT_END: Final = ".wal"
_TSM_NAME: Final = re.compile(r"0*[0-9]{1,9}-0*[0-9]{1,9}\.")
"""What influxd can read; it has room for numbers up to 4,294,967,295."""
_SEGMENT_NAME: Final = re.compile(r"_0*[0-9]{1,9}\.wal\Z")
"""What the last one has to be called."""
_NOT_ALLOWED: Final = frozenset({errno.EACCES, errno.EPERM})
_SERIES: Final = "_series"
_SERIES_PARTITIONS: Final = tuple(f"{number:02x}" for number in range(8))
_INDEX: Final = "index"
_FIELDS: Final = "fields.idx"
_CHANGES: Final = "fields.idxl"
_SERIES_SEGMENT: Final = re.compile(r"[0-9a-f]{4}\Z")
_SEGMENT_HEAD: Final = b"SSEG\1"
_SEGMENT_BYTES_MIN: Final = 1 << 22
"""The server makes each as large as it will ever be."""
_NO_ENTRY: Final = b"\0"
"""The flag of the first entry of a series segment, where there is none."""
_FLAGS: Final = (_NO_ENTRY, b"\1", b"\2")
_MANIFEST: Final = "MANIFEST"
_MANIFEST_VERSION: Final = 1
_CONTENT_BYTES_MAX: Final = 1 << 24  # of what is read whole, the server makes less
_INDEX_PARTS: Final = frozenset("01234567")
_INDEX_FILE_END: Final = ".tsi"
_INDEX_FILE_HEAD: Final = b"TSI1"
_INDEX_FILE_TAIL: Final = b"\0\1"

SERIES_LOST: Final = "has lost the series in its folder _series that the indexes of its shards need"
SERIES_LOST_EFFECT: Final = (
    "influxd answers without the points of these series, although they are on disk"
)
SERIES_LOST_REMEDY: Final = (
    "while influxd is stopped, move _series and the folder index of each of its shards out of data "
    "(data/<bucket>/_series, data/<bucket>/autogen/*/index): influxd makes all of them again when "
    "it starts"
)
WAL_ONLY_EFFECT: Final = "influxd opens no shard without one, so no query finds their points"


class _Manifest(msgspec.Struct):
    version: int = 0
    files: list[str] | None = None


class ShardFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the files of one shard tell.

    Attributes:
        id: Its number, which no other shard of the engine has.
        span: The time of its points; None when there are none, or none that can be read.
        size_bytes: Size of its TSM files, tombstones and WAL segments.
        problems: What is damaged, each as a sentence without a full stop that names the file.
        blocking: Files with which the server does not open the shard, or its index, from the
            engine's folder on.
    """

    id: int
    span: Span | None
    size_bytes: int
    file_count: int
    problems: tuple[str, ...]
    blocking: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return not self.file_count


class BucketFolder(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of one bucket.

    Attributes:
        shard_ids: Its shards, in their order.
        oddities: What is in it and is not understood, each as a sentence without a full stop.
        stale: The indexes of its shards, if the series are lost that their numbers mean, and what
            is left of these: folders that the server makes again, from the engine's folder on.
        wal_only_ids: Shards that have points in `wal` and no folder in `data`, without which the
            server does not open them.
    """

    id: Id
    shard_ids: tuple[int, ...]
    oddities: tuple[str, ...]
    stale: tuple[str, ...] = ()
    wal_only_ids: tuple[int, ...] = ()


class BucketFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the files of one bucket tell."""

    folder: BucketFolder
    shards: tuple[ShardFacts, ...]
    measurements: Measurements

    @property
    def id(self) -> Id:
        """The bucket."""
        return self.folder.id

    @property
    def size_bytes(self) -> int:
        """Size of all its shards."""
        return sum(shard.size_bytes for shard in self.shards)

    @property
    def spans(self) -> dict[int, Span]:
        """The time of the points of each shard that has some, in the order of time."""
        found = [(shard.span, shard.id) for shard in self.shards if shard.span is not None]
        return {shard_id: span for span, shard_id in sorted(found)}


class EngineFolder:
    """An engine's folder, which is only read."""

    def __init__(self, path: Path) -> None:
        """Look whether it is one.

        Raises:
            StoreNotFoundError: It is not there, or is none.
            StoreAccessError: This user may not look.
        """
        self.path = path
        try:
            is_engine = stat.S_ISDIR((path / DATA).stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            is_engine = False
        except OSError as error:  # which `is_dir` hides from Python 3.14 on
            raise _not_readable(path, error) from error
        if not is_engine:
            hint = "name the folder that has the folder data in it, often called engine"
            if (path / "engine" / DATA).is_dir():
                hint = f"name the one in there: {displayed(str(path / 'engine'))}"
            raise StoreNotFoundError(
                path=displayed(str(path)), problem="is no folder of a storage engine", hint=hint
            )

    def buckets(self) -> list[BucketFolder]:
        """List the buckets and their shards, opening no file; raise `StoreAccessError`."""
        names = {name for root in (DATA, WAL) for name in self._folders(root)}
        found = []
        for name in sorted(names):
            bucket_id = parse_id(name)
            if bucket_id is not None and bucket_id == name:
                found.append(self._bucket(bucket_id))
        return found

    def oddities(self) -> list[str]:
        """List, in sentences, the folders that are no bucket's; raise `StoreAccessError`."""
        return [
            f"{displayed(f'{DATA}/{name}')} has no name of a bucket and is left alone; if "
            "it is a database of InfluxDB 1.x, influxd upgrade makes buckets of it"
            for name in self._folders(DATA)
            if parse_id(name) != name
        ]

    def _link(self, relative: str) -> list[str]:
        """Say that a folder is a link, if it is one on a level where the server follows none."""
        if not relative.startswith(DATA) or not (self.path / relative).is_symlink():
            return []
        told = f"{displayed(relative)} is a symbolic link, which influxd does not follow"
        return [f"{told}: put the folder itself there, or mount it"]

    def shard_id_max(self) -> int:
        """Give the highest number of a shard, 0 when there is none.

        The server opens every folder with a number, also one of another retention policy or of no
        bucket, and would write a new shard of such a number into that folder.

        Raises:
            StoreAccessError: This user may not look.
        """
        return max(
            (number for root in (DATA, WAL) for *_, number in self._numbers(root)), default=0
        )

    def strays(self) -> Iterator[ShardFacts]:
        """Look at the files of shards that are of no bucket, or of another retention policy.

        The server opens them like all others, and stops at what is damaged in them.

        Raises:
            StoreAccessError: This user may not read one.
        """
        for database, policy, number in self._numbers(DATA):
            if policy != POLICY or parse_id(database) != database:
                yield self._look_at(f"{database}/{policy}/{number}", number)

    def look_at_shard(self, bucket_id: Id, shard_id: int) -> ShardFacts:
        """Look for damaged TSM files and misnamed WAL segments; raise `StoreAccessError`."""
        return self._look_at(f"{bucket_id}/{POLICY}/{shard_id}", shard_id)

    def _look_at(self, relative: str, number: int) -> ShardFacts:
        reading = _Shard(self.path, Measurements())
        self._read_data(reading, f"{DATA}/{relative}")
        self._segments(reading, f"{WAL}/{relative}")
        return reading.facts(number)

    def _numbers(self, root: str) -> Iterator[tuple[str, str, int]]:
        """Give database, policy and number of every shard."""
        for database in self._folders(root):
            for policy in self._folders(f"{root}/{database}"):
                for name in self._folders(f"{root}/{database}/{policy}"):
                    if _SHARD.match(name) and int(name) <= SHARD_ID_MAX:
                        yield database, policy, int(name)

    def read_bucket(self, folder: BucketFolder) -> BucketFacts:
        """Read the shards of a bucket; raise `StoreAccessError` where this user may not."""
        measurements = Measurements()
        shards = tuple(
            self.read_shard(folder.id, shard_id, measurements) for shard_id in folder.shard_ids
        )
        return BucketFacts(folder=folder, shards=shards, measurements=measurements)

    def read_shard(self, bucket_id: Id, shard_id: int, measurements: Measurements) -> ShardFacts:
        """Read the indexes and the WAL of a shard; raise `StoreAccessError`."""
        reading = _Shard(self.path, measurements)
        relative = f"{bucket_id}/{POLICY}/{shard_id}"
        self._read_data(reading, f"{DATA}/{relative}")
        for name in self._segments(reading, f"{WAL}/{relative}"):
            reading.wal(f"{WAL}/{relative}/{name}")
        return reading.facts(shard_id)

    def _segments(self, reading: "_Shard", relative: str) -> list[str]:
        """List the WAL segments of a shard, and note what keeps the server from reading them."""
        ended = (name for name in self._names(relative) if name.endswith(_SEGMENT_END))
        names = [name for name in ended if name.startswith("_")]
        if (self.path / relative).is_file():
            reading.blocked(relative, "is a file, and a folder has to be there")
        while names and not _SEGMENT_NAME.match(names[-1]):  # the others may have any name
            reading.misnamed(f"{relative}/{names.pop()}")
        return names

    def _read_data(self, reading: "_Shard", relative: str) -> None:
        """Read what a shard has in its folder in `data`."""
        names = self._names(relative)
        for name in names:
            if name.endswith(_TSM_END):
                reading.tsm(f"{relative}/{name}")
            elif name.endswith(_TOMBSTONE_END):
                if f"{name.removesuffix(_TOMBSTONE_END)}{_TSM_END}" in names:
                    reading.tombstone(f"{relative}/{name}")
            elif name == _INDEX and not self._has_readable_index(
                f"{relative}/{name}", has_points=any(one.endswith(_TSM_END) for one in names)
            ):
                reading.blocked(
                    f"{relative}/{name}", "cannot be read; influxd makes it again when it is gone"
                )
            elif name == _CHANGES and not self._has_readable_changes(f"{relative}/{name}"):
                for one in sorted({_CHANGES, _FIELDS}.intersection(names)):
                    told = "does not go with readable changes; influxd makes it again"
                    reading.blocked(f"{relative}/{one}", told)
            elif name == _FIELDS and (self.path / relative / name).is_dir():
                reading.blocked(f"{relative}/{name}", "is a folder, and a file has to be there")
            elif name.endswith(_BAD):
                reading.problems.append(
                    f"{relative}/{name} is a file that influxd put aside as damaged"
                )

    def _bucket(self, bucket_id: Id) -> BucketFolder:
        shard_ids: set[int] = set()
        oddities = []
        for root in (DATA, WAL):
            oddities += self._link(f"{root}/{bucket_id}")
            for policy in self._folders(f"{root}/{bucket_id}"):
                relative = f"{root}/{bucket_id}/{policy}"
                if policy == POLICY:
                    oddities += self._link(relative)
                    for name in self._folders(relative):
                        if _SHARD.match(name) and int(name) <= SHARD_ID_MAX:
                            shard_ids.add(int(name))
                        elif name != _SERIES:
                            oddities.append(
                                f"{displayed(f'{relative}/{name}')} has no name of a shard"
                            )
                elif policy != _SERIES and self._folders(relative):
                    oddities.append(
                        f"{displayed(relative)} is of another retention policy than autogen, "
                        "which InfluxDB 2.x does not query"
                    )
        return BucketFolder(
            id=bucket_id,
            shard_ids=tuple(sorted(shard_ids)),
            oddities=tuple(oddities),
            stale=tuple(self._stale(f"{DATA}/{bucket_id}", sorted(shard_ids))),
            wal_only_ids=tuple(self._wal_only(bucket_id, sorted(shard_ids))),
        )

    def _wal_only(self, bucket_id: Id, shard_ids: Iterable[int]) -> Iterator[int]:
        there = set(self._folders(f"{DATA}/{bucket_id}/{POLICY}"))
        for one in shard_ids:
            relative = f"{WAL}/{bucket_id}/{POLICY}/{one}"
            if str(one) not in there and any(
                name.endswith(_SEGMENT_END) and self._has_bytes(f"{relative}/{name}")
                for name in self._names(relative)
            ):
                yield one

    def _stale(self, relative: str, shard_ids: Sequence[int]) -> Iterator[str]:
        """List indexes that need the lost series of a bucket, and what is left of these."""
        if (self.path / relative / _SERIES).is_file():
            yield f"{relative}/{_SERIES}"
        if self._has_lost_series(relative, shard_ids):
            for folder, wanted in (
                (f"{relative}/{_SERIES}", _SERIES_PARTITIONS),
                *((f"{relative}/{POLICY}/{one}", (_INDEX,)) for one in shard_ids),
            ):
                yield from (f"{folder}/{one}" for one in self._names(folder) if one in wanted)

    def _has_lost_series(self, relative: str, shard_ids: Iterable[int]) -> bool:
        """Tell whether the series of a bucket are lost while the indexes that need them are not.

        A server that was started since has made the folder again, and nothing is in it.
        """
        shards = [f"{relative}/{POLICY}/{one}" for one in shard_ids]
        partitions = [f"{relative}/{_SERIES}/{one}" for one in _SERIES_PARTITIONS]
        segments = [
            [f"{one}/{name}" for name in self._names(one) if _SERIES_SEGMENT.match(name)]
            for one in partitions
        ]
        flags = {self._first_flag(name) for one in segments for name in one}
        if None in flags:
            return True
        if not any(_INDEX in self._folders(one) for one in shards):
            return False
        if not all(segments):
            return True
        if flags != {_NO_ENTRY}:
            return False
        logs = [f"{WAL}{one.removeprefix(DATA)}" for one in shards]  # a small bucket has only these
        names = [f"{one}/{name}" for one in (*shards, *logs) for name in self._names(one)]
        return any(
            name.endswith((_TSM_END, _SEGMENT_END)) and self._has_bytes(name) for name in names
        )

    def _has_bytes(self, relative: str) -> bool:
        try:
            return (self.path / relative).stat().st_size > 0
        except OSError:
            return False

    def _first_flag(self, relative: str) -> bytes | None:
        """Read the flag of the first entry of a segment of series; None where it is damaged.

        The server starts with one that is empty or cut, and answers without a point of the bucket.
        """
        try:
            with open(self.path / relative, "rb", opener=_descriptor) as segment:
                head = segment.read(len(_SEGMENT_HEAD) + 1)
                size_bytes = segment.seek(0, os.SEEK_END)
        except OSError:
            return _FLAGS[-1]  # nothing is known, so nothing is said
        if size_bytes < _SEGMENT_BYTES_MIN:
            return None
        flag = head.removeprefix(_SEGMENT_HEAD)
        return flag if flag in _FLAGS else None

    def _has_readable_changes(self, relative: str) -> bool:
        """Tell whether the server can read which fields a shard got last."""
        try:
            return has_readable_changes(_content(self.path / relative))
        except IsADirectoryError:
            return False
        except OSError:
            return True  # nothing is known, so nothing is said

    def _has_readable_index(self, relative: str, *, has_points: bool) -> bool:
        """Tell whether the server can read all of an index, which has series if it `has_points`."""
        parts = self._folders(relative)
        if not _INDEX_PARTS.issubset(parts):
            return not has_points and (self.path / relative).is_dir()
        is_empty = True
        for part in parts:
            folder = self.path / relative / part
            try:
                manifest = msgspec.json.decode(_content(folder / _MANIFEST), type=_Manifest)
            except msgspec.DecodeError:
                return False
            except FileNotFoundError:
                return False  # the server begins this part anew, without its series
            except OSError:
                return True  # nothing is known, so nothing is said
            names = [f"{relative}/{part}/{one}" for one in manifest.files or ()]
            if manifest.version != _MANIFEST_VERSION or not all(
                _is_index_file(self.path / one) for one in names
            ):
                return False
            is_empty = is_empty and not any(map(self._has_bytes, names))
        return not (is_empty and has_points)

    def _folders(self, relative: str) -> list[str]:
        """List the folders in a folder; none where it is not there."""
        return self._listed(relative, folders_only=True)

    def _names(self, relative: str) -> list[str]:
        return self._listed(relative, folders_only=False)

    def _listed(self, relative: str, *, folders_only: bool) -> list[str]:
        path = self.path / relative
        try:
            with os.scandir(path) as entries:
                return sorted(one.name for one in entries if not folders_only or one.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _not_readable(path, error) from error


class _Shard:
    """A shard that is being read."""

    def __init__(self, root: Path, measurements: Measurements) -> None:
        self._root = root
        self._measurements = measurements
        self.span: Span | None = None
        self.size_bytes = 0
        self.file_count = 0
        self.problems: list[str] = []
        self.blocking: list[str] = []

    def tsm(self, relative: str) -> None:
        """Read a TSM file, unless the server cannot read its name."""
        if _TSM_NAME.match(relative.rpartition("/")[2]):
            self._read(relative, self._read_tsm)
        else:
            self.misnamed(relative)

    def tombstone(self, relative: str) -> None:
        """Look whether the server can read a tombstone; without it, it opens the TSM file."""
        self._read(relative, self._read_tombstone)

    def wal(self, relative: str) -> None:
        """Read a WAL segment."""
        self._read(relative, self._read_wal)

    def facts(self, number: int) -> ShardFacts:
        """Give what was found."""
        return ShardFacts(
            id=number,
            span=self.span,
            size_bytes=self.size_bytes,
            file_count=self.file_count,
            problems=tuple(self.problems),
            blocking=tuple(self.blocking),
        )

    def misnamed(self, relative: str) -> None:
        """Note a file whose name keeps the server from opening the shard."""
        self.blocked(relative, "has a name that influxd does not understand, so it is not read")

    def blocked(self, relative: str, problem: str) -> None:
        """Note a file or folder with which the server does not open the shard."""
        self._tell(relative, problem)
        self.blocking.append(relative)

    def _read_tsm(self, relative: str, read_at: ReadAt, size_bytes: int) -> Span | None:
        try:
            facts = read_tsm(read_at, size_bytes, self._measurements)
        except TsmError as error:
            (self.blocked if error.is_put_aside else self._tell)(relative, error.problem)
            return None
        if facts.problem is not None:
            self._tell(relative, facts.problem)
        return facts.span

    def _read_tombstone(self, relative: str, read_at: ReadAt, size_bytes: int) -> None:
        if not is_readable(read_at, size_bytes):
            self.blocked(
                relative,
                "is damaged, so that influxd would put the whole TSM file aside; without it, the "
                "points that it takes away are there again",
            )

    def _read_wal(self, relative: str, read_at: ReadAt, size_bytes: int) -> Span | None:
        try:
            facts = read_wal(read_at, size_bytes, self._measurements)
        except ImportError:
            self._tell(relative, "cannot be unpacked here: pip install cramjam")
            return None
        if facts.problem is not None:
            self._tell(relative, facts.problem)
        return facts.span

    def _read(self, relative: str, read: Callable[[str, ReadAt, int], Span | None]) -> None:
        """Open a file, count it, and read it. A disk that cannot read it is told."""
        path = self._root / relative
        try:
            descriptor = _descriptor(path)
        except OSError as error:
            if error.errno in _NOT_ALLOWED:
                raise _not_readable(path, error) from error
            if os.path.lexists(path):  # else a server that runs has compacted it meanwhile
                self.blocked(relative, f"cannot be opened ({error.strerror})")
            return
        try:
            size_bytes = os.fstat(descriptor).st_size
            self.size_bytes += size_bytes
            self.file_count += 1
            found = read(
                relative, lambda offset, count: os.pread(descriptor, count, offset), size_bytes
            )
            self.span = self.span if found is None else found.joined(self.span)
        except IsADirectoryError:
            self.blocked(relative, "is a folder, and a file has to be there")
        except OSError as error:
            self._tell(relative, f"cannot be read ({error.strerror})")
        finally:
            os.close(descriptor)

    def _tell(self, relative: str, problem: str) -> None:
        self.problems.append(f"{displayed(relative)} {problem}")


def _descriptor(path: Path | str, flags: int = os.O_RDONLY | os.O_CLOEXEC) -> int:
    """Open a file without waiting for a writer, as of a pipe; raise `OSError`."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _content(path: Path) -> bytes:
    with open(path, "rb", opener=_descriptor) as file:
        return file.read(_CONTENT_BYTES_MAX) or b""


def _is_index_file(path: Path) -> bool:
    """Tell whether a file of an index is what the server can read."""
    try:
        if not path.name.endswith(_INDEX_FILE_END):
            return is_log(_content(path))
        with open(path, "rb", opener=_descriptor) as file:
            head = file.read(len(_INDEX_FILE_HEAD))
            file.seek(-len(_INDEX_FILE_TAIL), os.SEEK_END)
            return head == _INDEX_FILE_HEAD and file.read() == _INDEX_FILE_TAIL
    except OSError:
        return False


def _not_readable(path: Path, error: OSError) -> StoreAccessError:
    return StoreAccessError(
        path=displayed(str(path)),
        problem=f"cannot be read ({error.strerror})",
        hint="run it as root, or as the user that influxd runs as",
    )
