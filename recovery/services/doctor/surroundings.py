"""The folders around the store.

Lives here: the rules I34 and I35. Must not live here: the SQLite file (`sqlite`).

Invariants: only names and modes are looked at. What may not be looked at is no finding.

Source: spec influxdb-metadata sections 1.1, 13.2; InfluxDB v2.9.1 cmd/influxd/launcher/launcher.go
(checkForPriorVersion). That a file or a dead link in the place of a folder stops it was seen with a
real 2.9.1.
"""

import glob
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from recovery.kept import STAGE_PREFIX
from recovery.model.catalogue import POLICY
from recovery.model.display import quoted
from recovery.model.ids import parse_id
from recovery.new_file import is_in_use
from recovery.services.doctor.finding import Finding, Rule, Severity

OLD_FOLDERS: Final = ("_series", "index")
NEEDED_FOLDERS: Final = ("", "data", "replicationq")
"""Made by a start where they are not there; "" is the engine's folder itself."""
COPIES: Final = ("{name}.*.backup", "{name}.tmp")
MODE: Final = 0o600
LEFTOVERS: Final = (f"{STAGE_PREFIX}*", ".bolt_store-*.new", "{name}*.partial", "{name}*.plain")
"""What killed commands leave; the last two are of earlier versions of this program."""

OLD_ENGINE: Final = Rule(
    number="I34",
    severity=Severity.FATAL,
    problem="is a folder of a 2.0 beta in the engine's folder",
    effect="influxd exits: Found directory that is incompatible with this version of InfluxDB",
    remedy="repair moves no data: move the folder out of the engine's folder",
)
NO_FOLDER: Final = Rule(
    number="I34",
    severity=Severity.FATAL,
    problem="is a file, and has to be a folder of the engine",
    effect="influxd stops: not a directory",
    remedy="repair moves no data: look what it is, and move it away",
)
NO_WAL: Final = Rule(
    number="I34",
    severity=Severity.HIGH,
    problem="has to be a folder, and is a file or a link to nothing",
    effect="influxd starts, and opens none of the shards that belong there: each write fails",
    remedy="repair moves no data: look what it is, and move it away, or mount what it leads to",
)
DEAD_LINK: Final = Rule(
    number="I34",
    severity=Severity.FATAL,
    problem="is a link to a folder that is not there",
    effect="influxd stops, because it cannot make the folder in the place of the link",
    remedy="repair moves no data: mount what it leads to, or put it back",
)
OPEN_STORE: Final = Rule(
    number="I35",
    severity=Severity.HIGH,
    problem="can be read or written by others than its owner, with all tokens in it",
    effect="influxd does not mind",
    remedy="repair changes no modes: type chmod 600",
)
OPEN_COPY: Final = Rule(
    number="I35",
    severity=Severity.HIGH,
    problem="is a copy of the store that everybody can read, with all tokens in it",
    effect="influxd leaves such copies when it is upgraded",
    remedy="repair changes no modes: delete it, or type chmod 600",
)


LEFTOVER: Final = Rule(
    number="I35",
    severity=Severity.MEDIUM,
    problem="is what a command that was killed has left, with all tokens in it",
    effect="influxd does not mind",
    remedy="delete it when no command runs; the next command that makes a file there removes its "
    "own kind",
)


def examine_surroundings(path: Path, engine_path: Path | None) -> Iterator[Finding]:
    """Look at the folders around the store, and at that of the time series if it is known."""
    yield from examine_engine(engine_path)
    with suppress(OSError):
        if stat.S_IMODE(path.stat().st_mode) & ~MODE:
            yield _open(OPEN_STORE, path)
    for pattern in COPIES:
        for copy in sorted(path.parent.glob(pattern.format(name=path.name))):
            with suppress(OSError):
                if copy.stat().st_mode & stat.S_IROTH:
                    yield _open(OPEN_COPY, copy)
    for pattern in LEFTOVERS:
        with suppress(OSError):
            for left in sorted(path.parent.glob(pattern.format(name=glob.escape(path.name)))):
                if not is_in_use(left):
                    yield LEFTOVER.broken(left.name)


def _open(rule: Rule, path: Path) -> Finding:
    """Name the file in the command that shuts it, as a shell takes it from any folder."""
    return rule.broken(path.name, remedy=f"{rule.remedy} {quoted(str(path.absolute()))}")


def _wal_folders(wal: Path) -> Iterator[Path]:
    """Give the folders that influxd makes shards of in wal: its own, of buckets, of policies."""
    yield wal
    for bucket in wal.iterdir() if wal.is_dir() else ():
        if parse_id(bucket.name) is not None:
            yield bucket
            yield bucket / POLICY


def examine_engine(engine_path: Path | None) -> Iterator[Finding]:
    """Look at the folder of the time series, where it is known, for what stops influxd."""
    if engine_path is None:
        return
    for name in OLD_FOLDERS:
        with suppress(OSError):
            if (engine_path / name).is_dir():
                yield OLD_ENGINE.broken(str(engine_path / name))
    with suppress(OSError):
        for place in _wal_folders(engine_path / "wal"):
            if os.path.lexists(place) and not place.is_dir():
                yield NO_WAL.broken(str(place))
    for name in NEEDED_FOLDERS:
        with suppress(OSError):
            place = engine_path / name
            if os.path.lexists(place) and not place.is_dir():
                rule = NO_FOLDER if place.exists() else DEAD_LINK
                yield rule.broken(str(place))
