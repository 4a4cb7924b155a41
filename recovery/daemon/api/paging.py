"""Which page of a list is wanted.

Lives here: `Page`. Must not live here: the lists.

Source: InfluxDB v2.9.1 paging.go (DecodeFindOptions), Go strconv (Atoi, ParseBool).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import msgspec

from recovery.daemon.answer import ApiError
from recovery.daemon.request import WRONG_DIGITS, Request, id_fault
from recovery.model.ids import Id, parse_id

T = TypeVar("T")

LIMIT_DEFAULT: Final = 20
LIMIT_MAX: Final = 100
ID_MAX: Final = "f" * 16
_NUMBER: Final = re.compile(r"[+-]?0*[0-9]{1,19}\Z")
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page.

    Attributes:
        limit: Its length, 1 to 100.
        offset: How many go before it; a negative number counts as none.
        after: The ID in front of it, if one was named.
        is_descending: Whether the list runs backwards.
    """

    limit: int
    offset: int
    after: Id | None
    is_descending: bool

    @classmethod
    def of(cls, request: Request) -> "Page":
        """Read the page that a request wants."""
        offset = _number(request.asked("offset") or "0", "offset is invalid")
        after = request.asked("after")
        after_id = None if after is None else parse_id(after)
        if after is not None and after_id is None:
            raise ApiError("invalid", f"decoding after: {id_fault(after)}")
        limit = _number(request.asked("limit") or str(LIMIT_DEFAULT), "limit is invalid")
        if not 1 <= limit <= LIMIT_MAX:
            raise ApiError("invalid", f"limit must be between 1 and {LIMIT_MAX}")
        descending = _BOOLEANS.get(request.asked("descending") or "false")
        if descending is None:
            raise ApiError("invalid", "descending is invalid")
        return cls(limit=limit, offset=offset, after=after_id, is_descending=descending)

    def cut(self, items: Iterable[T]) -> Iterator[T]:
        """Give the items of the page, by offset and limit."""
        left = self.limit
        for place, item in enumerate(items):
            if place < self.offset:
                continue
            yield item
            left -= 1
            if not left:
                return

    def ordered(self, keyed: list[tuple[bytes, T]]) -> list[T]:
        """Order records by their keys as a cursor of the server walks them.

        Args:
            keyed: All records with their keys, in the order of the keys.

        Returns:
            From behind `after` on; backwards it begins with the first one above `after`, or with
            the last one when there is none above.

        Raises:
            ApiError: No ID comes behind `after`.
        """
        if self.after is None:
            found = [item for _, item in keyed]
            return found[::-1] if self.is_descending else found
        if self.after == ID_MAX:
            raise ApiError("invalid", WRONG_DIGITS)  # the server adds one to it, and has zero
        seek = f"{int(self.after, 16) + 1:016x}".encode()
        place = next((n for n, (key, _) in enumerate(keyed) if key >= seek), len(keyed))
        if self.is_descending:
            return [item for _, item in keyed[place::-1]]
        return [item for _, item in keyed[place:]]


def _number(text: str, problem: str) -> int:
    number = int(text) if _NUMBER.match(text) else 1 << 63
    if not -(1 << 63) <= number < 1 << 63:
        raise ApiError("invalid", problem)
    return number
