"""What a file is that was a store until something changed it as a whole.

Lives here: `alteration_of`, and what a person types to change it back. Must not live here: damage,
which is for salvage, and packing (`recovery.metastore.packing`).

Invariants: nothing is guessed. That a store is in a file is said when the bytes, changed back, have
a signed meta in its place, or many pages with their own numbers; and what is typed makes a new
file, of which every command looks at all pages again.

Source: dd(1) (conv=swab), base64(1), xxd(1), iconv(1), tail(1); RFC 959, section 3.1.1.1, for what
a transfer as text does; PowerShell's about_Redirection for what it does to a program's output.
"""

import binascii
import codecs
import os
import re
from collections.abc import Callable
from functools import partial
from itertools import chain, product
from pathlib import Path
from typing import Final, NamedTuple

import bolt_store
from recovery.metastore.packing import packing_of
from recovery.model.display import quoted
from recovery.remedy import Remedy
from recovery.system_advice import SEE_COPIES, made_again

SAMPLE_BYTES: Final = 1 << 20
SEARCHED_BYTES_MAX: Final = 64 << 20
"""A file of this size is looked through in a moment."""
PAGES_MIN: Final = 3
"""So many page headers with the right number where they should be are no accident."""
PAGES_ELSEWHERE_MIN: Final = 8
"""Neither are so many whose numbers count from one other place."""
_OVERLAP_BYTES: Final = 128
"""Of the windows that are searched: longer than a meta, shorter than two."""

_SECTOR_BYTES: Final = 512
_TEXT_MARKS: Final = (b"AAAAAAAAAAAEAA", b"H4sI", bytes(8).hex().encode() + b"0400", b"1f8b08")
"""What the first meta of a store and a packed file begin with, in base64 and in digits."""
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\s]*=*")
_SWAPPED_MARK: Final = bytes.fromhex("daeded0c")
_META_HEAD: Final = bytes(8) + b"\4\0"
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}".encode()


class Alteration(NamedTuple):
    """What a file is, as a clause that follows its name, and what to do about it."""

    problem: str
    hint: Remedy


class _Writing(NamedTuple):
    """A way to write bytes as others.

    Attributes:
        problem: What is said of such a file.
        command: What undoes it; {} is the file.
        undone: The same; raises `ValueError` for what is not written so.
    """

    problem: str
    command: str
    undone: Callable[[bytes], bytes]


def alteration_of(path: Path, descriptor: int, *, is_whole: bool) -> Alteration | None:
    """Find out what has changed a file as a whole.

    Args:
        path: Its name, for what is to be typed.
        is_whole: Look through all of it for a store, also where it is as large as a disk.

    Raises:
        OSError: It cannot be read.
    """
    sample = os.pread(descriptor, SAMPLE_BYTES, 0)
    counts = bolt_store.likely_beginnings(sample)
    for at, writing in product((0, *_text_beginnings(sample)), _WRITINGS):
        try:
            undone = writing.undone(sample[at:])
        except ValueError:
            continue
        if undone != sample and _is_proven(undone, counts[0]):
            command = f"tail -c +{at + 1} {{}} | {writing.command[:-3]}" if at else writing.command
            more = f" from byte {at} on" if at else ""
            return Alteration(f"{writing.problem}{more}", _to_type(path, command))
    if counts[0] >= PAGES_MIN or _is_named(sample):
        return None
    stores = _stores(descriptor, is_whole=is_whole)
    likely = max(counts, key=lambda beginning: counts[beginning], default=0)
    if not stores and counts[likely] >= PAGES_ELSEWHERE_MIN:
        stores = {likely: None}
    if stores:
        return _moved(path, stores)
    return _lost(path, sample, is_all=os.fstat(descriptor).st_size == len(sample))


def has_bolt_pages(descriptor: int) -> bool:
    """Tell whether several pages of a file are where they should be. Raises `OSError`."""
    sample = os.pread(descriptor, SAMPLE_BYTES, 0)
    return bolt_store.likely_beginnings(sample)[0] >= PAGES_MIN


def _is_proven(content: bytes, count: int) -> bool:
    """Tell whether bytes are a store, or a packed file, and more so than with so many pages."""
    if not count and packing_of(content) is not None:
        return True
    counts = bolt_store.likely_beginnings(content)
    beginnings = {beginning for beginning, _ in bolt_store.named_beginnings(content)}
    return any(counts[beginning] > count for beginning in beginnings)


def _text_beginnings(sample: bytes) -> list[int]:
    """Return where the digits of a store or of a packed file may begin behind other text."""
    found = (sample.find(mark) for mark in _TEXT_MARKS)
    return sorted(at for at in found if at > 0)


def _is_named(content: bytes) -> bool:
    return any(not beginning for beginning, _ in bolt_store.named_beginnings(content))


