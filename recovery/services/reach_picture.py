"""The map of who can reach what, as a picture.

Lives here: `draw_reach_of`. Must not live here: who can reach what (`recovery.services.reach`), and
how a picture is written (`recovery.drawing`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from recovery.drawing.reach import Box, Line, Strength, draw_reach
from recovery.services.reach import Grant, Reach, ReachUser, Way

BOXES_MAX: Final = 60
"""More in one column cannot be followed by an eye; the rest is in the table."""
GRANTS_SHOWN: Final = 6
"""Of one way; the rest is on the page of the token."""
PICTURE_SIZE_BYTES_MAX: Final = 30_000
BOXES_MIN: Final = 6
_MORE: Final = "more"


class Links(NamedTuple):
    """Where boxes lead, for a page; None where they lead nowhere.

    Attributes:
        user: Given the ID of a user.
        token: Given the ID of a token.
    """

    user: Callable[[str], str | None]
    token: Callable[[str], str | None]


def _nowhere(_: str) -> None:
    return None


NO_LINKS: Final = Links(_nowhere, _nowhere)


def draw_reach_of(reach: Reach, links: Links = NO_LINKS) -> str:
    """Draw who can reach what; links say where boxes lead."""
    box_count = BOXES_MAX
    picture = _drawn(reach, links, box_count)
    while len(picture.encode()) > PICTURE_SIZE_BYTES_MAX and box_count > BOXES_MIN:
        box_count //= 2
        picture = _drawn(reach, links, box_count)
    return picture


def _drawn(reach: Reach, links: Links, box_count: int) -> str:
    """Draw as much as so many boxes in a column have room for."""
    ways = [
        msgspec.structs.replace(way, grants=way.grants[:GRANTS_SHOWN])
        for way in reach.ways[:box_count]
    ]
    shown_users = {way.user_id for way in ways} or {one.id for one in reach.users[:box_count]}
    users = [*_users(reach, shown_users, links)][:box_count]
    grants = {grant.key: grant for way in ways for grant in way.grants}
    reached = [Box(key=_key(one), label=one.words, is_shown=True) for one in grants.values()][
        :box_count
    ]
    left_out = len(reach.ways) - len(ways)
    tokens = [_token(number, way, links) for number, way in enumerate(ways)]
    if left_out:
        tokens.append(Box(key=_MORE, label=f"and {left_out} more", note="in the table"))
    return draw_reach(
        (users, tokens, reached),
        [*_lines(ways)],
        sentence=reach.sentence,
    )


def _users(reach: Reach, shown: set[str], links: Links) -> Iterator[Box]:
    known: set[str] = set()
    for one in reach.users:
        if one.id in shown or len(reach.users) <= BOXES_MAX:
            known.add(one.id)
            yield _user(one, links)
    for user_id in dict.fromkeys(way.user_id for way in reach.ways):
        if user_id in shown and user_id not in known:
            label = "deleted user" if user_id else "no user"
            yield Box(key=f"user {user_id}", label=label, note=user_id, is_faded=True)


def _user(one: ReachUser, links: Links) -> Box:
    return Box(
        key=f"user {one.id}",
        label=one.name,
        note="" if one.can_sign_in else "cannot sign in",
        href=links.user(one.id),
        is_faded=not one.can_sign_in,
    )


def _token(number: int, way: Way, links: Links) -> Box:
    note = way.because[0] if way.because else ("operator" if way.is_operator else "")
    if way.token_id is None and not way.because:
        note = "role"
    return Box(
        key=f"way {number}",
        label=way.label or "(no description)",
        note=note,
        href=None if way.token_id is None or way.count > 1 else links.token(way.token_id),
        is_faded=not way.is_usable,
        is_shown=way.token_id is None,
    )


def _lines(ways: Sequence[Way]) -> Iterator[Line]:
    for number, way in enumerate(ways):
        strength = Strength.WORKS if way.is_usable else Strength.BROKEN
        if way.is_usable and way.is_operator:
            strength = Strength.OPERATOR
        yield Line(source=f"user {way.user_id}", target=f"way {number}", strength=strength)
        for grant in way.grants:
            yield Line(source=f"way {number}", target=_key(grant), strength=strength)


def _key(grant: Grant) -> str:
    return " ".join(grant.key)
