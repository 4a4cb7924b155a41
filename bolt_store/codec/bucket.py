"""The value of a leaf element that is a bucket.

Lives here: the 16-byte bucket header, and where an inline page starts. Must not live here: what a
bucket can do (`bolt_store.tree.bucket`).

Source: bbolt v1.3.6 bucket.go (type bucket, Bucket.openBucket, Bucket.write).
"""

from typing import NamedTuple

from bolt_store.codec.layout import (
    BUCKET_HEADER,
    BUCKET_HEADER_SIZE_BYTES,
    META_PAGE_COUNT,
    PAGE_HEADER_SIZE_BYTES,
)
from bolt_store.errors import PageError, invariant


class BucketValue(NamedTuple):
    """A bucket as its parent stores it.

    Attributes:
        root_pgid: Root page of its tree, or 0 when the bucket is inline.
        sequence: The application's counter.
        inline_page: The leaf page of an inline bucket, or None.
    """

    root_pgid: int
    sequence: int
    inline_page: bytes | None


def decode_bucket(value: bytes, *, pgid: int | None) -> BucketValue:
    """Decode the value of a bucket element.

    Args:
        value: The whole value.
        pgid: The page that the element lies on; None for an inline page.

    Returns:
        The bucket; the content of an inline page is not looked at yet.

    Raises:
        PageError: The value is too short, points to a meta page, or has bytes behind its header
            although it is not inline.
    """
    if len(value) < BUCKET_HEADER_SIZE_BYTES:
        problem = f"a bucket's value has {len(value)} bytes, expected at least 16"
        raise PageError(pgid=pgid, code="bucket.size", problem=problem)
    root, sequence = BUCKET_HEADER.unpack_from(value)
    if root:
        if root < META_PAGE_COUNT:
            problem = f"a bucket's root is meta page {root}"
            raise PageError(pgid=pgid, code="page.range", problem=problem)
        if len(value) != BUCKET_HEADER_SIZE_BYTES:
            problem = f"a bucket with a root page has a value of {len(value)} bytes, expected 16"
            raise PageError(pgid=pgid, code="bucket.size", problem=problem)
        return BucketValue(root_pgid=root, sequence=sequence, inline_page=None)
    page = value[BUCKET_HEADER_SIZE_BYTES:]
    if len(page) < PAGE_HEADER_SIZE_BYTES:
        problem = f"an inline bucket's page has {len(page)} bytes, expected at least 16"
        raise PageError(pgid=pgid, code="bucket.size", problem=problem)
    return BucketValue(root_pgid=0, sequence=sequence, inline_page=page)


def encode_bucket(bucket: BucketValue) -> bytes:
    """Encode the value of a bucket element.

    Args:
        bucket: Either a root page or an inline page.

    Returns:
        16 bytes, followed by the inline page if there is one.
    """
    invariant(
        (bucket.root_pgid == 0) == (bucket.inline_page is not None),
        "a bucket has a root page or an inline page",
    )
    return BUCKET_HEADER.pack(bucket.root_pgid, bucket.sequence) + (bucket.inline_page or b"")
