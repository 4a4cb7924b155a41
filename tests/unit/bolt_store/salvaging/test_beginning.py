"""Where files begin that lie somewhere else than at the first byte."""

import pytest

from bolt_store import likely_beginnings, named_beginnings
from tests.support.history import history


@pytest.mark.parametrize("page_size_bytes", [1024, 4096])
@pytest.mark.parametrize("before", [0, 1, 512, 5000, -1, -700, -9000])
def test_a_file_is_found_where_it_begins(page_size_bytes: int, before: int) -> None:
    store = history(7, page_size_bytes=page_size_bytes).images[-1]
    content = b"x" * before + store if before >= 0 else store[-before:]
    counts = likely_beginnings(content)
    assert counts.most_common(1)[0][0] == before
    assert counts[before] > 8
    named = list(named_beginnings(content))
    assert {beginning for beginning, _ in named} <= {before}
    assert len(named) == (2 if before >= 0 else 1 if page_size_bytes > -before else 0)


def test_a_meta_that_is_not_signed_names_nothing() -> None:
    store = bytearray(history(7, page_size_bytes=1024).images[-1])
    for page in (0, 1024):
        store[page + 40] ^= 1
    assert list(named_beginnings(bytes(store))) == []
    assert likely_beginnings(bytes(store))[0] > 8
