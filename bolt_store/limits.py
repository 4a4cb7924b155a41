"""Every bound of the engine, each with its reason.

Lives here: numbers that refuse input. Must not live here: sizes of on-disk structures, which are
facts of the format (`bolt_store.codec.layout`).

Source: bbolt v1.3.6 bucket.go (MaxKeySize, MaxValueSize), page.go, and the experiments named.
"""

from typing import Final

PAGE_SIZE_BYTES_MIN: Final = 512
"""Smallest page size bbolt accepts; four such pages make the smallest file."""

PAGE_SIZE_BYTES_MAX: Final = 1 << 24
"""Largest page size that is probed. Kernels have pages up to 64 KiB, options allow more."""

KEY_SIZE_BYTES_MAX: Final = 32768
"""Longest key that bbolt stores (MaxKeySize). Bucket names are not bound by it, as in bbolt."""

BUCKET_NAME_SIZE_BYTES_MAX: Final = (1 << 31) - 2
"""bbolt sets no limit to a bucket name; this is where its 32-bit sizes end."""

VALUE_SIZE_BYTES_MAX: Final = (1 << 31) - 2
"""Longest value that bbolt stores (MaxValueSize)."""

RUN_SIZE_BYTES_MAX: Final = (1 << 32) - 1
"""Element positions are 32-bit, so one run of pages ends below 4 GiB."""

ELEMENT_COUNT_MAX: Final = 65534
"""The count of a page is 16 bits, and 0xFFFF is taken by the long form of the freelist."""

FILE_SIZE_BYTES_MAX: Final = 1 << 44
"""The largest file of ext4."""

TXID_MAX: Final = (1 << 64) - 3
"""The highest transaction id that is written: at the two of 64 bits above it bbolt panics."""

TREE_DEPTH_MAX: Final = 64
"""Each level at least doubles the pages and a file has under 2**48: deeper is a cycle."""

VALUES_KEPT_BYTES_MAX: Final = 16 << 20
"""Values that one transaction keeps in memory: all of a small change, and little of a store that
is changed as a whole."""

ENCODED_KEPT_BYTES_MAX: Final = 1 << 20
"""Pages of one commit that are kept encoded until they are written."""

VALUE_MOVED_BYTES_MIN: Final = 256
"""Where a value lies takes half as much memory as a value of this size."""

LOCK_POLL_INTERVAL_S: Final = 0.05
"""Pause between two tries for the lock, as in bbolt (flockRetryTimeout)."""

INLINE_DEPTH_MAX: Final = 1000
"""Inline buckets in inline buckets: bbolt writes one level, and each level copies those in it."""
