"""Sessions of the page, the tokens of their forms, and the code for a phone."""

from datetime import timedelta

import pytest

from recovery.daemon.page.sessions import (
    CODE_TIME,
    CODE_TRIES_MAX,
    LENGTH,
    ConsoleCode,
    PageSessions,
    new_code,
    read_code,
)
from recovery.secret import Secret
from tests.support.ports import FixedClock
from tests.support.stores import CHANGED_AT, SeededRng


def sessions() -> tuple[PageSessions, FixedClock]:
    clock = FixedClock(CHANGED_AT)
    return PageSessions(clock, SeededRng()), clock


def test_a_session_lives_as_long_as_it_is_used() -> None:
    opened, clock = sessions()
    key = opened.open(None)
    for _ in range(3):
        clock.moment += LENGTH - timedelta(seconds=1)
        assert opened.find(key) is not None
    clock.moment += LENGTH
    assert opened.find(key) is None


def test_a_session_that_was_closed_is_no_more() -> None:
    opened, _ = sessions()
    key, other = opened.open(None), opened.open(None)
    opened.close(key)
    assert (opened.find(key), opened.find(other) is None) == (None, False)


def test_a_form_token_is_of_one_session_one_path_and_one_number() -> None:
    opened, _ = sessions()
    one, other = (opened.find(opened.open(None)) for _ in range(2))
    assert one is not None
    assert other is not None
    token = one.form_token("/a", "1")
    assert one.is_own("/a", "1", token)
    assert not one.is_own("/b", "1", token)
    assert not one.is_own("/a", "2", token)
    assert not other.is_own("/a", "1", token)
    assert not one.is_own("/a", "1", "\udcff")


@pytest.mark.parametrize(
    ("typed", "is_code"),
    [
        ("K7QM-3FXR", True),
        ("k7qm3fxr", True),
        (" k7qm 3fxr ", True),
        ("K7QM-3FX", False),
        ("K7QM-3FXRR", False),
        ("K7QM-3FÄR", False),
        ("", False),
    ],
)
def test_a_code_is_read_as_a_person_types_it(typed: str, is_code: object) -> None:
    found = read_code(typed)
    assert (found is not None) == is_code
    assert found is None or found.matches(Secret("K7QM-3FXR"))


def test_a_code_is_good_once() -> None:
    drawn = new_code(SeededRng())
    code = ConsoleCode(drawn, FixedClock(CHANGED_AT))
    assert code.take(drawn)
    assert not code.take(drawn)
    assert code.was_used


def test_a_code_is_gone_after_so_many_wrong_ones() -> None:
    drawn = new_code(SeededRng())
    code = ConsoleCode(drawn, FixedClock(CHANGED_AT))
    for _ in range(CODE_TRIES_MAX):
        assert not code.is_out
        assert not code.take(Secret("AAAA-AAAA"))
    assert code.is_out
    assert not code.take(drawn)


def test_a_code_is_gone_after_its_time() -> None:
    clock, drawn = FixedClock(CHANGED_AT), new_code(SeededRng())
    code = ConsoleCode(drawn, clock)
    clock.moment += CODE_TIME
    assert not code.take(drawn)
