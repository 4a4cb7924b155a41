"""Series keys, and the measurements in them."""

import pytest

from recovery.engine.keys import NAMES_MAX, Measurements, prefix, split


@pytest.mark.parametrize(
    ("key", "name", "tags"),
    [
        (b"cpu,host=a,dc=b#!~#f", "cpu", {"host", "dc"}),
        (b"cpu#!~#f", "cpu", set()),
        (rb"a\,b\ c,t\=x=1#!~#f", "a,b c", {"t=x"}),
        ("zähler,straße=a#!~#f".encode(), "zähler", {"straße"}),
        (b"\xff,t=1#!~#f", "\ufffd", {"t"}),
        (b"cpu,host=a", "cpu", {"host"}),
    ],
)
def test_a_measurement_is_read_as_it_was_written(key: bytes, name: str, tags: set[str]) -> None:
    measurements = Measurements()
    measurements.note(key)
    assert measurements.names == [name]
    assert measurements.tags(name) == tags


@pytest.mark.parametrize(
    ("key", "expected"),
    [(b"cpu,host=a#!~#f", b"cpu,"), (b"cpu#!~#f", b"cpu#!~#"), (rb"a\,b,t=1#!~#f", rb"a\,b,")],
)
def test_keys_of_one_measurement_begin_alike(key: bytes, expected: bytes) -> None:
    assert prefix(key) == expected


def test_escaped_commas_do_not_cut() -> None:
    assert list(split(rb"a\,b,c,,d\,")) == [rb"a\,b", b"c", b"", rb"d\,"]


def test_more_measurements_than_are_kept_are_said() -> None:
    measurements = Measurements()
    for number in range(NAMES_MAX + 1):
        measurements.note(b"m%d#!~#f" % number)
    assert len(measurements.names) == NAMES_MAX
    assert measurements.has_more
