"""FNV-1a: the reference vectors."""

import pytest

from bolt_store.codec.fnv import fnv1a_64

VECTORS = [
    (b"", 0xCBF29CE484222325),
    (b"a", 0xAF63DC4C8601EC8C),
    (b"foobar", 0x85944171F73967E8),
]


@pytest.mark.parametrize(("data", "digest"), VECTORS)
def test_f1_the_hash_gives_the_reference_vectors(data: bytes, digest: int) -> None:
    assert digest == fnv1a_64(data)
