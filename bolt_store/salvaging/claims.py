"""Pages that several states have in different buckets: whose they are, by what they hold.

Lives here: `foreign_pages`. Must not live here: what is done about them (`survey`, `choose`).

In a copy that was made while transactions went on, the older pages refer to places that were used
again, by pages that are sound and begin where any page of a bucket may. Nothing in the format tells
whose such a page is. But most records of a bucket are on a former page of it, too, word for word.
So a page of which no record is on any other page of the bucket that refers to it, and most are on
pages of one other bucket, belongs to that.

Source: bbolt v1.3.6 node.go (spill): a page that changes is written anew, to another place.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from typing import Final

from bolt_store.codec.bucket import decode_bucket
from bolt_store.codec.layout import LEAF_FLAG
from bolt_store.codec.leaf import Leaf, decode_leaf
from bolt_store.errors import PageError
from bolt_store.salvaging.knowledge import Knowledge
from bolt_store.salvaging.scan import Path, Scan

RECORD_COUNT_MAX: Final = 200_000
"""Records that are compared; of a larger file, a part."""

SAMPLE_COUNT: Final = 8
"""Records of a page that are looked at to tell its kind."""

_DIGEST_BYTES: Final = 8


def foreign_pages(
    scan: Scan, claims: Mapping[int, set[Path]], knowledge: Knowledge
) -> dict[int, frozenset[Path]]:
    """Find the pages that do not belong to the bucket that refers to them.

    Args:
        claims: For each page the buckets that it is in, in one state or another.
        knowledge: What is known of the content of the file.

    Returns:
        For each such page the buckets that it is not of.
    """
    seen: dict[bytes, set[tuple[Path, int]]] = {}
    digests: dict[int, list[bytes]] = {}
    count = 0
    for pgid, paths in claims.items():
        if scan.kind(pgid) != LEAF_FLAG or count > RECORD_COUNT_MAX:
            continue
        digests[pgid] = list(map(_digest, _records(scan.leaf(pgid))))
        count += len(digests[pgid]) * len(paths)
        for digest in digests[pgid]:
            seen.setdefault(digest, set()).update((path, pgid) for path in paths)
    implausible = _implausible_pages(scan, {pgid: claims[pgid] for pgid in digests}, knowledge)
    found = {}
    for pgid, own in digests.items():
        votes = Counter(path for digest in own for path, _ in seen[digest])
        known = _known_paths(scan.leaf(pgid), knowledge)
        wrong = {
            path
            for path in claims[pgid] - known
            if known & claims[pgid]
            or _is_outvoted(path, votes, len(own))
            or (path, pgid) in implausible
        }
        if wrong:
            found[pgid] = frozenset(wrong)
    return found


def _is_outvoted(path: Path, votes: Counter[Path], count: int) -> bool:
    # Its own claim is a vote for each record, so that one other page alone decides nothing.
    return votes[path] <= count and 2 * (max(votes.values(), default=0) - count) > count


def _known_paths(leaf: Leaf, knowledge: Knowledge) -> frozenset[Path]:
    """Return the buckets that the first records of a leaf are of, as far as that is certain."""
    classify = knowledge.classify
    if classify is None:
        return frozenset()
    found = (classify(key, value) for flag, key, value in _first(leaf) if not flag)
    return frozenset(path for path in found if path is not None)


def _implausible_pages(
    scan: Scan, claims: Mapping[int, set[Path]], knowledge: Knowledge
) -> set[tuple[Path, int]]:
    """Find the leaves of which no element can be one of a bucket, as all are of its other leaves.

    Where some are and some are not, the bucket holds what nobody here knows, and nothing follows.
    """
    plausible = knowledge.plausible
    if plausible is None:
        return set()
    shares: dict[Path, dict[int, float]] = {}
    for pgid, paths in claims.items():
        leaf = scan.leaf(pgid)
        for path in filter(None, paths) if len(leaf.keys) > 1 else ():  # one may be damaged
            # Names of buckets at the top are not those of buckets inside of others.
            can_be = [
                not plausible((), key, b"") if flag else plausible(path, key, value)
                for flag, key, value in _first(leaf)
            ]
            shares.setdefault(path, {})[pgid] = sum(can_be) / len(can_be)
    return {
        (path, pgid)
        for path, by_page in shares.items()
        if set(by_page.values()) == {0, 1}
        for pgid, share in by_page.items()
        if not share
    }


def _first(leaf: Leaf) -> Iterator[tuple[int, bytes, bytes]]:
    return islice(zip(leaf.flags, leaf.keys, leaf.values, strict=True), SAMPLE_COUNT)


def _records(leaf: Leaf) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Give the records of a leaf, and those of its inline buckets with the name of the bucket."""
    for flag, key, value in zip(leaf.flags, leaf.keys, leaf.values, strict=True):
        if not flag:
            yield b"", key, value
            continue
        yield key, b"", b""
        try:
            page = decode_bucket(value, pgid=None).inline_page
            inner = decode_leaf(page, pgid=None) if page is not None else None
        except PageError:
            continue
        if inner is not None:
            for inner_key, inner_value in zip(inner.keys, inner.values, strict=True):
                yield key, inner_key, inner_value


def _digest(record: tuple[bytes, bytes, bytes]) -> bytes:
    digest = blake2b(digest_size=_DIGEST_BYTES)
    for part in record:
        digest.update(len(part).to_bytes(4, "little") + part)
    return digest.digest()
