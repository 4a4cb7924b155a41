"""The kinds of servers that differ in what they need to start.

Lives here: `Server`, and which of them may have to do with a store. Must not live here: what stops
them (each rule says so of its finding).

Where they differ, as read in InfluxDB v2.4.0, v2.7.12 and v2.9.1, and as seen with 2.7.12 and
2.9.1: up to 2.4 the check of the buckets sees the first 20 only, and `LoadExistingScheduleRuns`
(task/backend/executor) is not fatal; from 2.8 on `authorization.NewStore` decodes every
authorization; with `use-hashed-tokens`, the default of 2.9, it also writes again each one that has
a raw token only.
"""

from enum import Enum, unique
from typing import Final

LEVEL_2_3: Final = 20
LEVEL_2_8: Final = 21
SQL_LEVELS_BEFORE_2_5: Final = frozenset({5, 7})
"""Numbers of SQL migrations of 2.3 and 2.4, whose stores are at level 20 as those of 2.5 to 2.7."""


@unique
class Server(Enum):
    """A kind of server; the value is how it is called in a sentence."""

    TO_2_4 = "influxd up to 2.4"
    TO_2_7 = "influxd 2.5 to 2.7"
    RAW = "influxd 2.8 or 2.9 with use-hashed-tokens off (2.8's default)"
    HASHING = "influxd 2.8 or 2.9 with use-hashed-tokens on (2.9's default)"

    @property
    def versions(self) -> tuple[str, str]:
        """The first and the last release of the kind."""
        return _VERSIONS[self]

    @property
    def use_hashed_tokens(self) -> bool | None:
        """Whether it hashes tokens; None where no server of the kind can."""
        return {Server.RAW: False, Server.HASHING: True}.get(self)


_VERSIONS: Final = {
    Server.TO_2_4: ("2.0", "2.4"),
    Server.TO_2_7: ("2.5", "2.7"),
    Server.RAW: ("2.8", "2.9"),
    Server.HASHING: ("2.8", "2.9"),
}

ALL_SERVERS: Final = frozenset(Server)
FROM_2_5: Final = ALL_SERVERS - {Server.TO_2_4}
FROM_2_8: Final = frozenset({Server.RAW, Server.HASHING})
NO_SERVER: Final[frozenset[Server]] = frozenset()


def servers_of(level: int, *, use_hashed_tokens: bool | None) -> tuple[Server, ...]:
    """List the kinds of servers that can be started on a store of a level.

    Args:
        level: The schema level. A server that does not know its last migration refuses it.
        use_hashed_tokens: What the configuration of its server says; None when it says nothing.

    Returns:
        The kinds, the oldest first.
    """
    if level < LEVEL_2_8:
        return tuple(Server)
    if use_hashed_tokens is None:
        return (Server.RAW, Server.HASHING)
    return (Server.HASHING,) if use_hashed_tokens else (Server.RAW,)


def likely_server(level: int, *, sql_level: int | None, use_hashed_tokens: bool | None) -> Server:
    """Tell which kind of server is started on a store next, if nobody up- or downgrades.

    Args:
        sql_level: Number of migrations in the SQLite file; None without one.
        use_hashed_tokens: What the configuration of its server says; None when it says nothing.

    Returns:
        The kind. Level 21 cannot tell 2.8 from 2.9: then the newer one, with its default.
    """
    if level >= LEVEL_2_8:
        return Server.RAW if use_hashed_tokens is False else Server.HASHING
    if level < LEVEL_2_3 or sql_level in SQL_LEVELS_BEFORE_2_5:
        return Server.TO_2_4
    return Server.TO_2_7
