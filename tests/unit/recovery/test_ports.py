"""The real clock and the real randomness."""

from datetime import UTC, datetime, timedelta

import pytest

from recovery.ports import Clock, Rng, SystemClock, SystemRng


def test_the_clock_tells_the_time_in_utc() -> None:
    clock: Clock = SystemClock()
    before = datetime.now(UTC)
    found = clock.now()
    after = datetime.now(UTC)
    assert before <= found <= after
    assert timedelta(0) == found.utcoffset()


@pytest.mark.parametrize("size_bytes", [0, 1, 64])
def test_random_bytes_have_the_length_asked_for(size_bytes: int) -> None:
    rng: Rng = SystemRng()
    assert size_bytes == len(rng.token_bytes(size_bytes))


def test_random_bytes_are_drawn_anew() -> None:
    assert SystemRng().token_bytes(16) != SystemRng().token_bytes(16)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 64])
def test_random_numbers_use_all_their_bits_and_no_more(count: int) -> None:
    rng = SystemRng()
    seen = 0
    for _ in range(300):
        number = rng.randbits(count)
        assert 0 <= number < 1 << count
        seen |= number
    assert seen == (1 << count) - 1
