"""What a program gets to read: the documents of --json.

Lives here: what all documents have, those of several commands, and `shaped`, which takes a document
out of what services return. Must not live here: documents of one command, which stand beside it in
`recovery.cli.commands`, and how they are written (`recovery.cli.output`).

Invariants: version 1 is frozen: fields are added, and none is taken away, renamed or given another
type. `recovery/schema.json` is made from these types (`recovery.cli.schema`), and a test compares.
One thing has one name in all documents: `because` says why something is refused, `target_path` is
a file that was made or changed, IDs end in `_id`, and paths are absolute.
"""

from pathlib import Path, PurePath
from typing import Any, Literal, TypeVar

import msgspec

Shape = TypeVar("Shape")


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What every document has.

    Attributes:
        is_changed: Whether a store was changed; None when that is not known.
    """

    version: Literal[1] = 1
    is_changed: bool | None = False


class ErrorFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Why a command did not do its work.

    Attributes:
        message: What happened, and whether anything was changed, as on stderr.
        hint: What to do next; None where nothing helps.
        findings: What is wrong with the file, where it is damaged.
        copies: Paths of the copies of the store, the oldest first, from store backups.
    """

    code: int
    meaning: str
    message: str
    hint: str | None
    findings: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()


class ErrorDocument(Document, frozen=True, kw_only=True):
    """The document of a command that failed before it had a result."""

    error: ErrorFacts


class StorePath(msgspec.Struct, frozen=True, kw_only=True):
    """A store that may not be readable as one.

    Attributes:
        path: As it was named.
        real_path: Behind symbolic links.
    """

    path: Path
    real_path: Path
    reason: str


class Store(StorePath, frozen=True, kw_only=True):
    """A store.

    Attributes:
        txid: Its newest transaction.
        is_live: Whether it was read in a snapshot, made without its lock.
        has_torn_meta: Whether one of its two metas is damaged: what was done last may be missing.
        missing_buckets: Bolt buckets that every such store has, and this one has not: what was in
            them is not listed.
    """

    size_bytes: int
    txid: int
    level: int
    server_versions: str
    is_live: bool = False
    has_torn_meta: bool = False
    missing_buckets: tuple[str, ...] = ()


class StoreDocument(Document, frozen=True, kw_only=True):
    """A document about one store."""

    store: Store


class StorePathDocument(Document, frozen=True, kw_only=True):
    """A document about a store that was not opened as one."""

    store: StorePath


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A record that cannot be understood, and is not listed.

    Attributes:
        id: Its ID; None where the key is none.
    """

    bucket: str
    id: str | None
    problem: str


class ListDocument(StoreDocument, frozen=True, kw_only=True):
    """A list of records."""

    problems: tuple[Problem, ...] = ()


def shaped(value: object, shape: type[Shape], **more: object) -> Shape:
    """Fill a document from attributes of the same names and types, and the others from `more`."""
    if more:
        names = (one for one in shape.__struct_fields__ if one not in more)  # type: ignore[attr-defined] # a struct
        known = {name: getattr(value, name) for name in names if hasattr(value, name)}
        value = {**known, **more}
    return msgspec.convert(value, shape, from_attributes=True)


def plain(document: Document) -> dict[str, Any]:
    """Arrange a document as JSON is; a path that is not UTF-8 has surrogates in it."""
    arranged: dict[str, Any] = msgspec.to_builtins(document, enc_hook=path_text)
    return arranged


def path_text(value: object) -> str:
    """Write out a path; nothing else has a meaning of its own in a document."""
    if not isinstance(value, PurePath):
        raise NotImplementedError(type(value).__name__)
    return str(value)
