"""The limits that are limits of bbolt, as numbers."""

from bolt_store import limits


def test_f8_the_limits_of_bbolt_are_ours() -> None:
    assert limits.KEY_SIZE_BYTES_MAX == 32768
    assert limits.VALUE_SIZE_BYTES_MAX == 2**31 - 2
    assert limits.ELEMENT_COUNT_MAX == 65534


def test_page_sizes_are_those_that_recovery_probes() -> None:
    assert (limits.PAGE_SIZE_BYTES_MIN, limits.PAGE_SIZE_BYTES_MAX) == (512, 16 << 20)


def test_a_tree_of_the_largest_file_fits_into_the_depth_limit() -> None:
    """Each branch has two children or more, and a file of 2**48 bytes under 2**39 pages."""
    assert 2**limits.TREE_DEPTH_MAX > 2**48 // limits.PAGE_SIZE_BYTES_MIN
