"""The order of keys."""

import pytest

from bolt_store.codec.keys import ascend


@pytest.mark.parametrize(
    "keys", [[], [b"\0"], [b"a", b"a\0", b"b"], [b"\x7f", b"\x80"], [b"a", b"aa", b"ab", b"b"]]
)
def test_keys_in_bytewise_order_ascend(keys: list[bytes]) -> None:
    assert ascend(keys)


@pytest.mark.parametrize("keys", [[b""], [b"a", b"a"], [b"b", b"a"], [b"a", b"b", b""]])
def test_keys_that_repeat_descend_or_are_empty_do_not(keys: list[bytes]) -> None:
    assert not ascend(keys)
