"""What keeps influxd from opening shards, taken out of its way.

Lives here: `Unblocking`, what a rebuild changes in the engine's folder. Must not live here: how it
is found (`recovery.engine`).

Invariants: nothing is removed and nothing is written over. A file or folder gets .bad behind its
name, as influxd itself does with damaged files, where it loses a shard until it is started again
or never comes up. An empty folder is made where a shard has none; it belongs to whom the folder
around it belongs.

Source: InfluxDB v2.9.1 tsdb/engine/tsm1/file_store.go (`FileStore.Open`), tsdb/store.go
(`findShards`), tsdb/shard.go (`Shard.openNoLock`); a real 2.9.1 found every point after it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec

from recovery.engine.folder import DATA, BucketFacts, ShardFacts
from recovery.model.catalogue import POLICY
from recovery.model.display import displayed, quoted
from recovery.model.ids import Id, parse_id
from recovery.new_file import CANNOT_LINK, rename_new

BAD: Final = ".bad"
SHOWN: Final = 8


class Unblocking(msgspec.Struct, frozen=True, kw_only=True):
    """Changes in an engine's folder, each by a path in it.

    Attributes:
        damaged: Files and indexes that influxd cannot open, which get another name.
        stale: Folders that it makes again, which get another name.
        lacking: Folders that are made.
    """

    damaged: tuple[str, ...]
    stale: tuple[str, ...]
    lacking: tuple[str, ...]

    @classmethod
    def of(cls, root: Path, buckets: Sequence[BucketFacts], strays: Sequence[ShardFacts]) -> Self:
        """Collect what the shards of some buckets need, and those of none, in an engine's folder.

        Where influxd does not follow a link, nothing behind it is in its way, or in the folder.
        """
        shards = [*(shard for one in buckets for shard in one.shards), *strays]
        damaged = {x: None for shard in shards for x in shard.blocking}
        stale = (x for one in buckets for x in one.folder.stale if x not in damaged)
        lacking = (
            f"{DATA}/{one.id}/{POLICY}/{shard_id}"
            for one in buckets
            for shard_id in one.folder.wal_only_ids
        )
        return cls(
            **{
                name: tuple(one for one in paths if not _is_behind_link(root, one))
                for name, paths in (("damaged", damaged), ("stale", stale), ("lacking", lacking))
            }
        )

    @property
    def bucket_ids(self) -> tuple[Id, ...]:
        """The buckets in whose folders something is changed."""
        paths = (*self.damaged, *self.stale, *self.lacking)
        found = (parse_id(Path(one).parts[1]) for one in paths)
        return tuple(dict.fromkeys(one for one in found if one is not None))

    @property
    def steps(self) -> Iterator[str]:
        """Say what will be done, as sentences without a full stop."""
        for paths, what in (
            (self.damaged, f"add {BAD} to what keeps influxd from opening shards"),
            (self.stale, f"add {BAD} to indexes without their series, which influxd makes again"),
            (self.lacking, "make empty folders for shards in wal, which influxd opens only then"),
        ):
            if paths:
                more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
                yield f"{what}: {', '.join(map(displayed, paths[:SHOWN]))}{more}"

    def carry_out(self, root: Path) -> Iterator[str]:
        """Do it, and say what could not be done and what does it; without a full stop."""
        for relative in (*self.damaged, *self.stale):
            path = root / relative
            aside = _free(path)
            with suppress(FileNotFoundError):
                try:
                    _put_aside(path, aside)
                except OSError as error:
                    yield _undone(error, f"mv {quoted(str(path))} {quoted(str(aside))}")
        for relative in self.lacking:
            try:
                _make(root, Path(relative))
            except OSError as error:
                yield _undone(error, f"mkdir -p {quoted(str(root / relative))}")


def _is_behind_link(root: Path, relative: str) -> bool:
    """Tell whether a path is in a linked folder of a bucket, a policy or a shard."""
    within = [one for one in Path(relative).parents if one.parts[:1] == (DATA,)]
    return any((root / one).is_symlink() for one in within[:-1])


def _free(path: Path) -> Path:
    """Find a name behind a path that nothing has."""
    names = (path.with_name(f"{path.name}{BAD}{number or ''}") for number in range(1 << 16))
    return next(one for one in names if not os.path.lexists(one))


def _put_aside(path: Path, aside: Path) -> None:
    try:
        rename_new(path, aside)
    except OSError as error:
        if error.errno not in CANNOT_LINK:
            raise
        path.rename(aside)  # that name was free a moment ago


def _make(root: Path, relative: Path) -> None:
    """Make a folder with those above it, each like the one that it lies in."""
    for folder in (*reversed(relative.parents), relative):
        path = root / folder
        if not path.is_dir():
            like = path.parent.stat()
            path.mkdir()
            path.chmod(like.st_mode & 0o7777)
            with suppress(PermissionError):  # only root may give a folder away
                os.chown(path, like.st_uid, like.st_gid)


def _undone(error: OSError, command: str) -> str:
    return (
        f"the engine's folder could not be changed ({error.strerror}): before influxd is started, "
        f"as its user: {command}"
    )
