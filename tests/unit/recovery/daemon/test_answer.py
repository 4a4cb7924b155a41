"""Errors that are kept, and raised for many requests."""

import pytest

from recovery.daemon.access import UNAUTHORIZED
from recovery.daemon.answer import ApiError


def test_an_error_that_was_answered_keeps_nothing_of_the_request() -> None:
    for _ in range(2):
        with pytest.raises(ApiError) as raised:
            _refuse_while_another_is_in_hand()
        assert raised.value is UNAUTHORIZED
        UNAUTHORIZED.answer()
        assert (UNAUTHORIZED.__traceback__, UNAUTHORIZED.__context__) == (None, None)


def _refuse_while_another_is_in_hand() -> None:
    try:
        int("a secret")
    except ValueError:
        raise UNAUTHORIZED  # noqa: B904 # as code that does not think of it
