"""What real servers did with stores that were broken in a place or two, as kept in `tests/data`.

Each case is data: operations on a store that a real server made, and the server's word. An
operation is a list: its name, and texts of which each character is a byte.
"""

import json
import lzma
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import bolt_store
from recovery.services.doctor.servers import Server

FOLDER: Final = Path(__file__).parents[1] / "data" / "verdicts"
NAMES: Final = ("influxd.bolt", "influxd.sqlite")
SERVERS: Final = {"2.7": Server.TO_2_7, "raw": Server.RAW, "hash": Server.HASHING}
OF_BOLT: Final = frozenset({"drop", "empty", "put", "delete", "sub"})


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to break the store.

    Attributes:
        name: What is broken, in words.
        ops: The operations.
        starts: Whether the server started on it.
        gets_in: Whether somebody got in then; None where it did not start.
        base: The store that is broken; empty for that of the first campaign.
        server: Which server it was; by default 2.9.1 as it comes.
        fails: What it refused to list or to show then, as `checks/ID/query`, and shows of the
            store as it was.
    """

    name: str
    ops: Sequence[Sequence[str]]
    starts: bool
    gets_in: bool | None
    base: str = ""
    server: Server = Server.HASHING
    fails: Sequence[str] = ()


@lru_cache(maxsize=1)
def cases() -> tuple[Case, ...]:
    """Read all cases, in the order of their names."""
    lines = lzma.decompress((FOLDER / "verdicts.jsonl.xz").read_bytes()).splitlines()
    return tuple(
        Case(name=one["name"], ops=one["ops"], starts=one["starts"], gets_in=one.get("gets_in"))
        for one in map(json.loads, lines)
    )


@lru_cache(maxsize=1)
def siblings() -> tuple[Case, ...]:
    """Read the cases of the second campaign: three stores, each with the servers that it is for."""
    return _of_several_servers("siblings.jsonl.xz")


@lru_cache(maxsize=1)
def odd() -> tuple[Case, ...]:
    """Read the cases of the fourth campaign, on three other stores."""
    return _of_several_servers("odd.jsonl.xz")


@lru_cache(maxsize=1)
def ways_in() -> tuple[Case, ...]:
    """Read the cases of the fifth campaign: the same stores with one way in, and migrations."""
    return _of_several_servers("ways_in.jsonl.xz")


def _of_several_servers(name: str) -> tuple[Case, ...]:
    lines = lzma.decompress((FOLDER / name).read_bytes()).splitlines()
    return tuple(
        Case(
            name=f"{one['name']} ({mode})",
            ops=one["ops"],
            starts=starts,
            gets_in=gets_in,
            base=f"{one['base']}.",
            server=SERVERS[mode],
        )
        for one in map(json.loads, lines)
        for mode, (starts, gets_in) in one["servers"].items()
    )


@lru_cache(maxsize=1)
def refusals() -> tuple[Case, ...]:
    """Read the cases of the third campaign: what 2.9.1 refused to list or to show."""
    lines = lzma.decompress((FOLDER / "refusals.jsonl.xz").read_bytes()).splitlines()
    return tuple(
        Case(
            name=one["name"],
            ops=one["ops"],
            starts=one["starts"],
            gets_in=one["gets_in"],
            base="r29.",
            fails=one["fails"],
        )
        for one in map(json.loads, lines)
    )


@lru_cache(maxsize=7)
def _base(base: str) -> dict[str, bytes]:
    return {name: lzma.decompress((FOLDER / f"{base}{name}.xz").read_bytes()) for name in NAMES}


def break_store(folder: Path, case: Case) -> Path:
    """Write the store of a case, with what belongs to it, into an empty folder."""
    for name, content in _base(case.base).items():
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
    if bucket not in dict(tx.buckets()):  # the other one of two faults has taken it away
        return
    match name:
        case "put":
            tx.bucket(bucket).put(rest[0], rest[1])
        case "delete":
            tx.bucket(bucket).delete(rest[0])
        case "drop":
            tx.delete_bucket(bucket)
        case "sub":
            tx.bucket(bucket).delete(rest[0])
            tx.bucket(bucket).create_bucket(rest[0])
        case "empty":
            tx.delete_bucket(bucket)
            tx.create_bucket(bucket)
        case _:
            raise ValueError(name)


def _change_folder(folder: Path, name: str, texts: list[str]) -> None:
    path = folder / texts[0]
    match name:
        case "sql":
            with closing(sqlite3.connect(folder / NAMES[1])) as connection:
                with suppress(sqlite3.Error):  # what is not done twice, in a case of two faults
                    connection.executescript(texts[0])
                connection.commit()
        case "mkdir":
            path.mkdir(parents=True, exist_ok=True)
        case "rm":
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        case "mv":
            path.rename(folder / texts[1])
        case "link":
            path.symlink_to(texts[1])
        case "chmod":
            path.chmod(int(texts[1], 8))
        case _:
            path.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes() if path.exists() else b""
            path.write_bytes(_changed(content, name, texts[1:]))


def _changed(content: bytes, name: str, texts: list[str]) -> bytes:
    new = texts[-1].encode("latin-1")
    match name:
        case "write":
            return new
        case "append":
            return content + new
        case "cut":
            return content[: int(new)]
        case "poke":
            at = int(texts[0])
            return content[:at] + new + content[at + len(new) :]
        case _:
            raise ValueError(name)


def every(step: int) -> Iterator[Case]:
    """Give every so many of the cases of all campaigns."""
    yield from (*cases(), *siblings(), *refusals(), *odd(), *ways_in())[::step]
