"""What a real server did with stores that were broken in one place each, as kept in `tests/data`.

Each case is data: operations on a store that a real server made, and the server's word. An
operation is a list: its name, and texts of which each character is a byte.
"""

import json
import lzma
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import bolt_store

FOLDER: Final = Path(__file__).parents[1] / "data" / "verdicts"
NAMES: Final = ("influxd.bolt", "influxd.sqlite")
OF_BOLT: Final = frozenset({"drop", "empty", "put", "delete"})


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to break the store.

    Attributes:
        name: What is broken, in words.
        ops: The operations.
        starts: Whether influxd 2.9.1 started on it.
        gets_in: Whether somebody got in then; None where it did not start.
    """

    name: str
    ops: Sequence[Sequence[str]]
    starts: bool
    gets_in: bool | None


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """Read all cases, in the order of their names."""
    lines = lzma.decompress((FOLDER / "verdicts.jsonl.xz").read_bytes()).splitlines()
    return tuple(
        Case(name=one["name"], ops=one["ops"], starts=one["starts"], gets_in=one.get("gets_in"))
        for one in map(json.loads, lines)
    )


@lru_cache(maxsize=1)
def _base() -> dict[str, bytes]:
    return {name: lzma.decompress((FOLDER / f"{name}.xz").read_bytes()) for name in NAMES}


def break_store(folder: Path, case: Case) -> Path:
    """Write the store of a case, with what belongs to it, into an empty folder."""
    for name, content in _base().items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    store = folder / NAMES[0]
    of_bolt = [op for op in case.ops if op[0] in OF_BOLT]
    if of_bolt:
        with bolt_store.open(store, write=True) as db, db.update() as tx:
            for name, *texts in of_bolt:
                _change(tx, name, [text.encode("latin-1") for text in texts])
    for name, *texts in case.ops:
        if name not in OF_BOLT:
            _change_folder(folder, name, texts)
    return store


def _change(tx: bolt_store.Tx, name: str, texts: list[bytes]) -> None:
    bucket, *rest = texts
    match name:
        case "put":
            tx.bucket(bucket).put(rest[0], rest[1])
        case "delete":
            tx.bucket(bucket).delete(rest[0])
        case "drop":
            tx.delete_bucket(bucket)
        case "empty":
            tx.delete_bucket(bucket)
            tx.create_bucket(bucket)
        case _:
            raise ValueError(name)


def _change_folder(folder: Path, name: str, texts: list[str]) -> None:
    match name:
        case "sql":
            with closing(sqlite3.connect(folder / NAMES[1])) as connection:
                connection.executescript(texts[0])
                connection.commit()
        case "mkdir":
            (folder / texts[0]).mkdir(parents=True, exist_ok=True)
        case "write":
            (folder / texts[0]).parent.mkdir(parents=True, exist_ok=True)
            (folder / texts[0]).write_bytes(texts[1].encode("latin-1"))
        case _:
            raise ValueError(name)


def every(step: int) -> Iterator[Case]:
    """Give every so many of the cases."""
    yield from cases()[::step]
