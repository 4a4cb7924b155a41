"""What would help, as data.

Lives here: what an error, a finding or a plan proposes to do next, without the words of any one
front end. Must not live here: option names, commands as they are typed, and paths of an interface:
each front end puts a remedy into its own words, and leaves out what it has no way for.

Invariants: a plain string is advice that holds for everybody. An operation is named as the ledger
names it.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, auto, unique
from types import MappingProxyType
from typing import TypeAlias

import msgspec


@unique
class Input(Enum):
    """Something that may be said with an operation."""

    STORE = auto()
    OTHER_STORE = auto()
    LEDGER = auto()
    BACKUP = auto()
    """A copy beside the store, to which it goes back."""
    OUTPUT = auto()
    """A new copy that is changed in place of the store."""
    TARGET = auto()
    """A new file that the operation makes."""
    USER = auto()
    ORGANIZATION = auto()
    ID = auto()
    """Which authorization or user."""
    NUMBER = auto()
    """Which operation of the ledger."""
    TOKEN_PLACE = auto()
    TOKEN_VALUE = auto()
    TOKEN_FILE = auto()
    """A token to look at."""
    SECRET_FILE = auto()
    """A password or a token that would otherwise be typed."""
    HASHED = auto()
    WITH_TOKENS = auto()
    MATCH_BY_NAME = auto()
    ENSURE = auto()
    ACTIVATE = auto()
    ONLY = auto()
    """Which invariants to repair."""
    ACCEPT = auto()
    """Which losses to accept."""
    NAMES = auto()
    """A file of known names."""
    NAME = auto()
    """The name of one bucket."""
    SQLITE = auto()
    LEAVE_OUT = auto()
    """A shard that is not wanted."""
    OVERLAPS = auto()
    """That two shards of the same time are wanted."""
    LIVE = auto()
    """A snapshot, in place of the store that a server holds."""
    READ_ONLY = auto()
    """That nothing is to be changed."""
    DRY_RUN = auto()
    PRUNE = auto()
    """That copies are to be removed."""
    GIVE_UP_UNDO = auto()
    ENGINE = auto()
    """The engine's folder."""
    RESTORED = auto()
    """That the restore is done."""
    PAGE_SIZE = auto()
    ROOT_PAGE = auto()
    CONFIRMATION = auto()
    SOCKET = auto()
    """A Unix socket to serve on."""
    ADDRESS = auto()
    """An address of this machine to serve on."""


class Give(msgspec.Struct, frozen=True):
    """Do the same again, and say something with it.

    Attributes:
        advice: What that means here, as an imperative: "name the store".
        value: What to say exactly, when that is known.
    """

    what: Input
    advice: str
    value: str | None = None


class Omit(msgspec.Struct, frozen=True):
    """Do the same again, and leave something out.

    Attributes:
        purpose: What it is good for: "for a new random token".
    """

    what: tuple[Input, ...]
    purpose: str = ""


class Run(msgspec.Struct, frozen=True):
    """Do something else.

    Attributes:
        operation: What, such as "auth list".
        values: What to say with it; None for what has to be said and is not known.
        purpose: What it is good for, from its "to" on, which tells it from what is to be typed: "to
            see the IDs".
    """

    operation: str
    purpose: str = ""
    values: Mapping[Input, str | None] = MappingProxyType({})


class Restore(msgspec.Struct, frozen=True):
    """Put a backup into the place of the store, with the server stopped.

    Attributes:
        store: Path of the store, whose owner and mode are to stay.
    """

    backup: str
    store: str


class Together(msgspec.Struct, frozen=True):
    """Do all of it at once; of alternatives, the first.

    Attributes:
        parts: What, in the order in which it was found missing.
    """

    parts: "tuple[Remedy, ...]"


Way: TypeAlias = str | Give | Omit | Run | Restore | Together
Remedy: TypeAlias = Way | tuple[Way, ...]
"""One way, or several that are alternatives, the best first."""


def ways(remedy: Remedy) -> tuple[Way, ...]:
    """List the alternatives."""
    return (remedy,) if isinstance(remedy, Way) else remedy


def advice(remedy: Remedy) -> str:
    """Put a remedy into imperative clauses, which name operations and nothing that is typed."""
    return ", or ".join(map(_advice, ways(remedy)))


def enumerated(clauses: Iterable[str]) -> str:
    """Join imperative clauses that all are to be done; one that comes again is left out."""
    *most, last = dict.fromkeys(clauses)
    return f"{', '.join(most)}, and {last}" if most else last


def _advice(way: Way) -> str:
    match way:
        case Give(_, text, value):
            return text if value is None else f"{text}: {value}"
        case Omit(what, purpose):
            names = " and ".join(one.name.lower().replace("_", " ") for one in what)
            return f"leave the {names} out {purpose}".rstrip()
        case Run(operation, purpose):
            return f"use {operation} {purpose}".rstrip()
        case Together(parts):
            return enumerated(_advice(ways(part)[0]) for part in parts)
        case Restore(backup, store):
            return f"put the backup {backup} back into the place of {store}"
        case _:
            return way
