"""The two rules of size that everything else counts with."""

import pytest

from bolt_store.codec.layout import inline_size_bytes_max, run_length


@pytest.mark.parametrize(
    ("size_bytes", "page_count"), [(1, 1), (4095, 1), (4096, 1), (4097, 2), (8192, 2), (8193, 3)]
)
def test_a_run_has_as_many_pages_as_its_bytes_need(size_bytes: int, page_count: int) -> None:
    assert page_count == run_length(size_bytes, 4096)


@pytest.mark.parametrize(("page_size_bytes", "limit"), [(512, 128), (4096, 1024), (65536, 16384)])
def test_an_inline_page_takes_a_quarter_of_a_page(page_size_bytes: int, limit: int) -> None:
    assert limit == inline_size_bytes_max(page_size_bytes)
