"""What of a bucket is refused before anything is planned."""

import pytest

from recovery.errors import RefusedError
from recovery.model.bucket import DAY_NS, HOUR_NS, NS_MAX
from recovery.services.tenancy.bucket_changes import (
    LONG_RETENTION,
    SHARDS_TOO_LONG,
    SHORT_RETENTION,
    require_times,
)


@pytest.mark.parametrize(
    ("retention_ns", "shard_group_ns", "reason"),
    [
        (NS_MAX + 1, DAY_NS, LONG_RETENTION),
        (0, NS_MAX + 1, LONG_RETENTION),
        (HOUR_NS - 1, HOUR_NS, SHORT_RETENTION),
        (-HOUR_NS, HOUR_NS, SHORT_RETENTION),
        (HOUR_NS, HOUR_NS + 1, SHARDS_TOO_LONG),
    ],
)
def test_times_that_a_server_could_not_read_or_keep_are_refused(
    retention_ns: int, shard_group_ns: int, reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        require_times(retention_ns, shard_group_ns)


@pytest.mark.parametrize("retention_ns", [0, HOUR_NS, NS_MAX])
def test_the_longest_and_the_shortest_time_are_taken(retention_ns: int) -> None:
    require_times(retention_ns, HOUR_NS)
