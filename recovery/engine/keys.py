"""Series keys, and the measurements in them.

Lives here: the form of a key, as TSM indexes and WAL entries have it. Must not live here: where
keys come from.

Source: InfluxDB v2.9.1 tsdb/engine/tsm1/engine.go (`SeriesFieldKey`, `keyFieldSeparator`),
models/points.go (`MakeKey`, `EscapeMeasurement`).
"""

from collections.abc import Iterator
from typing import Final

FIELD_SEPARATOR: Final = b"#!~#"
NAMES_MAX: Final = 1000
"""Measurements of one bucket that are kept; a bucket with more is told apart without the rest."""

_ESCAPE: Final = b"\\"
_ESCAPED: Final = ((rb"\,", b","), (rb"\ ", b" "), (rb"\=", b"="))


class Measurements:
    """The measurements of a bucket, each with the tags of one of its series."""

    def __init__(self) -> None:
        self._tags: dict[str, frozenset[str]] = {}
        self._seen: set[bytes] = set()
        self.has_more = False

    def note(self, key: bytes) -> None:
        """Note the measurement of a whole key, or of one without its field."""
        parts = split(key.partition(FIELD_SEPARATOR)[0])
        raw = next(parts)
        if raw in self._seen:
            return
        if len(self._seen) >= NAMES_MAX:
            self.has_more = True
            return
        self._seen.add(raw)
        tags = frozenset(text(next(split(part, b"="))) for part in parts)
        self._tags.setdefault(text(raw), tags)

    @property
    def names(self) -> list[str]:
        """The measurements, in the order of the alphabet."""
        return sorted(self._tags)

    def tags(self, name: str) -> frozenset[str]:
        """Return the names of the tags of one series of a measurement."""
        return self._tags[name]


def prefix(key: bytes) -> bytes:
    """Give what the keys of the measurement of a key begin with, and no other."""
    series = key.partition(FIELD_SEPARATOR)[0]
    raw = next(split(series))
    return raw + (b"," if len(raw) < len(series) else FIELD_SEPARATOR)


def split(series: bytes, separator: bytes = b",") -> Iterator[bytes]:
    """Cut a key without its field at its separators that are not escaped; at least one part."""
    start = position = 0
    while True:
        position = series.find(separator, position)
        if position < 0:
            yield series[start:]
            return
        if series[position - 1 : position] != _ESCAPE:
            yield series[start:position]
            start = position + 1
        position += 1


def text(raw: bytes) -> str:
    """Read a name of a key as a person wrote it."""
    for escaped, plain in _ESCAPED:
        raw = raw.replace(escaped, plain)
    return raw.decode("utf-8", "replace")
