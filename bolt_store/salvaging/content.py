"""The content of a state: what a survey has found, read in the order of the keys.

Lives here: `elements`, which reads one bucket. Must not live here: what is taken and what is lost
(`survey`).
"""

from collections.abc import Iterator
from typing import NamedTuple

from bolt_store.codec.bucket import BucketValue, decode_bucket
from bolt_store.codec.layout import LEAF_FLAG
from bolt_store.errors import PageError
from bolt_store.salvaging.survey import Elements, Place, Survey, inline_elements


class Element(NamedTuple):
    """One key of a bucket.

    Attributes:
        key: As stored.
        value: The plain value, or the bucket; None for a bucket whose value cannot be read.
    """

    key: bytes
    value: bytes | BucketValue | None
    place: Place


def root_bucket(survey: Survey) -> Element:
    """Return the root bucket of a survey as if it were an element of something."""
    value = BucketValue(root_pgid=survey.root_pgid, sequence=0, inline_page=None)
    return Element(b"", value, ())


def elements(survey: Survey, bucket: Element) -> Iterator[Element]:
    """Read one bucket in the order of its keys, without what is lost in it.

    Plain values in the root bucket, which no file may have there, are left out.

    Args:
        survey: Of the state that it belongs to.
    """
    for place, found in _leaves(survey, bucket):
        leaf = found.leaf
        for index, flag, key, value in zip(
            found.indexes, leaf.flags, leaf.keys, leaf.values, strict=True
        ):
            where = (*place, index)
            if flag:
                yield Element(key, _bucket_value(value), where)
            elif bucket.place and where not in survey.lost:
                yield Element(key, value, where)


def _leaves(survey: Survey, bucket: Element) -> Iterator[tuple[Place, Elements]]:
    """Walk the leaves of a bucket that were taken, each with its place."""
    value = bucket.value
    if not isinstance(value, BucketValue):
        return
    if value.inline_page is not None:
        if bucket.place not in survey.lost:
            found, _ = inline_elements(survey.scan, bucket.place, value.inline_page)
            if found is not None:
                yield bucket.place, found
        return
    stack = [(bucket.place, value.root_pgid)]
    while stack:
        place, pgid = stack.pop()
        if place in survey.lost:
            given = survey.attached.get(place, ())
            stack += [((*place, index), page.pgid) for index, page in enumerate(given)][::-1]
        elif survey.scan.kind(pgid) == LEAF_FLAG:
            yield (pgid,), survey.elements_of(pgid)
        else:
            branch = survey.scan.branch(pgid)
            stack += [((pgid, index), child) for index, child in enumerate(branch.children)][::-1]


def _bucket_value(value: bytes) -> BucketValue | None:
    try:
        return decode_bucket(value, pgid=None)
    except PageError:
        return None