def _stores(descriptor: int, *, is_whole: bool) -> dict[int, bolt_store.Meta | None]:
    """Return where stores begin, each with its newest meta, the newest last."""
    newest: dict[int, bolt_store.Meta | None] = {}
    txids: dict[int, int] = {}
    is_whole = is_whole or os.fstat(descriptor).st_size <= SEARCHED_BYTES_MAX
    ranges = bolt_store.data_ranges(descriptor) if is_whole else [(0, SAMPLE_BYTES)]
    for offset in chain.from_iterable(range(*stored, SAMPLE_BYTES) for stored in ranges):
        window = os.pread(descriptor, SAMPLE_BYTES + _OVERLAP_BYTES, offset)
        for at, meta in bolt_store.named_beginnings(window):
            if meta.txid >= txids.get(offset + at, 0):
                newest[offset + at], txids[offset + at] = meta, meta.txid
    return dict(sorted(newest.items(), key=lambda one: txids[one[0]]))


def _moved(path: Path, stores: dict[int, bolt_store.Meta | None]) -> Alteration:
    *others, (beginning, meta) = stores.items()
    if beginning < 0:
        command = f"(head -c {-beginning} /dev/zero; cat {{}})"
        problem = f"is a store of which all before byte {-beginning} is missing"
        purpose = "put zeros in its place, and salvage the new file"
        return Alteration(problem, _to_type(path, command, purpose))
    more = f"; others begin at {', '.join(str(at) for at, _ in others)}" if others else ""
    end = "" if meta is None else f" | head -c {meta.high_water_mark * meta.page_size_bytes}"
    problem = f"has a store in it that begins at byte {beginning}{more}"
    command = _to_type(path, f"tail -c +{beginning + 1} {{}}{end}")
    if beginning % _SECTOR_BYTES:
        return Alteration(problem, command)
    return Alteration(
        problem, (command, "mount it, if it is an image of a disk, and copy the store")
    )


def _lost(path: Path, sample: bytes, *, is_all: bool) -> Alteration | None:
    """Recognize what nothing can be got out of."""
    is_replaced = sample.startswith(_META_HEAD) and _REPLACED in sample[:64]
    is_wide = sample[2:].startswith(_META_HEAD.decode().encode("utf-16-le"))
    if is_replaced or is_wide:
        return Alteration(
            "is a store that was written as text, which lost bytes of it for ever",
            "copy it again as bytes, with docker cp, kubectl cp, scp or binary FTP",
        )
    if is_all and not sample.strip(b"\0"):
        return Alteration(
            "is not a bolt file: it has nothing but zeros in it",
            (SEE_COPIES, *made_again(path)),
        )
    return None


def _to_type(path: Path, command: str, purpose: str = "get the store out of it") -> str:
    new = f"{path}.bolt"
    while os.path.lexists(new):  # the shell would write over it
        new += ".bolt"
    return f"{purpose}: {command.format(quoted(str(path)))} > {quoted(new)}"


def _swapped(sample: bytes) -> bytes:
    if _SWAPPED_MARK not in sample:
        raise ValueError
    even = bytearray(sample[: len(sample) // 2 * 2])
    even[::2], even[1::2] = even[1::2], even[::2]
    return bytes(even)


def _from_base64(sample: bytes) -> bytes:
    found = _BASE64.match(sample)
    digits = b"".join(found[0].split()) if found else b""
    return binascii.a2b_base64(digits[: len(digits) // 4 * 4], strict_mode=True)


def _from_hex(sample: bytes) -> bytes:
    digits = b"".join(sample.split())
    return binascii.unhexlify(digits[: len(digits) // 2 * 2])


def _from_xxd(sample: bytes) -> bytes:
    return _from_hex(b"".join(re.findall(rb"(?m)^[0-9a-f]{8}: ((?:[0-9a-f]{2,4} ){1,16})", sample)))


def _from_text(encoding: str, sample: bytes) -> bytes:
    return codecs.getincrementaldecoder(encoding)().decode(sample).encode("latin-1")


def _without_returns(sample: bytes) -> bytes:
    if sample.count(b"\n") != sample.count(b"\r\n"):
        raise ValueError
    return sample.replace(b"\r\n", b"\n")


_WRITINGS: Final = (
    _Writing("is written in base64", "base64 -d {}", _from_base64),
    _Writing("is written in hexadecimal digits", "xxd -r -p {}", _from_hex),
    _Writing("is a dump that xxd made", "xxd -r {}", _from_xxd),
    _Writing(
        "has its bytes swapped in pairs, as dd conv=swab leaves them",
        "dd conv=swab if={}",
        _swapped,
    ),
    _Writing(
        "has a carriage return before each line feed, as a transfer as text leaves it",
        r"LC_ALL=C sed 's/\r$//' {}",
        _without_returns,
    ),
    *(
        _Writing(
            f"is written as text in {encoding}",
            f"iconv -f {encoding} -t ISO-8859-1 {{}}",
            partial(_from_text, encoding),
        )
        for encoding in ("UTF-8", "UTF-16")
    ),
)
