"""IDs, as servers write, read and make them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from recovery.errors import RefusedError
from recovery.model.ids import DRAWS_MAX, Id, IdSource, parse_id, unused
from tests.support.ports import FixedClock, ScriptedRng

SAMPLE_TIME = datetime(2021, 9, 28, 12, 55, 25, 302000, tzinfo=UTC)


@pytest.mark.parametrize("digits", ["08371db1dd8c8000", "ffffffffffffffff", "0000000000000001"])
def test_an_id_is_sixteen_hexadecimal_digits(digits: str) -> None:
    assert digits == parse_id(digits)
    assert digits == parse_id(digits.encode())


def test_upper_case_digits_are_read_and_become_lower_case() -> None:
    assert parse_id("08371DB1DD8C8000") == "08371db1dd8c8000"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "08371db1dd8c800",
        "08371db1dd8c80000",
        "0000000000000000",
        "08371db1dd8c800g",
        "0x371db1dd8c8000",
        "08371db1_d8c8000",
        "+8371db1dd8c8000",
        " 8371db1dd8c8000",
        "08371db1dd8c8000\n",
        "0837\u0661db1dd8c8000"[:16],
    ],
)
def test_anything_else_is_no_id(text: str) -> None:
    assert parse_id(text) is None
    assert parse_id(text.encode()) is None


def test_bytes_that_are_no_text_are_no_id() -> None:
    assert parse_id(b"\xff" * 16) is None


def test_a_snowflake_is_time_machine_and_sequence() -> None:
    source = IdSource(FixedClock(SAMPLE_TIME), ScriptedRng(bits=[200]))
    assert source.snowflake() == "08371db1dd8c8000"
    assert source.snowflake() == "08371db1dd8c8001"


def test_each_process_draws_a_machine_of_its_own() -> None:
    sources = [IdSource(FixedClock(SAMPLE_TIME), ScriptedRng(bits=[bits])) for bits in (1, 2)]
    assert len({source.snowflake() for source in sources}) == 2


def test_the_machine_is_at_most_1022() -> None:
    source = IdSource(FixedClock(SAMPLE_TIME), ScriptedRng(bits=[1023]))
    assert int(source.snowflake(), 16) >> 12 & 0x3FF == 0


def test_snowflakes_rise_even_when_the_clock_goes_back() -> None:
    clock = FixedClock(SAMPLE_TIME)
    source = IdSource(clock, ScriptedRng(bits=[200]))
    first = source.snowflake()
    clock.moment -= timedelta(days=1)
    assert first < source.snowflake()


def test_more_snowflakes_than_a_millisecond_holds_are_still_different() -> None:
    source = IdSource(FixedClock(SAMPLE_TIME), ScriptedRng(bits=[1022]))
    made = [source.snowflake() for _ in range(5000)]
    assert len(set(made)) == 5000
    assert sorted(made) == made


@pytest.mark.parametrize("year", [1970, 2017, 2200])
def test_a_clock_that_no_id_can_hold_is_refused(year: int) -> None:
    source = IdSource(FixedClock(datetime(year, 1, 1, tzinfo=UTC)), ScriptedRng(bits=[1]))
    with pytest.raises(RefusedError, match="clock"):
        source.snowflake()


def test_a_random_id_has_no_backslash_comma_or_blank() -> None:
    drawn = bytes([0x5C, 0x2C, 0x20, 0x5D, 0x2D, 0x21, 0xFF, 0x00])
    source = IdSource(FixedClock(SAMPLE_TIME), ScriptedRng(bits=[1], bytes_=[drawn]))
    assert source.random() == "5d2d215d2d21ff00"


def test_a_random_id_is_never_zero() -> None:
    rng = ScriptedRng(bits=[1], bytes_=[bytes(8), bytes(7) + b"\x01"])
    assert IdSource(FixedClock(SAMPLE_TIME), rng).random() == "0000000000000001"


def _counted() -> Iterator[Id]:
    number = 0
    while True:
        number += 1
        yield Id(f"{number:016x}")


def test_a_taken_id_is_drawn_again() -> None:
    ids = _counted()
    taken = {Id("0000000000000001"), Id("0000000000000002")}
    assert unused(lambda: next(ids), taken.__contains__) == "0000000000000003"


def test_the_last_of_a_hundred_draws_still_counts() -> None:
    ids = _counted()
    last = f"{DRAWS_MAX:016x}"
    assert last == unused(lambda: next(ids), lambda made: made < last)


def test_a_hundred_taken_ids_are_an_error() -> None:
    ids = _counted()
    with pytest.raises(RefusedError, match="none of 100 new IDs was free"):
        unused(lambda: next(ids), lambda _: True)
    assert int(next(ids), 16) == DRAWS_MAX + 1
